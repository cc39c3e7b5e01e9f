"""The security of a 1.6 charger: its password, its profile and its certificates, as the security whitepaper has them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from certificates import Made
from ocpp_tw.simulator.quirks import NO_ANSWER, Effect, Quirk
from ocpp_tw.simulator.security import Provision
from simulator.authority import sign, subject
from simulator.central import Central

OLD, NEW = b"sixteen bytes 01", b"sixteen bytes 02"
HEX = "00ff" * 8 + "01020304"
CA = Made("ca")
ROOT = {"certificateType": "CentralSystemRootCertificate", "certificate": CA.certificate.decode()}


@pytest.fixture
def central() -> Iterator[Central]:
    """A connected charger with profile 1."""
    it = Central(provision=Provision("ws://csms/ocpp", 1, OLD))
    it.connect()
    yield it
    it.shut_down()


def change(central: Central, key: str, value: str) -> str:
    return str(central.command("ChangeConfiguration", {"key": key, "value": value})["status"])


def value(central: Central, key: str) -> Any:
    return central.command("GetConfiguration", {"key": [key]})["configurationKey"][0].get("value")


def sent(central: Central) -> bytes | None:
    """The user and password of the next connection."""
    header = central.charger.security.access().authorization
    return None if header is None else b64decode(header.removeprefix("Basic "))


def certified(central: Central, **how: Any) -> str:
    """The charger has requested a certificate and is sent one; its status."""
    central.names()
    assert central.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}) == {"status": "Accepted"}
    central.run(0.1)
    csr = central.payloads("SignCertificate")[0]["csr"]
    return str(central.command("CertificateSigned", {"certificateChain": sign(csr, how.pop("by", CA), **how)})["status"])


# the password


@pytest.mark.parametrize(
    ("key", "password"),
    [(NEW.decode(), NEW), (HEX, bytes.fromhex(HEX)), (HEX.upper()[:32], bytes.fromhex(HEX)[:16]), ("ü" * 10, b"\xc3\xbc" * 10)],
)
def test_a_new_key_is_accepted_and_used_at_once(central: Central, key: str, password: bytes) -> None:
    assert sent(central) == b"CP1:" + OLD
    assert change(central, "authorizationkey", key) == "Accepted" and central.closed == (1000, "reconnecting")
    assert sent(central) == b"CP1:" + password
    central.names()
    assert "BootNotification" not in central.connect().names()  # the charger has only reconnected
    assert value(central, "AuthorizationKey") is None


@pytest.mark.parametrize("key", ["", "fifteen bytes 0", "twenty-one bytes 0123", "0" * 31, "0" * 42, "x" * 40])
def test_a_key_that_is_no_password_is_rejected(central: Central, key: str) -> None:
    assert change(central, "AuthorizationKey", key) == "Rejected" and central.closed is None and sent(central) == b"CP1:" + OLD


@pytest.mark.parametrize(
    ("quirk", "at_once", "later", "rebooted"),
    [
        (Quirk("RebootRequired"), OLD, OLD, NEW),
        (Quirk(effect=Effect.AFTER_REBOOT), OLD, OLD, NEW),
        (Quirk(effect=Effect.NEXT_CONNECTION), NEW, NEW, NEW),
        (Quirk(effect=Effect.NEVER), OLD, OLD, OLD),
        (Quirk("Rejected"), OLD, OLD, OLD),
        (Quirk("NotSupported", Effect.NEXT_CONNECTION), NEW, NEW, NEW),
    ],
)
def test_chargers_that_take_a_new_key_otherwise(central: Central, quirk: Quirk, at_once: bytes, later: bytes, rebooted: bytes) -> None:
    central.charger.security.quirks["AuthorizationKey"] = quirk
    assert change(central, "AuthorizationKey", NEW.decode()) == quirk.answer and central.closed is None
    assert sent(central) == b"CP1:" + at_once
    central.disconnect()
    central.connect()
    assert sent(central) == b"CP1:" + later
    central.command("Reset", {"type": "Hard"})
    central.run(1)
    assert sent(central) == b"CP1:" + rebooted


@pytest.mark.parametrize(("effect", "password"), [(None, NEW), (Effect.NEVER, OLD)])
def test_the_connection_may_be_lost_before_the_answer(central: Central, effect: Effect | None, password: bytes) -> None:
    central.charger.security.quirks["AuthorizationKey"] = Quirk(NO_ANSWER, effect)
    central.deliver([2, "k", "ChangeConfiguration", {"key": "AuthorizationKey", "value": NEW.decode()}])
    assert "k" not in central.responses and central.closed == (1006, "") and sent(central) == b"CP1:" + password


def test_a_transaction_goes_on_while_the_charger_reconnects(central: Central) -> None:
    central.start_charging()
    assert change(central, "AuthorizationKey", NEW.decode()) == "Accepted"
    central.charger.connectors[0].stop()
    central.connect().run(1)
    assert central.payloads("StopTransaction")[0]["transactionId"] == 1


# the profile


def test_a_profile_is_raised_only_if_everything_for_it_is_there(central: Central) -> None:
    assert [change(central, "SecurityProfile", each) for each in ("0", "1", "2", "3", "4", "x")] == ["Rejected"] * 6  # no root certificate
    central.command("InstallCertificate", ROOT)
    assert change(central, "SecurityProfile", "3") == "Rejected" and central.closed is None  # no certificate of its own
    assert change(central, "SecurityProfile", "2") == "Accepted" and central.closed == (1000, "reconnecting")
    access = central.charger.security.access()
    assert access.url == "wss://csms/ocpp/CP1" and access.tls is not None and access.tls.roots == (ROOT["certificate"],)
    assert sent(central) == b"CP1:" + OLD and access.tls.own is None
    assert value(central.connect(), "SecurityProfile") == "2"
    assert change(central, "SecurityProfile", "1") == "Rejected"
    assert certified(central) == "Accepted" and change(central, "SecurityProfile", "3") == "Accepted"
    access = central.charger.security.access()
    assert access.authorization is None and access.tls is not None and access.tls.own is not None
    assert value(central.connect(), "SecurityProfile") == "3"
    assert certified(central) == "Accepted" and central.closed == (1000, "reconnecting")  # a renewal is used at once
    renewed = central.charger.security.access().tls
    assert renewed is not None and renewed.own != access.tls.own


def test_without_a_password_there_is_no_profile_1() -> None:
    central = Central().connect()
    assert change(central, "SecurityProfile", "1") == "Rejected"
    assert change(central, "AuthorizationKey", NEW.decode()) == "Accepted" and central.closed is None  # the profile has no use for it
    assert sent(central) is None
    assert change(central, "SecurityProfile", "1") == "Accepted" and sent(central) == b"CP1:" + NEW
    assert central.charger.security.access().tls is None
    central.shut_down()


def test_a_profile_that_does_not_work_is_given_up_after_three_attempts(central: Central) -> None:
    central.command("InstallCertificate", ROOT)
    assert change(central, "SecurityProfile", "2") == "Accepted"
    for attempts in range(3):
        assert central.charger.security.access().url.startswith("wss:"), attempts
        central.charger.connect_failed("certificate verify failed")
    assert central.charger.security.access().url == "ws://csms/ocpp/CP1"
    central.names()
    assert value(central.connect(), "SecurityProfile") == "1"
    (event,) = central.payloads("SecurityEventNotification")
    assert event["type"] == "InvalidCentralSystemCertificate" and event["techInfo"] == "certificate verify failed"


def test_an_upgrade_may_lead_to_another_url_and_need_a_reboot() -> None:
    given = Provision(
        "ws://csms/ocpp", 1, OLD, (ROOT["certificate"],), tls_url="wss://csms:8443/", quirks={"SecurityProfile": Quirk("RebootRequired")}
    )
    central = Central(provision=given).connect()
    assert central.command("GetInstalledCertificateIds", {"certificateType": ROOT["certificateType"]})["status"] == "Accepted"
    assert change(central, "SecurityProfile", "2") == "RebootRequired" and central.charger.security.access().url == "ws://csms/ocpp/CP1"
    central.command("Reset", {"type": "Soft"})
    central.run(1)
    assert central.charger.security.access().url == "wss://csms:8443/CP1"
    central.shut_down()


# certificates


def test_a_request_names_the_charger_and_its_operator(central: Central) -> None:
    change(central, "CpoName", "Operator")
    assert certified(central, name="somebody") == "Rejected"
    central.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    central.run(0.1)
    csr = central.payloads("SignCertificate")[-1]["csr"]
    assert subject(csr) == {"commonName": "SIM-CP1", "organizationName": "Operator"}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"days": 0}, "expired"),
        ({"begin": 2}, "not valid yet"),
        ({"name": "somebody else"}, "another name"),
        ({"by": Made("other")}, "no CA that is installed"),
    ],
)
def test_a_certificate_that_is_not_valid_is_rejected_and_reported(central: Central, how: dict[str, Any], why: str) -> None:
    central.command("InstallCertificate", ROOT)
    assert certified(central, **how) == "Rejected"
    central.run(0.1)
    (event,) = central.payloads("SecurityEventNotification")
    assert event["type"] == "InvalidChargePointCertificate" and why in event["techInfo"]
    assert certified(central) == "Accepted"


def test_a_certificate_for_another_key_or_with_a_broken_chain_is_rejected(central: Central) -> None:
    def signed(chain: str) -> str:
        return str(central.command("CertificateSigned", {"certificateChain": chain})["status"])

    central.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    central.run(0.1)
    own = sign(central.payloads("SignCertificate")[0]["csr"], CA)
    assert signed("x") == signed("") == signed(Made("other").certificate.decode()) == signed(own + " " * 9_999) == "Rejected"
    assert signed(own + Made("other").certificate.decode()) == "Rejected"
    assert signed(own + CA.certificate.decode()) == "Accepted"
    assert signed(own) == "Rejected"  # its key is no longer waited for
    central.run(1)


def test_the_certificate_before_is_tried_again_if_the_newest_does_not_work(central: Central) -> None:
    security = central.charger.security
    central.command("InstallCertificate", ROOT)
    assert certified(central) == "Accepted" and change(central, "SecurityProfile", "3") == "Accepted"
    central.connect()
    first = security.access().tls
    assert certified(central, begin=0) == "Accepted"
    second = security.access().tls
    assert first != second
    for _ in range(3):
        assert security.access().tls == second
        central.charger.connect_failed(None)
    assert security.access().tls == first


def test_only_so_many_certificates_can_be_installed(central: Central) -> None:
    def install(made: Made) -> str:
        return str(central.command("InstallCertificate", ROOT | {"certificate": made.certificate.decode()})["status"])

    assert [install(Made(f"ca {number}")) for number in range(20)] == ["Accepted"] * 20 and install(CA) == "Rejected"


# security events


def test_an_event_is_delivered_until_it_is_answered(central: Central) -> None:
    central.answers["SecurityEventNotification"] = None
    central.command("CertificateSigned", {"certificateChain": "x"})
    central.run(0.1)
    central.disconnect()
    central.connect().run(31)  # it times out, and is sent again a minute later
    central.answers["SecurityEventNotification"] = {}
    central.run(61)
    assert len({each["timestamp"] for each in central.payloads("SecurityEventNotification")}) == 1
    central.answers["SecurityEventNotification"] = "InternalError"
    central.command("CertificateSigned", {"certificateChain": "x"})
    assert len(central.run(200).payloads("SecurityEventNotification")) == 1  # refused is delivered
