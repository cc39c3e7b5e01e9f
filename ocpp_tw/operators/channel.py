"""Operators' HTTP on the wire: how long a request may take to come, how much of it is read and when, and how many connections there are.

Knows no route. Twisted reads a body of any length for as long as it comes, before anyone may say that it is not wanted.
"""

from __future__ import annotations

from resource import RLIMIT_NOFILE, getrlimit
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, IReactorTime, ITCPTransport
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource
from twisted.web.server import Site

from ..core.security import Operator
from ..log import Logger
from ..networks import network
from ..tally import Tally
from ..turns import Turns
from .connections import Connections
from .guard import TOO_LONG, Admission, Head, Refusal
from .request import BodyTooLong, OperatorsRequest
from .roles import HEALTH
from .streams import Streams

log = Logger()

SHARE = 0.002
"""Seconds of a turn of the reactor in which all connections are served: chargers are served in the same thread. Until a charger's message is
answered there are some four turns."""

REQUEST_TIMEOUT = 30.0
"""Seconds that a connection may ask nothing, that a request has from its first byte to its last, and that the last answer of a connection has
to be taken. Then it is closed."""

MAX_UNREAD, UNREAD_TIMEOUT = 1 << 20, 2.0
"""Bytes and seconds for which a body that is not wanted is discarded: a connection closed at once would take the answer with it."""

MAX_TOO_LONG = 8 << 20
"""The same bytes of a body that was announced, and is only too long: whoever sends it has the token, and should see the answer."""

PIECE = 8192
"""Bytes of a connection that are read at once, that wait until they are looked at, and that may be unsent before nothing more of it is served."""

TOO_BUSY = Refusal(503, "Too many requests wait for their answers: try again later", ((b"retry-after", b"5"),))


class OperatorsChannel(HTTPChannel):
    """One connection. Whatever comes waits for its turn, in which one request is served.

    Twisted serves all requests that have come in one read, however many: 3,500 of them, in 119 kB, stopped all chargers for 0.7 seconds.
    """

    site: OperatorsSite
    transport: Any
    address = host = ""
    """What counts as one address, and the very address."""
    _held = b""
    """What has come and has not been looked at."""
    _queued = False
    """Whether it waits for its turn."""
    _unread: int | None = None
    """Bytes that were discarded of a body that is not wanted; None as long as there is none."""
    _most_unread = MAX_UNREAD
    _begun = _closing = False

    @property
    def busy(self) -> bool:
        """Whether a request is being served."""
        return bool(self._handlingRequest) and not self._closing

    def connectionMade(self) -> None:
        socket = self.transport
        while isinstance(socket, ProtocolWrapper):  # TLS
            socket = socket.transport
        socket.bufferSize = PIECE  # Twisted's for what is read at once, and for what is unsent when it pauses its producer: 64 KiB
        super().connectionMade()
        self.site.connections.add(self, self.address)
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)  # an answer may take a day, and a client that is gone is not asked for it

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._closing = True
        self.site.connections.remove(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self._unread is not None:
            self._discard(data)
        elif not self._closing:
            self.resetTimeout()
            self._held += data
            self._proceed()

    def go_on(self) -> None:
        self._queued = False
        if self._closing or self._handlingRequest or self._waitingForTransport:
            return
        held, self._held = self._held, b""
        self.paused = False  # `allContentReceived` sets it, which ends Twisted's loop over what has come
        super().dataReceived(held)
        self._proceed()

    def _proceed(self) -> None:
        """Wait for a turn if there is something to serve, and for the rest of what comes while there is enough."""
        if self._closing:
            return
        if self._held and not (self._queued or self._handlingRequest or self._waitingForTransport):
            self._queued = True
            self.site.turns.add(self)
        if len(self._held) >= PIECE:
            self._networkProducer.pauseProducing()
        elif not self._waitingForTransport:
            self._networkProducer.resumeProducing()

    def resumeProducing(self) -> None:
        """Called by the transport when what was written has been sent."""
        super().resumeProducing()
        self._proceed()

    def allContentReceived(self) -> None:
        self.paused = True
        request: OperatorsRequest = self.requests[-1]
        if request.refusal is None and request.head is not None:
            request.refusal = self.site.admit_body(request.head, request.body)
        super().allContentReceived()

    def resetTimeout(self) -> None:
        """Called at each piece that comes. The time begins anew with the first byte of a request only: a byte now and then is no request."""
        if not self._begun:
            self._begun = True
            super().resetTimeout()

    def requestDone(self, request: OperatorsRequest) -> None:
        self._begun = False
        self._held = b"".join([*self._dataBuffer, self.clearLineBuffer(), self._held])  # what Twisted would serve now waits for its turn
        self._dataBuffer = []
        if self.persistent:
            self.site.connections.add(self, self.address)  # as the last to have waited
        super().requestDone(request)
        self._proceed()

    def timeoutConnection(self) -> None:
        if self._closing:
            self.give_up()
        else:
            self.loseConnection()

    def give_up(self) -> None:
        """End it at once."""
        self._closing = True
        self.transport.abortConnection()

    def loseConnection(self) -> None:
        self._closing = True
        if self._unread is None:
            self.setTimeout(REQUEST_TIMEOUT)
            super().loseConnection()
        else:
            self.setTimeout(UNREAD_TIMEOUT)
            self.transport.loseWriteConnection()

    def headerReceived(self, line: bytes) -> bool:
        try:
            valid: bool = super().headerReceived(line)
            return valid
        except ValueError:  # a Content-Length of more digits than Python makes a number of: it is refused like one that is none
            self._respondToBadRequestAndDisconnect()
            return False

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def allHeadersReceived(self) -> None:
        request: OperatorsRequest = self.requests[-1]
        head = Head(self._command, self._path, request.requestHeaders, self.length, self.address, self.host)
        admitted = self.site.admit(head)
        if isinstance(admitted, Refusal):
            self._refuse(request, admitted)
        else:
            request.operator, request.head = admitted, head
        super().allHeadersReceived()

    def _refuse(self, request: OperatorsRequest, refusal: Refusal) -> None:
        request.refusal = refusal
        if self.length != 0:
            if refusal is TOO_LONG:
                self._most_unread = MAX_TOO_LONG
            self.length, self._unread = 0, 0
        if self._unread is not None or refusal.status == 429:
            request.requestHeaders.setRawHeaders(b"connection", [b"close"])
            request.requestHeaders.removeHeader(b"expect")

    def _discard(self, data: bytes) -> None:
        """Of a body that is not wanted."""
        assert self._unread is not None
        self._unread += len(data)
        if self._unread > self._most_unread:
            self.give_up()

    def rawDataReceived(self, data: bytes) -> None:
        try:
            super().rawDataReceived(data)
        except BodyTooLong:
            request = self.requests[-1]
            request.refusal, self._unread = TOO_LONG, 0
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            self.persistent = False
            self.allContentReceived()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        headers.removeHeader(b"server")  # nobody needs to know which version of what has which faults
        super().writeHeaders(version, code, reason, headers)


class OperatorsSite(Site):
    """``guard`` says who may ask; ``limit`` is the most connections there may be, 0 for a worker, to which only the front of all workers
    connects. ``clock`` is the reactor, unless a test says otherwise.
    """

    noisy = False
    displayTracebacks = False
    protocol = OperatorsChannel  # type: ignore[assignment]

    def __init__(self, resource: IResource, guard: Admission, limit: int = 0, clock: IReactorTime | None = None) -> None:
        super().__init__(resource, requestFactory=OperatorsRequest, parsePOSTFormSubmission=False, timeout=REQUEST_TIMEOUT, reactor=clock)
        self._guard = guard
        self.turns = Turns[OperatorsChannel](self.reactor, SHARE)
        self._turned_away = Tally(self.reactor, _tell_turned_away)
        self.streams, self.downloads = Streams("streams", limit), Streams("downloads", limit)
        self.connections = Connections(limit, getrlimit(RLIMIT_NOFILE)[0], self._turned_away.note)

    def log(self, request: Any) -> None:
        """Nothing: a URL may contain a tag, and what matters is logged where it happens."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        host = "" if addr is None or isinstance(addr, UNIXAddress) else addr.host  # type: ignore[attr-defined]
        address = network(host)
        if not self.connections.make_room(address):
            return None
        channel: Any = super().buildProtocol(addr)
        channel.address, channel.host = address, host
        return channel

    def admit(self, head: Head) -> Operator | Refusal:
        """Who asks, or why the request is not served."""
        admitted = self._guard.admit(head)
        if not isinstance(admitted, Refusal) and head.path not in HEALTH and self.connections.too_busy(head.address):
            return TOO_BUSY
        return admitted

    def admit_body(self, head: Head, body: bytes) -> Refusal | None:
        """Why a request that was admitted is not served all the same, now that its body has come."""
        return self._guard.admit_body(head, body)

    def admits_still(self, head: Head) -> bool:
        """Whether a request that was admitted, and whose answer goes on, would be admitted now."""
        return self._guard.admits_still(head)

    def stopFactory(self) -> None:
        self.turns.stop()
        self._guard.stop()
        self._turned_away.stop()
        super().stopFactory()


def _tell_turned_away(count: int, address: str) -> None:
    log.warn(
        "operators' HTTP: {count} connections more than there may be were closed, the last from {address}", count=count, address=address
    )
