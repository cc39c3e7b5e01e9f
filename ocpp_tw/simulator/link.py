"""The line of one charger: Autobahn's client, dialled again with growing pauses whenever it breaks.

The only module here that knows Autobahn. Knows nothing of OCPP but the subprotocol's name.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

from autobahn.exception import Disconnected
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IDelayedCall, IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .charger import REBOOT, Charger

log = Logger()

FIRST_PAUSE = 1.0
"""Real seconds until the second attempt; each further pause is twice as long."""

LONGEST_PAUSE = 60.0

OPENING = 30.0
"""Real seconds for the connection and the opening handshake: many chargers may knock at once."""


class Refused(Exception):
    """The line could not be opened; the text is one line for a person. ``status`` is HTTP's, if it got that far."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


class Wire(WebSocketClientProtocol):
    """One connection."""

    factory: Factory
    opened = False
    refusal: Refused | None = None

    # ocpp_tw.simulator.talk.Wire

    def send(self, text: bytes) -> None:
        try:
            self.sendMessage(text)
        except Disconnected:
            log.debug("a message for a line that is gone")

    def close(self, code: int, reason: str) -> None:
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode()[:123], isReply=False)

    # called by Autobahn

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)  # Autobahn's own formats a debug line of every read first

    def onOpen(self) -> None:
        if self.websocket_protocol_in_use is None:
            self.refusal = Refused(f"it does not speak {self.factory.protocols[0]}")
            self.close(1002, "no common subprotocol")
        else:
            self.opened = True
            self.factory.link._up(self)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        try:
            self.factory.link.charger.received(payload)
        except Exception:  # an error of ours must not cost the connection
            log.failure("{charger} could not read a message", charger=self.factory.link.charger.id)

    def failHandshake(self, reason: str) -> None:
        found = re.search(r"upgrade failed \[(\d+)\]: ?(.*)", reason)
        self.refusal = Refused(f"HTTP {found[1]} {found[2]}".strip(), int(found[1])) if found else Refused(reason)
        self.dropConnection(abort=True)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.opened:
            self.factory.link._down()
        else:
            self.factory.link._refused(self.refusal or Refused(reason or "the connection was closed"))


class Factory(WebSocketClientFactory):
    """Makes the wires of one link."""

    protocol = Wire  # type: ignore[assignment]

    def __init__(self, link: Link, url: str, subprotocol: str, headers: dict[str, str], reactor: Any) -> None:
        super().__init__(url, protocols=[subprotocol], headers=headers, useragent=None, reactor=reactor)
        self.link = link
        self.setProtocolOptions(openHandshakeTimeout=OPENING, closeHandshakeTimeout=2, tcpNoDelay=True)
        self.noisy = False


class Link:
    """Keeps a charger's line up until `stop`.

    ``url`` is the base to which the charger's id is appended; ``pause`` is how many real seconds lie before the second
    attempt. ``refused`` is told why an attempt failed, and says whether to go on.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        charger: Charger,
        *,
        password: str | None = None,
        insecure: bool = False,
        refused: Callable[[Link, Refused], bool] = lambda *_: True,
        pause: float = FIRST_PAUSE,
    ) -> None:
        self.charger = charger
        self.refused = refused
        self.failures = 0  # attempts in a row that came to nothing
        self._reactor = reactor
        self._pause = self._first_pause = pause
        self._random = Random(charger.id)  # noqa: S311 - spreads attempts, no secret
        self._wire: Wire | None = None
        self._opening: Wire | None = None  # connected, but the opening handshake is not over
        self._dialling: Deferred[Any] | None = None
        self._again: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        headers = {}
        if password is not None:
            headers["Authorization"] = "Basic " + b64encode(f"{charger.id}:{password}".encode()).decode()
        self._factory = Factory(self, url.rstrip("/") + "/" + quote(charger.id, safe=""), charger.dialect.subprotocol, headers, reactor)
        self._endpoint = endpoint(reactor, url, insecure)

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called, or somebody gave up."""
        return self._stopped is not None

    def start(self) -> None:
        """Dial."""
        self._again = None
        if not self.stopped:
            self._dialling = self._endpoint.connect(self._factory)
            self._dialling.addCallbacks(self._dialled, self._failed)

    def stop(self) -> Deferred[None]:
        """Hang up and dial no more; fires when the line is closed. The charger is switched off."""
        if self._stopped is None:
            self._stopped = Deferred()
            if self._again is not None:
                self._again.cancel()
                self._again = None
            if self._wire is not None:
                self.charger.voice.hang_up(1000, "bye")
            elif self._opening is not None:
                self._opening.dropConnection(abort=True)
            else:
                if self._dialling is not None:
                    self._dialling.cancel()
                self._ended()
        return self._stopped

    def cut(self) -> None:
        """Break the line as a failing network does: no closing handshake. It is dialled again."""
        if self._wire is not None:
            self._wire.dropConnection(abort=True)

    def _dialled(self, wire: Wire) -> None:
        self._dialling = None
        self._opening = wire

    def _up(self, wire: Wire) -> None:
        self._opening = None
        self._wire = wire
        self._pause = self._first_pause
        self.failures = 0
        self.charger.tally.connections += 1
        self.charger.connected(wire)

    def _down(self) -> None:
        self._wire = None
        self.charger.lost()
        if self._stopped is not None:
            self._ended()
        elif self.charger.rebooting:
            self._again = self.charger.pace.later(REBOOT, self.start)
        else:
            self.charger.tally.lost += 1
            self._redial()

    def _failed(self, failure: Failure) -> None:
        self._dialling = None
        if not self.stopped:
            self._refused(Refused(failure.getErrorMessage()))

    def _refused(self, why: Refused) -> None:
        self._opening = None
        if self._stopped is not None:
            self._ended()
            return
        self.failures += 1
        self.charger.tally.refused += 1
        if self.refused(self, why):
            self._redial()

    def _redial(self) -> None:
        if not self.stopped:
            self._again = self._reactor.callLater(self._pause * self._random.uniform(0.5, 1), self.start)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _ended(self) -> None:
        self.charger.switch_off()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)


def endpoint(reactor: Any, url: str, insecure: bool) -> Any:
    """Where to connect for a ws or wss URL."""
    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "wss"
    plain = HostnameEndpoint(reactor, host, parts.port or (443 if tls else 80), timeout=OPENING)
    if not tls:
        return plain
    creator: IOpenSSLClientConnectionCreator = _Unverified(host) if insecure else optionsForClientTLS(host)
    return wrapClientTLS(creator, plain)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS without a look at the other side's certificate."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._options = CertificateOptions(verify=False)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._options.getContext(), None)
        connection.set_tlsext_host_name(self._host.encode())
        return connection
