"""The WebSocket connection of one charger, opened again with exponential backoff whenever it breaks.

The only module here that knows Autobahn. Knows nothing of OCPP but the subprotocol's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from autobahn.exception import Disconnected
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from .charger import SimulatedCharger
from .client_endpoint import HANDSHAKE_TIMEOUT, client_endpoint, tls_failure
from .restarts import REBOOT_TIME
from .security import Access

log = Logger()

FIRST_BACKOFF = 1.0
"""Real seconds until the second attempt; each further backoff is twice as long, up to `MAX_BACKOFF`."""

MAX_BACKOFF = 60.0
"""Longest real seconds between two attempts."""


class ConnectFailed(Exception):
    """The connection could not be opened; the text is one line for a person. ``status`` is HTTP's, if there was a response;
    ``distrusted`` is whether the certificate of the central system was the reason."""

    def __init__(self, why: str, status: int | None = None, distrusted: bool = False) -> None:
        super().__init__(why)
        self.status = status
        self.distrusted = distrusted


class ClientProtocol(WebSocketClientProtocol):
    """One connection."""

    factory: ClientFactory
    opened = False
    connect_failure: ConnectFailed | None = None

    # ocpp_tw.simulator.rpc.Transport

    def send(self, text: bytes) -> None:
        try:
            self.sendMessage(text)
        except Disconnected:
            log.debug("message not sent: connection of {charger} is closed", charger=self.factory.client.charger.id)

    def close(self, code: int, reason: str) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode()[:123], isReply=False)

    def drop(self) -> None:
        self.dropConnection(abort=True)

    # called by Autobahn

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)  # without Autobahn's own method, which first formats a debug line of every read

    def onOpen(self) -> None:
        if self.websocket_protocol_in_use is None:
            self.connect_failure = ConnectFailed(f"it does not speak {self.factory.protocols[0]}")
            self.close(1002, "no common subprotocol")
        else:
            self.opened = True
            self.factory.client.opened(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        try:
            self.factory.client.charger.received(payload)
        except Exception:  # a bug of the simulator must not close the connection
            log.failure("message failed on {charger}", charger=self.factory.client.charger.id)

    def failHandshake(self, reason: str) -> None:
        found = re.search(r"upgrade failed \[(\d+)\]: ?(.*)", reason)
        self.connect_failure = ConnectFailed(f"HTTP {found[1]} {found[2]}".strip(), int(found[1])) if found else ConnectFailed(reason)
        self.dropConnection(abort=True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        failure = tls_failure(reason)
        if failure is not None:
            self.connect_failure = ConnectFailed(failure[0], distrusted=failure[1])
            reason = Failure(ConnectionLost(failure[0]))  # of TLS's own errors Autobahn writes a line, as if they were the program's
        super().connectionLost(reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.opened:
            self.factory.client.closed()
        else:
            self.factory.client.failed(self.connect_failure or ConnectFailed(reason or "the connection was closed"))


class ClientFactory(WebSocketClientFactory):
    """Makes the connections of one client."""

    protocol = ClientProtocol  # type: ignore[assignment]

    def __init__(self, client: WebSocketClient, access: Access, subprotocol: str, reactor: Any) -> None:
        headers = {} if access.authorization is None else {"Authorization": access.authorization}
        super().__init__(access.url, protocols=[subprotocol], headers=headers, useragent=None, reactor=reactor)
        self.client = client
        self.setProtocolOptions(openHandshakeTimeout=HANDSHAKE_TIMEOUT, closeHandshakeTimeout=2, tcpNoDelay=True)
        self.noisy = False


class WebSocketClient:
    """Keeps a charger connected until `stop`: to what its `Security` says before each attempt.

    ``backoff`` is the real seconds before the second attempt. ``on_failure`` is called when an attempt failed, and returns whether to try
    again.
    """

    def __init__(
        self,
        reactor: Any,
        charger: SimulatedCharger,
        *,
        on_failure: Callable[[WebSocketClient, ConnectFailed], bool] = lambda *_: True,
        backoff: float = FIRST_BACKOFF,
    ) -> None:
        self.charger = charger
        self.on_failure = on_failure
        self.failures = 0  # failed attempts in a row
        self._reactor = reactor
        self._backoff = self._first_backoff = backoff
        self._random = Random(charger.id)  # noqa: S311 - spreads attempts, no secret
        self._connection: ClientProtocol | None = None
        self._opening: ClientProtocol | None = None  # its TCP connection is up, but the handshake is not complete
        self._connecting: Deferred[Any] | None = None
        self._retry: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        self._prepare(charger.security.access())

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped is not None

    def start(self) -> None:
        """Connect."""
        self._retry = None
        if not self.stopped:
            access = self.charger.security.access()
            if access != self._access:
                self._prepare(access)
            self._connecting = self._endpoint.connect(self._factory)
            self._connecting.addCallbacks(self._connected, self._connect_failed)

    def stop(self) -> Deferred[None]:
        """Close the connection for good; fires when it is closed. The charger is shut down."""
        if self._stopped is None:
            self._stopped = Deferred()
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None
            if self._connection is not None:
                self.charger.messaging.close(1000, "bye")
            elif self._opening is not None:
                self._opening.dropConnection(abort=True)
            else:
                if self._connecting is not None:
                    self._connecting.cancel()
                self._ended()
        return self._stopped

    def cut(self) -> None:
        """Drop the connection as a failing network does, without a closing handshake. It is opened again."""
        if self._connection is not None:
            self._connection.dropConnection(abort=True)

    # called by the connection

    def opened(self, connection: ClientProtocol) -> None:
        """The handshake is complete."""
        self._opening = None
        self._connection = connection
        self._backoff = self._first_backoff
        self.failures = 0
        self.charger.tally.connections += 1
        self.charger.connected(connection)

    def closed(self) -> None:
        """A connection that was open is closed."""
        self._connection = None
        self.charger.lost()
        if self._stopped is not None:
            self._ended()
        elif self.charger.restarts.rebooting:
            self._retry = self.charger.clock.call_later(REBOOT_TIME, self.start)
        elif self.charger.restarts.reconnecting:
            self._retry = self._reactor.callLater(0, self.start)
        else:
            self.charger.tally.lost += 1
            self._reconnect_later()

    def failed(self, why: ConnectFailed) -> None:
        """An attempt has failed."""
        self._opening = None
        if self._stopped is not None:
            self._ended()
            return
        self.failures += 1
        self.charger.tally.refused += 1
        self.charger.connect_failed(str(why) if why.distrusted else None)
        if self.on_failure(self, why):
            self._reconnect_later()

    def _prepare(self, access: Access) -> None:
        self._access = access
        self._factory = ClientFactory(self, access, self.charger.dialect.subprotocol, self._reactor)
        self._endpoint = client_endpoint(self._reactor, access)

    def _connected(self, connection: ClientProtocol) -> None:
        self._connecting = None
        self._opening = connection

    def _connect_failed(self, failure: Failure) -> None:
        self._connecting = None
        if not self.stopped:
            self.failed(ConnectFailed(failure.getErrorMessage()))

    def _reconnect_later(self) -> None:
        if not self.stopped:
            self._retry = self._reactor.callLater(self._backoff * self._random.uniform(0.5, 1), self.start)
            self._backoff = min(self._backoff * 2, MAX_BACKOFF)

    def _ended(self) -> None:
        self.charger.shut_down()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)
