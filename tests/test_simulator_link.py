"""Simulated chargers on real WebSockets: dialling, breaking, dialling again, and a fleet of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import pytest
import pytest_twisted
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater

from ocpp_tw.simulator.charger import Charger
from ocpp_tw.simulator.fleet import Fleet, Plan
from ocpp_tw.simulator.link import Link, Refused
from ocpp_tw.simulator.pace import Pace
from ocpp_tw.simulator.v16 import V16
from test_simulator_central import Answers


def own_certificate() -> PrivateCertificate:
    """A certificate for 127.0.0.1 that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    begin = datetime.now(UTC) - timedelta(1)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(77)
    built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    signed = built.not_valid_before(begin).not_valid_after(begin + timedelta(9)).sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return PrivateCertificate.loadPEM(signed.public_bytes(Encoding.PEM) + secret)


class Peer(WebSocketServerProtocol):
    """The central system's end of a real WebSocket."""

    def onConnect(self, request: Any) -> Any:
        station = self.factory.station
        station.knocks.append((request.path, request.protocols, request.headers))
        if station.refuse:
            raise ConnectionDeny(station.refuse, "no")
        return None if station.deaf else request.protocols[0]

    def onOpen(self) -> None:
        self.factory.station.peers.append(self)

    def onMessage(self, text: bytes, isBinary: bool) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            self.factory.station.frames.append(frame)
            answer = self.factory.station.answers.to(frame)
            if answer is not None:
                self.sendMessage(json.dumps(answer).encode())

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        station = self.factory.station
        station.closed.append(code)
        if self in station.peers:
            station.peers.remove(self)


class Station:
    """A central system on a real port."""

    def __init__(self, tls: Any = None, ocpp: str = "1.6") -> None:
        self.answers = Answers(ocpp)
        self.knocks: list[Any] = []
        self.frames: list[list[Any]] = []
        self.peers: list[Peer] = []
        self.closed: list[int | None] = []
        self.refuse = 0
        self.deaf = False
        factory = WebSocketServerFactory(reactor=reactor)
        factory.protocol = Peer
        factory.station = self
        if tls is None:
            self._port = reactor.listenTCP(0, factory, backlog=500, interface="127.0.0.1")
        else:
            self._port = reactor.listenSSL(0, factory, tls, interface="127.0.0.1")
        self.url = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{self._port.getHost().port}/"

    async def stop(self) -> None:
        for peer in list(self.peers):
            peer.dropConnection(abort=True)
        if self._port.connected:
            await self._port.stopListening()
        await until(lambda: not self.peers)

    def actions(self) -> list[str]:
        return [frame[2] for frame in self.frames]


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    for _ in range(int(seconds * 100)):
        if true():
            return
        await deferLater(reactor, 0.01, lambda: None)
    raise AssertionError("it never came about")


@pytest_twisted.async_yield_fixture
async def station() -> AsyncIterator[Station]:
    it = Station()
    yield it
    await it.stop()


def linked(station: Station, **options: Any) -> Link:
    charger = Charger("CP 1", Pace(reactor, 60.0), V16, timeout=options.pop("timeout", 5.0))
    return Link(reactor, station.url, charger, pause=0.02, **options)


async def test_a_line_is_opened_and_closed(station: Station) -> None:
    link = linked(station, password="secret")
    link.start()
    await link.charger.when_accepted()
    await link.stop()
    (path, protocols, headers) = station.knocks[0]
    assert (path, protocols) == ("/CP%201", ["ocpp1.6"]) and headers["authorization"] == "Basic Q1AgMTpzZWNyZXQ="
    await until(lambda: station.closed)
    assert station.closed == [1000]


async def test_a_broken_line_is_dialled_again_and_nothing_of_the_transaction_is_lost(station: Station) -> None:
    link = linked(station)
    charger = link.charger
    link.start()
    await charger.when_accepted()
    await charger.present("TAG")
    await until(lambda: "StartTransaction" in station.actions())
    link.cut()
    await until(lambda: not charger.online)
    charger.connectors[0].stop()
    await until(lambda: "StopTransaction" in station.actions())
    await link.stop()
    assert charger.tally.lost == 1 and charger.tally.connections == 2 and station.actions().count("BootNotification") == 1


async def test_a_reset_closes_the_line_and_boots_again(station: Station) -> None:
    link = linked(station)
    link.start()
    await link.charger.when_accepted()
    station.peers[0].sendMessage(b'[2,"1","Reset",{"type":"Hard"}]')
    await until(lambda: station.actions().count("BootNotification") == 2)
    await link.charger.when_accepted()
    await link.stop()
    assert link.charger.tally.lost == 0 and station.closed[0] == 1000


@pytest.mark.parametrize(("refuse", "deaf", "words"), [(401, False, "HTTP 401"), (0, True, "does not speak ocpp1.6")])
async def test_whoever_asks_is_told_why_the_line_could_not_be_opened(station: Station, refuse: int, deaf: bool, words: str) -> None:
    station.refuse, station.deaf = refuse, deaf
    why: Deferred[Refused] = Deferred()
    link = linked(station, refused=lambda _, no: bool(why.callback(no)))
    link.start()
    assert words in str(await why)
    await link.stop()


async def test_a_certificate_nobody_knows_is_taken_only_when_told_to() -> None:
    station = Station(own_certificate().options())
    why: Deferred[Refused] = Deferred()
    strict = linked(station, refused=lambda _, no: bool(why.callback(no)))
    strict.start()
    assert "certificate verify failed" in str(await why)
    await strict.stop()
    lax = linked(station, insecure=True)
    lax.start()
    await lax.charger.when_accepted()
    await lax.stop()
    await station.stop()


async def test_nobody_there(station: Station) -> None:
    await station.stop()
    said: list[str] = []
    link = linked(station, refused=lambda _, no: said.append(str(no)) or len(said) < 3)
    link.start()
    await until(lambda: len(said) == 3)  # tried again, twice
    await link.stop()
    assert "refused" in said[0]


async def test_stopping_while_the_handshake_goes_on(station: Station) -> None:
    link = linked(station)
    link.start()
    await link.stop()
    await until(lambda: not link.charger.online)


async def test_a_fleet_charges_and_counts(station: Station) -> None:
    fleet = Fleet(reactor, Plan(station.url, tuple(f"c{n}" for n in range(20)), speed_up=6000, rate=1000, seed=1, connectors=2))
    await fleet.start()
    tally = fleet.tally
    assert (tally.connections, tally.started, tally.stopped, tally.errors, tally.lost) == (20, 20, 20, 0, 0), tally
    assert station.actions().count("StopTransaction") == 20 and tally.energy > 20 * 5_000
    assert tally.summary(fleet.seconds)["latency_ms"]["StartTransaction"]["count"] == 20


async def test_a_fleet_that_waits_stops_its_transactions_at_the_end(station: Station) -> None:
    fleet = Fleet(reactor, Plan(station.url, ("c1",), wait=True, duration=0.3, seed=1))
    over = fleet.start()
    await until(lambda: "Heartbeat" in station.actions() or fleet.chargers[0].accepted)
    station.peers[0].sendMessage(b'[2,"1","RemoteStartTransaction",{"idTag":"TAG"}]')
    await over
    assert station.actions()[-3:].count("StopTransaction") == 1 and fleet.tally.errors == 0


async def test_a_fleet_gives_up_at_once_when_nobody_is_there(station: Station) -> None:
    await station.stop()
    fleet = Fleet(reactor, Plan(station.url, ("c1", "c2")))
    await fleet.start()
    assert fleet.failed is not None and "refused" in fleet.failed and not fleet.tally.connections
