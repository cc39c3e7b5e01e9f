"""The opening handshake: what Autobahn makes of it, who is asked about it, and every way it can end.

Knows nothing of what comes after it; `ocpp_tw.websocket.connection` is the rest of a connection.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger

from ..interfaces import HandshakeRefused, HandshakeRequest, IWire, Maybe
from . import compression
from .handshake import MAX_HEAD, BadHandshake, Head, identity, offers, read, switching_protocols, usual_key

HANDSHAKE_ONLY = (
    "factory", "http_headers", "http_request_data", "http_request_host", "http_request_params", "http_request_path", "http_request_uri",
    "http_response_data", "http_status_line", "is_open", "websocket_extensions", "websocket_extensions_in_use", "websocket_origin",
    "websocket_protocols", "_admission", "_request", "_refusal", "_transport_details", "_wskey",
)  # fmt: skip
"""What of a connection is of no use to anybody once the handshake is over, or its class has as well."""

NONE_BY_DEFAULT = (
    "_perMessageCompress", "autoPingPending", "autoPingPendingCall", "autoPingPendingSent", "autoPingTimeoutCall",
    "closeHandshakeTimeoutCall", "current_frame", "localCloseCode", "localCloseReason", "openHandshakeTimeoutCall", "remoteCloseCode",
    "remoteCloseReason", "trackedTimings", "utf8validator", "wasNotCleanReason",
)  # fmt: skip
FALSE_BY_DEFAULT = (
    "_consuming", "closedByMe", "droppedByMe", "failedByMe", "inside_message", "triggered", "utf8validateIncomingCurrentMessage",
    "wasClean", "wasCloseHandshakeTimeout", "wasMaxFramePayloadSizeExceeded", "wasMaxMessagePayloadSizeExceeded",
    "wasOpenHandshakeTimeout", "wasServerConnectionDropTimeout", "wasServingFlashSocketPolicyFile",
)  # fmt: skip
CLASS_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(NONE_BY_DEFAULT),
    **dict.fromkeys(FALSE_BY_DEFAULT, False),
    "autoPingPendingSeq": 0,
    "data": b"",
    "send_queue": (),
    "send_state": WebSocketServerProtocol.SEND_STATE_GROUND,
    "state": WebSocketServerProtocol.STATE_CONNECTING,
    "websocket_version": 13,
}
"""How every connection begins. Autobahn sets it on each, and few ever change it: the class says it for all, which saves time, and a third
of an idle one's memory."""


class NullDeferred:
    """Who waits for a connection to open, or to close: Autobahn tells, and a Deferred that has the connection would keep it for ever."""

    def callback(self, result: object) -> None:
        pass


class MessageSink(Protocol):
    """Whoever is behind the door: told of frames, in order; of none after `IWire.close`."""

    def frame(self, text: bytes) -> None: ...


G = TypeVar("G", bound=MessageSink)


class Admissions(Protocol[G]):
    """Who decides on chargers, and is told when they have come and gone."""

    def admit(self, request: HandshakeRequest, wire: IWire) -> Maybe[tuple[G, str | None]]:
        """The guest, and the subprotocol as the charger spelled it; raises `Refused`."""

    def handshake_refused(self, request: HandshakeRequest, status: int, reason: str) -> None:
        """A charger was turned away. The reason may quote it, in printable ASCII."""

    def arrived(self, sink: G) -> None:
        """Its handshake is complete and the subprotocol agreed."""

    def departed(self, sink: G, code: int, reason: str) -> None:
        """The end of its connection; told once of each guest that `knock` gave, also of one that never arrived."""


class Admission(WebSocketServerProtocol):  # type: ignore[misc,unused-ignore]
    """One connection, until its handshake is over."""

    _log = Logger()  # Autobahn owns .log
    factory: Any
    transport: Any
    tcpNoDelay: bool
    _transport_details: Any = None
    # kept on the class until they are needed, since most of the time they are not
    _sink: MessageSink | None = None
    _request: HandshakeRequest | None = None
    _admission: Deferred[str | None] | None = None
    _refusal: tuple[tuple[str, str], ...] = ()
    _gone = False
    is_open = is_closed = NullDeferred()

    def __init__(self) -> None:
        pass  # Autobahn's makes what nobody here asks for: Deferreds, tables of listeners, details of the transport

    def connectionMade(self) -> None:
        """What Autobahn's does that anybody here asks for; the rest is in `IDLE`."""
        with suppress(AttributeError, OSError):  # Unix sockets, say
            self.transport.setTcpNoDelay(self.tcpNoDelay)
        self.factory.countConnections += 1

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """As Autobahn's, but of the usual ends it has nothing to say, and prepares to say it."""
        if isinstance(reason.value, ConnectionDone | ConnectionLost | ConnectionAborted):
            WebSocketProtocol._connectionLost(self, reason)
            self.factory.countConnections -= 1
        else:
            super().connectionLost(reason)

    def processHandshake(self) -> None:
        """A usual handshake is completed here, any other by Autobahn, which sees a tidied head. `_knock` has what was really asked for."""
        if self._request is not None:
            return  # bytes behind the head, while the gate thinks: they are kept
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(self.data) > MAX_HEAD:
                self.failHandshake("Request Header Fields Too Large", 431)
            return
        try:
            head = read(self.data[: end + 4])
            if "upgrade" in head.headers:  # else it is a scanner or a load balancer's probe; Autobahn turns it away
                self._request = self._read_request(head)
        except BadHandshake as bad:
            self.failHandshake(bad.reason, bad.status)
            return
        key, rest = usual_key(head), self.data[end + 4 :]
        if not key or self._request is None:
            self.data = head.text + rest
            super().processHandshake()
            return
        self.data = rest
        self._wskey, self.websocket_protocols, self.websocket_extensions = key, list(self._request.offered), []
        try:
            answer = self._ask()
        except ConnectionDeny as no:
            self._denied(no)
            return
        if isinstance(answer, Deferred):
            answer.addCallbacks(self.succeedHandshake, lambda why: self._denied(why.value))
        else:
            self.succeedHandshake(answer)

    def _read_request(self, head: Head) -> HandshakeRequest:
        peer = self.transport.getPeer()
        address = peer.host if hasattr(peer, "host") else str(peer)
        shown = (head.headers.get("host", ""), address, tuple(offers(head.headers)), head.headers, head.repairs)
        try:
            return HandshakeRequest(identity(head.target, self.factory.settings.max_identity), *shown)
        except BadHandshake:
            self._request = HandshakeRequest("", *shown)
            raise

    def onConnect(self, request: ConnectionRequest) -> str | Deferred[str | None] | None:  # type: ignore[override]
        self.websocket_extensions = compression.usable(self.websocket_extensions)
        return self._ask()

    def _ask(self) -> str | Deferred[str | None] | None:
        assert self._request is not None
        try:
            answer = self.factory.admissions.admit(self._request, self)
            if isinstance(answer, tuple):
                return self._admitted(answer)
        except Exception as why:
            raise self._denial(why) from None
        self._admission = Deferred.fromCoroutine(self._await_admission(answer))
        return self._admission

    async def _await_admission(self, answer: Awaitable[tuple[MessageSink, str | None]]) -> str | None:
        try:
            return self._admitted(await answer)
        except Exception as why:
            raise self._denial(why) from None

    def _admitted(self, answer: tuple[MessageSink, str | None]) -> str | None:
        guest, subprotocol = answer
        if self._gone:  # while the gate thought about it
            self._call_safely(partial(self.factory.admissions.departed, guest, 1006, "left before it was let in"))
            return None
        self._sink = guest
        if subprotocol is not None and self._request is not None and subprotocol not in self._request.offered:
            raise ValueError(f"{subprotocol!r} was not offered")  # Autobahn would leave the charger without an answer
        return subprotocol

    def _denial(self, why: Exception) -> ConnectionDeny:
        if isinstance(why, HandshakeRefused):
            self._refusal = why.headers
            return ConnectionDeny(why.status, why.reason)
        if self.state == self.STATE_CONNECTING:  # else the gate was told to stop thinking
            self._log.failure("could not decide on {charger}", charger=self._request and self._request.id)
        # never the exception's text: Autobahn would put it into the status line
        self._refusal = (("Retry-After", "10"),)
        return ConnectionDeny(503, "Service Unavailable")

    def _denied(self, why: Any) -> None:
        self.failHandshake(why.reason, why.code)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Iterable[tuple[str, str]] | None = None) -> None:
        if self.state != self.STATE_CONNECTING:
            return  # the charger has left while the gate thought about it, or we have had enough
        # Autobahn's reasons quote the charger, and an operator's gate may do so too
        reason = "".join(each for each in reason[:120] if " " <= each <= "~") or "Bad Request"
        if self._request is not None:
            self._call_safely(partial(self.factory.admissions.handshake_refused, self._request, code, reason))
        extra = [("Content-Length", "0"), ("Connection", "close"), *(responseHeaders or ()), *self._refusal]
        if code == 426:
            extra.append(("Upgrade", "websocket"))
        super().failHandshake(reason, code, [each for each in extra if "".join(each).isprintable()])

    def succeedHandshake(self, res: str | None) -> None:
        if self.state != self.STATE_CONNECTING:
            return
        if self.websocket_extensions:
            super().succeedHandshake(res)
        else:
            self._open(res)
        self.__dict__ = {
            each: value
            for each, value in self.__dict__.items()
            if each not in HANDSHAKE_ONLY and CLASS_DEFAULTS.get(each, self) is not value
        }

    def _open(self, subprotocol: str | None) -> None:
        self.websocket_protocol_in_use = subprotocol
        self.transport.write(switching_protocols(self._wskey, subprotocol, self.factory.server))
        self.state = self.STATE_OPEN
        self.onOpen()
        if self.data:
            self.consumeData()

    def _onOpen(self) -> None:
        self.onOpen()  # Autobahn's would first look at the TLS connection for what nobody here asks for

    def _call_safely(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception:  # an error of ours must not cost the charger its connection
            self._log.failure("while telling of {guest}", guest=self._sink)
