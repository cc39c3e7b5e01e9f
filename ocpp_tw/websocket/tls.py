"""A port that speaks TLS: decrypts what is received, encrypts what is sent, and logs failed TLS handshakes.

Knows Twisted's TLS from inside, and neither certificates nor messages.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.internet.main import CONNECTION_LOST
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from ..log import Logger
from .certificate import Certificate, openssl_reason
from .tls_handshakes import TlsHandshakes

log = Logger()

MAX_LOGGED, LOG_INTERVAL = 10, 60.0
"""Most failed handshakes that are logged in an interval of so many seconds; of the others only the number is."""

HEADER_SIZE, HANDSHAKE, APPLICATION_DATA = 5, 22, 23
"""A record's header in bytes, and the types of those that a connection begins with and of those that carry data (RFC 8446 §5.1)."""

HINTS = {"http request": "it speaks ws:// or http:// to a port of wss://"}


class TlsConnection(TLSMemoryBIOProtocol):
    """One connection: a transport to the protocol that it serves, a protocol to the TCP connection."""

    factory: TlsFactory
    transport: Any
    _tlsConnection: Any
    """OpenSSL's part; None before its handshake begins, and once the connection has ended."""
    _heard = False
    """Whether the charger has sent anything that was given to OpenSSL."""
    _early = b""
    """What it has sent, while its handshake waits for its turn."""
    _in_handshake = True
    _at_boundary = True
    """Whether the last read ended where a record ends; else the next read begins within a record, described by ``_body`` or ``_head``."""
    _body = 0
    """Bytes of the current record still to come."""
    _head = b""
    """The part of the current record's header that has come."""

    def dataReceived(self, data: bytes) -> None:
        # Nearly every read is one whole record. Then OpenSSL need not be asked whether there is more, nor whether it has to answer.
        if (
            self._at_boundary
            and data[0] == APPLICATION_DATA
            and len(data) > HEADER_SIZE
            and len(data) == HEADER_SIZE + (data[3] << 8 | data[4])
            and self._handshakeDone
        ):
            if self._lostTLSConnection:
                return
            self._tlsConnection.bio_write(data)
            try:
                text = self._tlsConnection.recv(len(data))
            except SSL.Error:
                self._flushReceiveBIO()  # Twisted asks again, and interprets the error
            else:
                if not self._aborted:
                    self.wrappedProtocol.dataReceived(text)
            return
        if not self._heard and not (data := self.first_bytes(data)):
            return
        if self._heard or self.factory.handshakes.begin(self.host, self):
            self._receive(data)
        else:
            self._early += data
            self.transport.pauseProducing()

    def begin_handshake(self) -> None:
        """See `tls_handshakes.Connection`."""
        data, self._early = self._early, b""
        if self.connected and not self._aborted:  # it may have ended since it was its turn
            self.transport.resumeProducing()
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        if not self._heard:
            self._heard = True
            self._tlsConnection = self.factory.begun(self)
        self._track_records(data)
        super().dataReceived(data)
        if self._in_handshake and self._handshakeDone:
            self._in_handshake = False
            self.factory.handshakes.end(self.host, self)

    def first_bytes(self, data: bytes) -> bytes:
        """What of it belongs to TLS, of that which comes before anything does."""
        return data

    @property
    def host(self) -> str:
        """The address at the other end."""
        peer = self.transport.getPeer()
        return str(getattr(peer, "host", peer))

    def in_transit(self) -> bool:
        """See `ChargerConnection`; what waits here is not read yet either."""
        in_transit = getattr(self.transport, "in_transit", None)
        return bool(self._early) or (in_transit is not None and in_transit())

    def _checkHandshakeStatus(self) -> None:
        # The charger begins. Until it does, and its turn has come, OpenSSL need not know of it, nor allocate its buffers: 17 and 37 KiB.
        if self._heard:
            super()._checkHandshakeStatus()

    def _track_records(self, data: bytes) -> None:
        """Find where in a record the data ends."""
        data, at = self._head + data, self._body
        while at + HEADER_SIZE <= len(data):
            at += HEADER_SIZE + int.from_bytes(data[at + 3 : at + HEADER_SIZE])
        self._body, self._head = max(0, at - len(data)), data[at:]
        self._at_boundary = at == len(data)

    def write(self, data: bytes) -> None:
        if not self.disconnecting:
            self._write(data)

    def loseConnection(self) -> None:
        """As TCP's: what was written leaves, then the connection ends. Twisted's waits for its producer, and for the peer's close_notify."""
        if self.disconnecting or not self.connected:
            return
        if not self._handshakeDone:
            self.abortConnection()
            return
        self.disconnecting = True
        self._shutdownTLS()
        self.transport.loseConnection()

    def abortConnection(self) -> None:
        if self._tlsConnection is not None:
            super().abortConnection()
        elif self.connected:  # else the connection has ended
            self._aborted = self.disconnecting = True
            self.transport.abortConnection()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        if reason is not None and reason.value is not None:
            # Its traceback has the frame that refers to it, and with that this connection and OpenSSL's buffers: until the garbage
            # collector finds the cycle, which it looks for once in millions of new objects.
            reason.tb = reason.value.__traceback__ = None
        super()._tlsShutdownFinished(reason)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._in_handshake:
            self.factory.handshakes.end(self.host, self)
        if self._tlsConnection is None:  # nothing to flush
            self._lostTLSConnection = True
        why = self._reason
        if why is not None and why.check(SSL.Error):
            if not self._handshakeDone:
                self.factory.handshake_failed(self.host, why.value)
            self._reason = Failure(CONNECTION_LOST)  # Autobahn would log the TLS error once more, without the peer
        super().connectionLost(reason)


def _not_begun(protocol: object) -> Any:
    """What Twisted makes for a new connection."""
    return None


class TlsFactory(TLSMemoryBIOFactory):
    """Serves over TLS what ``inner`` serves."""

    protocol = TlsConnection

    def __init__(self, certificate: Certificate, inner: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(certificate, False, inner, clock)
        self.begun: Callable[[Any], Any] = self._creatorCallable
        self._creatorCallable = _not_begun
        self.handshakes = TlsHandshakes(clock)
        self._since, self._count = -LOG_INTERVAL, 0

    def buildProtocol(self, addr: Any) -> Any:
        """See `ChargerFactory`: None if there are too many connections."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else self.protocol(self, inner)

    def handshake_failed(self, peer: str, error: SSL.Error) -> None:
        """Log why, since a charger cannot show why it stays away; a flood of failures does not fill the log."""
        now = self._clock.seconds()
        if now - self._since >= LOG_INTERVAL:
            if self._count > MAX_LOGGED:
                log.warn("TLS handshake failures not logged: {count}", count=self._count - MAX_LOGGED)
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= MAX_LOGGED:
            why = openssl_reason(error)
            why = f"{why} ({HINTS[why]})" if why in HINTS else why
            log.warn("TLS handshake failed with {peer}: {why}", peer=peer, why=why)
