"""The part of a connection that knows who is at its other end: counts it under that address, the charger's own behind a trusted proxy.

Knows nothing of what an address may have (`ocpp_tw.websocket.addresses`), nor which proxies are trusted (`ocpp_tw.websocket.proxies`).
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import connectionDone

from ..interfaces import ClientCertificate
from ..log import Logger
from .boundary import ConnectionOwner
from .handshake import BadHandshake
from .proxies import Seen
from .proxy_protocol import BadAnnouncement, read
from .tcp import ChargerConnection


class Origin(WebSocketServerProtocol):  # type: ignore[misc,unused-ignore]
    """One connection, as the network sees it."""

    _log = Logger()  # Autobahn owns .log
    factory: ConnectionOwner
    transport: Any
    tcpNoDelay: bool
    # on the class until they are needed, since most of the time they are not
    _in_handshake = False
    _forwarded_host = ""
    """The charger's address, as a trusted proxy has told it."""
    _announcement: bytes | None = None
    """What has come of a proxy's announcement (the PROXY protocol), as long as one is due."""
    _seen: Seen | None = None
    """What has been announced."""

    def connectionMade(self) -> None:
        """The part of Autobahn's that is needed here; the rest is in `footprint.CLASS_DEFAULTS`."""
        with suppress(AttributeError, OSError):  # Unix sockets, say
            self.transport.setTcpNoDelay(self.tcpNoDelay)
        self.factory.countConnections += 1
        self._in_handshake = True
        self.factory.addresses.opened(self.peer_host)
        if self.factory.proxies.announces(self.peer_host):
            self._announcement = b""

    @property
    def peer_host(self) -> str:
        """The charger's address, as far as it is known: behind a proxy that of the proxy, until that has told it."""
        if self._forwarded_host:
            return self._forwarded_host
        transport = self.transport
        if type(transport) is ChargerConnection:
            host: Any = transport.hostname  # without an address made for each question
            return str(host)
        peer = transport.getPeer()
        return str(getattr(peer, "host", peer))

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """As Autobahn's, without the debug lines that it prepares for the usual ends of a connection."""
        self.factory.addresses.closed(self.peer_host, self._in_handshake)
        if isinstance(reason.value, ConnectionDone | ConnectionLost | ConnectionAborted):
            WebSocketProtocol._connectionLost(self, reason)
            self.factory.countConnections -= 1
        else:
            super().connectionLost(reason)

    def after_announcement(self, data: bytes) -> bytes:
        """What of the first bytes comes after a proxy's announcement: all if none is due, nothing while it is not complete."""
        if self._announcement is None:
            return data
        self._announcement += data
        try:
            found = read(self._announcement)
        except BadAnnouncement as why:
            self.factory.addresses.unannounced.note(f"{self.peer_host}: {why}")
            self.dropConnection(abort=True)
            return b""
        if found is None:
            return b""
        announced, end = found
        rest, self._announcement = self._announcement[end:], None
        self._seen = self.factory.proxies.announced(announced, self.peer_host)
        if self._move(self._seen.host):
            return rest
        self.dropConnection(abort=True)
        return b""

    def _whence(self, headers: Mapping[str, str]) -> tuple[str, bool, ClientCertificate | None]:
        """The charger's address, whether its own connection is encrypted, and the certificate that it has shown.

        Raises:
            BadHandshake: what the headers of a proxy say is unusable.
        """
        seen = self._seen or self.factory.proxies.seen(self.peer_host, headers)
        client_certificate = getattr(self.transport, "client_certificate", None)  # see `ChargerTls`
        if seen is not None and seen.tls is not None:
            return seen.host, seen.tls, seen.certificate  # not the proxy's own, which it may show to us
        if client_certificate is None:
            return self.peer_host, False, None
        return self.peer_host, True, client_certificate()

    def _come_from(self, host: str) -> None:
        """Count the connection under that address from now on.

        Raises:
            BadHandshake: it has too many.
        """
        if not self._move(host):
            raise BadHandshake(503, "too many connections from this address")

    def _move(self, host: str) -> bool:
        if host == self.peer_host:
            return True
        if not self.factory.addresses.moved(self.peer_host, host):
            return False
        self._forwarded_host = host
        return True
