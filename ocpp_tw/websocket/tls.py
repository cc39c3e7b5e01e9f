"""Chargers over TLS: what they say is deciphered and handed on, what is said to them enciphered, and a handshake that fails is told.

Knows Twisted's TLS from inside, and neither certificates nor what is said.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.main import CONNECTION_LOST
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from .certificate import Certificate, reason

log = Logger()

TOLD, WHILE = 10, 60.0
"""So many failed handshakes are told in so many seconds; of the others only their number."""

HEADER, DATA = 5, 23
"""A record's header in bytes, and the type of those that carry data (RFC 8446 §5.1)."""

HINTS = {"http request": "it speaks ws:// or http:// to a port of wss://"}


class ChargerTls(TLSMemoryBIOProtocol):
    """One connection: to the charger's protocol a transport, to the TCP connection a protocol."""

    factory: TlsFactory
    transport: Any
    _spoken = False
    _even = True
    """Whether the last read ended where a record ends; else the next one begins inside a record that ``_body`` or ``_head`` tells of."""
    _body = 0
    _head = b""

    def dataReceived(self, data: bytes) -> None:
        # Nearly every read is one whole record. Then OpenSSL need not be asked whether there is more, nor whether it has an answer.
        if self._even and data[0] == DATA and len(data) > HEADER and len(data) == HEADER + (data[3] << 8 | data[4]) and self._handshakeDone:
            if self._lostTLSConnection:
                return
            self._tlsConnection.bio_write(data)
            try:
                text = self._tlsConnection.recv(len(data))
            except SSL.Error:
                self._flushReceiveBIO()  # Twisted asks again, and knows what it means
            else:
                if not self._aborted:
                    self.wrappedProtocol.dataReceived(text)
            return
        self._spoken = True
        self._follow(data)
        super().dataReceived(data)

    def _checkHandshakeStatus(self) -> None:
        # It is for the charger to begin. Until it does, OpenSSL need not have its buffers: 30 KiB.
        if self._spoken:
            super()._checkHandshakeStatus()

    def _follow(self, data: bytes) -> None:
        """Find where in a record the data ends."""
        data, at = self._head + data, self._body
        while at + HEADER <= len(data):
            at += HEADER + int.from_bytes(data[at + 3 : at + HEADER])
        self._body, self._head = max(0, at - len(data)), data[at:]
        self._even = at == len(data)

    def write(self, data: bytes) -> None:
        if not self.disconnecting:
            self._write(data)

    def loseConnection(self) -> None:
        """As TCP's: what was written leaves, then the connection ends. Twisted's waits for its producer, and for the peer's goodbye."""
        if self.disconnecting or not self.connected:
            return
        if not self._handshakeDone:
            self.abortConnection()
            return
        self.disconnecting = True
        self._shutdownTLS()
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        if self._tlsConnection is not None:  # else it has ended
            super().abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        why = self._reason
        if why is not None and why.check(SSL.Error):
            if not self._handshakeDone:
                self.factory.failed(self.transport.getPeer(), why.value)
            self._reason = Failure(CONNECTION_LOST)  # Autobahn would tell of TLS once more, and not whose
        super().connectionLost(reason)


class TlsFactory(TLSMemoryBIOFactory):
    """Serves over TLS what ``door`` serves."""

    protocol = ChargerTls

    def __init__(self, certificate: Certificate, door: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(certificate, False, door, clock)
        self._since, self._count = -WHILE, 0

    def failed(self, peer: Any, error: SSL.Error) -> None:
        """A handshake failed. Whoever wonders why a charger stays away finds it in the log; a flood does not fill it."""
        now = self._clock.seconds()
        if now - self._since >= WHILE:
            if self._count > TOLD:
                log.warn("{count} more TLS handshakes failed before", count=self._count - TOLD)
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= TOLD:
            said = reason(error)
            why = f"{said} ({HINTS[said]})" if said in HINTS else said
            log.warn("the TLS handshake of {peer} failed: {why}", peer=getattr(peer, "host", str(peer)), why=why)
