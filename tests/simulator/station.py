"""A central system on a real port, for tests of connections and of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater

from fleets import PATIENCE
from simulator.central import Answers


def own_certificate() -> PrivateCertificate:
    """A certificate for 127.0.0.1 that no CA has signed."""
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
        station.handshakes.append((request.path, request.protocols, request.headers))
        if station.refuse:
            raise ConnectionDeny(station.refuse, "no")
        return None if station.no_subprotocol else request.protocols[0]

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
        self.handshakes: list[Any] = []
        self.frames: list[list[Any]] = []
        self.peers: list[Peer] = []
        self.closed: list[int | None] = []
        self.refuse = 0
        self.no_subprotocol = False
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


async def until(true: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return once the condition is true; fail after that many seconds."""
    for _ in range(int(seconds * 100)):
        if true():
            return
        await deferLater(reactor, 0.01, lambda: None)
    raise AssertionError("the condition did not become true in time")
