"""A server behind TLS and its peers, without a network: support of the tests of `ocpp_tw.websocket`."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from certificates import Made
from ocpp_tw.websocket.certificate import Certificate
from ocpp_tw.websocket.charger_tls import ChargerTlsFactory
from ocpp_tw.websocket.client_certificates import Authorities
from websocket_peer import PeerConnection, RawPeer, Server, request

MADE = Made()
"""What the server shows."""


class TlsPeer:
    """A charger's end of TLS, with Python's own ``ssl``."""

    def __init__(self, connection: PeerConnection, context: ssl.SSLContext) -> None:
        self.connection = connection
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")
        self.cut: Callable[[bytes], list[bytes]] = lambda data: [data]

    def transfer(self) -> None:
        data = self.outgoing.read()
        self.incoming.write(self.connection.exchange(*(self.cut(data) if data else ())))

    def handshake(self) -> TlsPeer:
        for _ in range(5):
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.transfer()
        self.transfer()
        return self

    def exchange(self, *pieces: bytes) -> bytes:
        """Each piece is a record of its own; what comes back."""
        for piece in pieces:
            self.tls.write(piece)
        self.transfer()
        return self.receive()

    def receive(self) -> bytes:
        self.incoming.write(self.connection.exchange())
        heard = b""
        while True:
            try:
                piece = self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                return heard
            if not piece:
                return heard
            heard += piece

    def connect_charger(self) -> TlsPeer:
        """Complete the WebSocket handshake too."""
        assert self.handshake().exchange(request()).startswith(b"HTTP/1.1 101 ")
        return self


class TlsServer(Server):
    """A server behind TLS; its certificate is in ``tls.pem`` of the directory."""

    def __init__(self, directory: Path, authorities: Authorities | None = None, plain_too: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.certificate = Certificate([MADE.write(directory / "tls.pem")], [], self.clock, authorities)
        self.tls_factory = ChargerTlsFactory(self.certificate, self.factory, self.clock, plain_too)

    def connect(self, peer: object = None, address: str = "192.0.2.7") -> PeerConnection:
        connection = PeerConnection(self.tls_factory, peer or RawPeer(), self.clock, address)
        self.connections.append(connection)
        return connection

    def connect_tls(self, context: ssl.SSLContext | None = None, address: str = "192.0.2.7") -> TlsPeer:
        return TlsPeer(self.connect(address=address), context or MADE.trust)
