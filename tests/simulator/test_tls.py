"""Simulated chargers over TLS: whom they trust, what they show, and what they do when their security changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, PrivateCertificate

from certificates import Made
from ocpp_tw.simulator.charger import SimulatedCharger
from ocpp_tw.simulator.own_certificates import load_own
from ocpp_tw.simulator.security import Provision
from ocpp_tw.simulator.simulated_clock import SimulatedClock
from ocpp_tw.simulator.v16.dialect import V16
from ocpp_tw.simulator.websocket_client import ConnectFailed, WebSocketClient
from simulator.authority import sign
from simulator.station import Station, until

CA, OTHER = Made("ca"), Made("other ca")
SERVER, CHARGER = Made("csms", issuer=CA), Made("SIM-CP1", issuer=CA)
PASSWORD = b"sixteen bytes 01"


def over_tls(made: Made = SERVER, asks: bool = False) -> Station:
    """A central system with that certificate; with ``asks`` it demands one of the charger, too."""
    certificate = PrivateCertificate.loadPEM(made.pem)
    return Station(certificate.options(*([Certificate.loadPEM(CA.certificate)] if asks else [])))


def client_of(url: str, profile: int, on_failure: Any = lambda *_: True, **more: Any) -> WebSocketClient:
    provision = Provision(url, profile, **more)
    charger = SimulatedCharger("CP1", SimulatedClock(reactor, 60.0), V16, timeout=5.0, provision=provision)
    return WebSocketClient(reactor, charger, on_failure=on_failure, backoff=0.02)


def trusting(*made: Made) -> dict[str, Any]:
    return {"roots": tuple(each.certificate.decode() for each in made)}


def shown_by(station: Station) -> str | None:
    """The common name in the certificate of the connected charger."""
    certificate = station.peers[-1].transport.getPeerCertificate()
    return None if certificate is None else certificate.get_subject().CN


async def ask(station: Station, action: str, payload: Any) -> None:
    station.peers[-1].sendMessage(json.dumps([2, f"ask {action}", action, payload]).encode())


async def test_a_charger_trusts_the_ca_that_it_was_given_and_no_other() -> None:
    station = over_tls()
    client = client_of(station.url, 2, password=PASSWORD, **trusting(OTHER, CA))
    client.start()
    await client.charger.when_ready()
    assert "authorization" in station.handshakes[0][2] and shown_by(station) is None
    await client.stop()
    why: Deferred[ConnectFailed] = Deferred()
    wary = client_of(station.url, 2, lambda _, no: bool(why.callback(no)), password=PASSWORD, **trusting(OTHER))
    wary.start()
    failure = await why
    assert failure.distrusted and "certificate verify failed" in str(failure)
    await wary.stop()
    await station.stop()


async def test_a_charger_does_not_trust_a_certificate_for_another_name() -> None:
    station = over_tls()
    why: Deferred[ConnectFailed] = Deferred()
    wary = client_of(station.url.replace("127.0.0.1", "localhost"), 2, lambda _, no: bool(why.callback(no)), **trusting(CA))
    wary.start()
    assert (await why).distrusted
    await wary.stop()
    await station.stop()


@pytest.mark.parametrize("insecure", [False, True])
async def test_at_profile_3_a_charger_shows_its_certificate_with_its_chain_and_no_password(insecure: bool) -> None:
    middle = Made("middle", issuer=CA)
    own = load_own((Made("SIM-CP1", issuer=middle).pem + middle.certificate).decode())
    station = over_tls(asks=True)
    client = client_of(station.url, 3, password=PASSWORD, own=own, insecure=insecure, **({} if insecure else trusting(CA)))
    client.start()
    await client.charger.when_ready()
    assert shown_by(station) == "SIM-CP1" and "authorization" not in station.handshakes[0][2]
    await client.stop()
    await station.stop()


async def test_a_charger_whose_certificate_is_refused_does_not_blame_the_central_system() -> None:
    station = over_tls(asks=True)
    why: Deferred[ConnectFailed] = Deferred()
    client = client_of(
        station.url, 3, lambda _, no: bool(why.callback(no)), own=load_own(Made("SIM-CP1", issuer=OTHER).pem.decode()), **trusting(CA)
    )
    client.start()
    assert not (await why).distrusted
    await client.stop()
    await station.stop()


async def test_a_charger_is_brought_from_profile_1_to_3_without_losing_a_transaction(station: Station) -> None:
    """A password, then TLS, then a certificate; each over the connection before."""
    tls = over_tls(asks=False)
    client = client_of(station.url, 1, password=b"sixteen bytes 00", tls_url=tls.url)
    charger = client.charger
    client.start()
    await charger.when_ready()
    await charger.authorize_and_start("TAG")
    await until(lambda: "StartTransaction" in station.actions())
    await ask(station, "ChangeConfiguration", {"key": "AuthorizationKey", "value": PASSWORD.hex()})
    await until(lambda: len(station.handshakes) == 2 and station.peers)
    await charger.when_ready()
    assert station.handshakes[0][2]["authorization"] != station.handshakes[1][2]["authorization"]
    root = {"certificateType": "CentralSystemRootCertificate", "certificate": CA.certificate.decode()}
    await ask(station, "InstallCertificate", root)
    await ask(station, "ChangeConfiguration", {"key": "SecurityProfile", "value": "2"})
    await until(lambda: tls.peers)
    await charger.when_ready()
    assert tls.handshakes[0][2]["authorization"] == station.handshakes[1][2]["authorization"] and not station.peers
    await ask(tls, "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    await until(lambda: "SignCertificate" in tls.actions())
    csr = next(frame[3]["csr"] for frame in tls.frames if frame[2] == "SignCertificate")
    await ask(tls, "CertificateSigned", {"certificateChain": sign(csr, CA)})
    await ask(tls, "ChangeConfiguration", {"key": "SecurityProfile", "value": "3"})
    await until(lambda: len(tls.handshakes) == 2 and tls.peers)
    await charger.when_ready()
    assert "authorization" not in tls.handshakes[1][2] and charger.configuration.number("SecurityProfile") == 3
    charger.connectors[0].stop()
    await until(lambda: "StopTransaction" in tls.actions())
    assert charger.tally.lost == 0 and charger.tally.errors == 0 and [*station.actions(), *tls.actions()].count("BootNotification") == 1
    await client.stop()
    await tls.stop()


async def test_a_charger_that_cannot_raise_its_profile_goes_back_and_tells_why(station: Station) -> None:
    tls = over_tls(Made("csms", issuer=OTHER))
    client = client_of(station.url, 1, password=PASSWORD, tls_url=tls.url, **trusting(CA))
    client.start()
    await client.charger.when_ready()
    await ask(station, "ChangeConfiguration", {"key": "SecurityProfile", "value": "2"})
    await until(lambda: "SecurityEventNotification" in station.actions())
    event = next(frame[3] for frame in station.frames if frame[2] == "SecurityEventNotification")
    assert event["type"] == "InvalidCentralSystemCertificate"
    assert client.charger.security.profile == 1 and client.charger.tally.refused == 3 and not tls.handshakes
    await client.stop()
    await tls.stop()


async def test_a_connection_that_is_dropped_before_the_answer_is_opened_again(station: Station) -> None:
    from ocpp_tw.simulator.quirks import NO_ANSWER, Quirk

    client = client_of(station.url, 1, password=b"sixteen bytes 00", quirks={"AuthorizationKey": Quirk(NO_ANSWER)})
    client.start()
    await client.charger.when_ready()
    await ask(station, "ChangeConfiguration", {"key": "AuthorizationKey", "value": PASSWORD.decode()})
    await until(lambda: len(station.handshakes) == 2 and station.peers)
    assert client.charger.tally.lost == 1 and station.closed == [1006]
    assert station.handshakes[0][2]["authorization"] != station.handshakes[1][2]["authorization"]
    await client.stop()
