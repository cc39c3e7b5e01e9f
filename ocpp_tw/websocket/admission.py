"""The part of a connection that performs the opening handshake: read the request, ask `Admissions`, accept or refuse.

Knows nothing of frames; `ocpp_tw.websocket.connection` lists the other parts.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..interfaces import HandshakeRefused, HandshakeRequest
from ..waiting import deferred
from . import compression
from .boundary import MessageSink
from .footprint import NullDeferred, after_handshake
from .handshake import MAX_HEAD, BadHandshake, Head, claimed_target, identity, offers, read, switching_protocols, usual_key
from .origin import Origin


class Admission(Origin):
    """One connection, until its handshake is over."""

    _transport_details: Any = None
    # on the class until they are needed, since most of the time they are not
    _sink: MessageSink | None = None
    _request: HandshakeRequest | None = None
    _decision: Deferred[str | None] | None = None
    _refusal: tuple[tuple[str, str], ...] = ()
    _gone = False
    is_open = is_closed = NullDeferred()

    def __init__(self) -> None:
        pass  # Autobahn's creates Deferreds, tables of listeners and transport details, which nothing here uses

    def processHandshake(self) -> None:
        """A usual handshake is completed here, any other by Autobahn, from a tidied head. `_request` has what the charger really sent."""
        if self._request is not None:
            return  # bytes after the head, while the decision is pending: they stay in the buffer
        if self._announcement is not None:
            data, self.data = self.data, b""
            self.data = self.after_announcement(data)
            if not self.data:
                return
        end = self.data.find(b"\r\n\r\n")
        if end < 0 and len(self.data) <= MAX_HEAD:
            return
        try:
            if not 0 <= end <= MAX_HEAD:
                raise BadHandshake(431, "Request Header Fields Too Large")
            head = read(self.data[: end + 4])
            if "upgrade" in head.headers:  # else it is a scanner or a load balancer's probe; Autobahn refuses it
                self._request = self._read_request(head)
        except BadHandshake as bad:
            self._note_unreadable()
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
            decision = self._decide()
        except ConnectionDeny as denial:
            self._deny(denial)
            return
        if isinstance(decision, Deferred):
            decision.addCallbacks(self.succeedHandshake, lambda failure: self._deny(failure.value))
        else:
            self.succeedHandshake(decision)

    def _note_unreadable(self) -> None:
        """What can be said of a charger whose head cannot be read, so that its refusal is told."""
        target = b"" if self._request is not None else claimed_target(self.data[:MAX_HEAD])
        if target:
            with suppress(BadHandshake):  # then `_request` has no identity
                self._request = self._read_request(Head(b"GET", target, b"HTTP/1.1", {}, ()))

    def _read_request(self, head: Head) -> HandshakeRequest:
        host, tls, certificate = self._whence(head.headers)
        details = (head.headers.get("host", ""), host, tuple(offers(head.headers)), head.headers, head.repairs, tls, certificate)
        try:
            made = HandshakeRequest(identity(head.target, self.factory.settings.max_identity, self.factory.settings.path), *details)
        except BadHandshake:
            self._request = HandshakeRequest("", *details)
            raise
        try:
            self._come_from(host)
        except BadHandshake:
            self._request = made
            raise
        return made

    def onConnect(self, request: ConnectionRequest) -> str | Deferred[str | None] | None:  # type: ignore[override]
        self.websocket_extensions = compression.usable(self.websocket_extensions)
        return self._decide()

    def _decide(self) -> str | Deferred[str | None] | None:
        """The subprotocol of an accepted handshake, now or later; raises `ConnectionDeny`."""
        assert self._request is not None
        wire: Any = self  # a `ChargerProtocol` in fact, which provides `IWire`
        try:
            admitted = self.factory.admissions.admit(self._request, wire)
            if isinstance(admitted, tuple):
                return self._admitted(admitted)
        except Exception:
            raise self._denial(Failure()) from None
        self._decision = deferred(admitted).addCallback(self._admitted).addErrback(self._denied)
        return self._decision

    def _denied(self, failure: Failure) -> NoReturn:
        raise self._denial(failure)

    def _admitted(self, admitted: tuple[MessageSink, str | None]) -> str | None:
        sink, subprotocol = admitted
        if self._gone:  # while the decision was pending
            self._call_safely(partial(self.factory.admissions.departed, sink, 1006, "left before it was let in"))
            return None
        self._sink = sink
        if subprotocol is not None and self._request is not None and subprotocol not in self._request.offered:
            raise ValueError(f"{subprotocol!r} was not offered")  # Autobahn would leave the charger without an answer
        return subprotocol

    def _denial(self, failure: Failure) -> ConnectionDeny:
        why = failure.value
        if isinstance(why, HandshakeRefused):
            self._refusal = why.headers
            return ConnectionDeny(why.status, why.reason)
        if self.state == self.STATE_CONNECTING:  # else the decision was cancelled
            self._log.failure("admission failed for {charger}", failure, charger=self._request and self._request.id)
        # never the exception's text: Autobahn would put it into the status line
        self._refusal = (("Retry-After", "10"),)
        return ConnectionDeny(503, "Service Unavailable")

    def _deny(self, denial: Any) -> None:
        self.failHandshake(denial.reason, denial.code)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Iterable[tuple[str, str]] | None = None) -> None:
        if self.state != self.STATE_CONNECTING:
            return  # the charger left while the decision was pending, or its time was over
        # Autobahn's reasons quote the charger, and an operator's gate may do so too
        reason = "".join(char for char in reason[:120] if " " <= char <= "~") or "Bad Request"
        if self._request is not None:
            self._call_safely(partial(self.factory.admissions.handshake_refused, self._request, code, reason))
        extra = [("Content-Length", "0"), ("Connection", "close"), *(responseHeaders or ()), *self._refusal]
        if code == 426:
            extra.append(("Upgrade", "websocket"))
        super().failHandshake(reason, code, [header for header in extra if "".join(header).isprintable()])

    def succeedHandshake(self, res: str | None) -> None:
        if self.state != self.STATE_CONNECTING:
            return
        self._in_handshake = False
        self.factory.addresses.completed(self.peer_host)
        if self.websocket_extensions:
            super().succeedHandshake(res)
        else:
            self._accept(res)
        self.__dict__ = after_handshake(self.__dict__)  # see `ocpp_tw.websocket.connection` for what this costs

    def _accept(self, subprotocol: str | None) -> None:
        self.websocket_protocol_in_use = subprotocol
        self.transport.write(switching_protocols(self._wskey, subprotocol, self.factory.server))
        self.state = self.STATE_OPEN
        self.onOpen()
        if self.data:
            self.consumeData()

    def _onOpen(self) -> None:
        self.onOpen()  # Autobahn's first inspects the TLS connection for details that nothing here uses

    def _call_safely(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:  # an error of ours must not cost the charger its connection
            self._log.failure("callback failed for {charger}", charger=self._sink)
