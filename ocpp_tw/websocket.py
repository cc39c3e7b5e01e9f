"""The door chargers come in by: Autobahn adapted to `IWire`, with its traps closed.

All knowledge of Autobahn lives here; what a charger says is none of this module's business.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

from autobahn.exception import Disconnected
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from .gate import Knock, Refused
from .handshake import MAX_HEAD, BadHandshake, identity, offers, read
from .interfaces import IWire, Maybe
from .settings import Settings

MAX_FRAGMENTS = 1024
"""How many frames a message may come in: empty ones cost nothing to send."""

PINGS = 10
"""How many pings a second are answered; a charger sends one in seconds."""


class Guest(Protocol):
    """Whoever is behind the door: told of frames, in order."""

    def frame(self, text: bytes) -> None: ...


class Door(Protocol):
    """Who decides on chargers, and is told when they have come and gone."""

    def knock(self, knock: Knock, wire: IWire) -> Maybe[tuple[Guest, str | None]]:
        """The guest, and the subprotocol as the charger spelled it; raises `Refused`."""

    def refused(self, knock: Knock, status: int, reason: str) -> None: ...

    def arrived(self, guest: Guest) -> None: ...

    def departed(self, guest: Guest, code: int, reason: str) -> None: ...


@implementer(IWire)
class ChargerProtocol(WebSocketServerProtocol):  # type: ignore[misc,unused-ignore]
    """One connection."""

    _log = Logger()  # Autobahn owns .log
    factory: ChargerFactory
    # kept on the class until they are needed, since most of the time they are not
    _guest: Guest | None = None
    _knock: Knock | None = None
    _admission: Deferred[str | None] | None = None
    _refusal: tuple[tuple[str, str], ...] = ()
    _gone = False
    _heard = 0
    _asked = False
    _patience = 0
    _pings = 0
    _fragments = 0
    _alive: Callable[[], None] | None = None

    # IWire

    def send(self, text: bytes) -> None:
        try:
            self.sendMessage(text)
        except Disconnected:
            self._log.debug("dropped a frame for a charger that has left")

    def close(self, code: int, reason: str) -> None:
        # sendClose() admits 1000 and 3000-4999 only; a server needs 1001, 1002, 1008 and 1012 too
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, reason.encode()[:123], isReply=False)
        elif self.state == self.STATE_CONNECTING:
            self.dropConnection(abort=True)

    def ping(self, answered: Callable[[], None]) -> None:
        self._alive = answered
        self.sendPing()

    def hold(self, held: bool) -> None:
        if not self._gone:
            (self.transport.pauseProducing if held else self.transport.resumeProducing)()

    # called by the transport when the charger does not read what we send: then we do not read what it sends

    def pauseProducing(self) -> None:
        self.hold(True)

    def resumeProducing(self) -> None:
        self.hold(False)

    def stopProducing(self) -> None:
        pass

    # called by Twisted and Autobahn

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and len(self.data) + len(data) > MAX_HEAD + 65536:
            self.dropConnection(abort=True)
            return
        self._heard = self.factory.tick
        self._asked = False
        if self._alive is not None and self.state == self.STATE_OPEN:
            alive, self._alive = self._alive, None
            alive()
        self._dataReceived(data)

    def processHandshake(self) -> None:
        """Autobahn sees a tidied head; what the charger really asked for is kept in `_knock`."""
        if self._knock is not None:
            return  # bytes behind the head, while the gate thinks: Autobahn keeps them
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or end > MAX_HEAD:
            if len(self.data) > MAX_HEAD:
                self.failHandshake("the request's head is too long", 431)
            return
        address = self.transport.getPeer()
        peer = getattr(address, "host", str(address))
        try:
            head = read(self.data[: end + 4])
            self._knock = Knock("", head.headers.get("host", ""), peer, tuple(offers(head.headers)), head.headers, head.repairs)
            id = identity(head.target, self.factory.settings.max_identity)
            self._knock = Knock(id, self._knock.domain, peer, self._knock.offered, head.headers, head.repairs)
        except BadHandshake as bad:
            self.failHandshake(bad.reason, bad.status)
            return
        self.data = head.text + self.data[end + 4 :]
        super().processHandshake()

    def onConnect(self, request: ConnectionRequest) -> str | Deferred[str | None] | None:  # type: ignore[override]
        assert self._knock is not None
        try:
            answer = self.factory.door.knock(self._knock, self)
            if isinstance(answer, tuple):
                return self._welcome(answer)
        except Refused as no:
            self._deny(no)
        except Exception:
            self._deny_for_our_failure()
        self._admission = Deferred.fromCoroutine(self._await_admission(answer))  # type: ignore[arg-type]
        return self._admission

    async def _await_admission(self, answer: Deferred[tuple[Guest, str | None]]) -> str | None:
        try:
            return self._welcome(await answer)
        except Refused as no:
            self._deny(no)
        except CancelledError:
            raise ConnectionDeny(503, "gone") from None
        except Exception:
            self._deny_for_our_failure()
        return None

    def _welcome(self, answer: tuple[Guest, str | None]) -> str | None:
        self._guest, subprotocol = answer
        return subprotocol

    def _deny(self, no: Refused) -> None:
        self._refusal = no.headers
        raise ConnectionDeny(no.status, no.reason) from no

    def _deny_for_our_failure(self) -> None:
        self._log.failure("could not decide on {charger}", charger=self._knock and self._knock.id)
        # never the exception's text: Autobahn would put it into the status line
        self._refusal = (("Retry-After", "10"),)
        raise ConnectionDeny(503, "try again") from None

    def succeedHandshake(self, res: str | None) -> None:
        if not self._gone:  # the charger may have left while the gate thought about it
            super().succeedHandshake(res)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: object = None) -> None:
        if self._gone:
            return
        if self._knock is not None:
            self.factory.door.refused(self._knock, code, reason)
        extra = [("Content-Length", "0"), ("Connection", "close"), *(responseHeaders or ()), *self._refusal]  # type: ignore[misc]
        super().failHandshake(reason if reason.isascii() and reason.isprintable() else "Bad Request", code, extra)

    def onOpen(self) -> None:
        assert self._knock is not None
        self._knock = None
        self._patience = round(self.factory.settings.ping_interval * random.uniform(0.8, 1.2))  # noqa: S311  # spreads the load, hides nothing
        self.factory.connected[self] = None
        if self._guest is None:
            return
        if self.websocket_protocol_in_use is None and not self.factory.settings.default_subprotocol:
            self.close(1002, "no common subprotocol")  # OCPP-J 1.6 §3.1.2: complete the handshake, then close at once
            return
        self._contained(lambda guest: self.factory.door.arrived(guest))

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS and not self.failedByMe:
            self.failedByMe = True
            self.close(1008, "too many fragments")
        super().onMessageFrameBegin(length)

    def onMessageEnd(self) -> None:
        self._fragments = 0
        super().onMessageEnd()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary:
            self.close(1003, "text frames only")  # OCPP-J is JSON in text frames (R2)
        elif self._guest is not None:
            try:
                self._guest.frame(payload)
            except Exception:
                self._log.failure("while taking a frame from {guest}", guest=self._guest)

    def onPing(self, payload: bytes) -> None:
        self._pings += 1
        if self._pings <= PINGS:
            super().onPing(payload)
        elif self._pings == 100 * PINGS:
            self.close(1008, "too many pings")

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._gone = True
        self.factory.connected.pop(self, None)
        if self._admission is not None:
            self._admission.cancel()
        if self._guest is not None:
            self._contained(lambda guest: self.factory.door.departed(guest, code or 1005, reason or ""))

    def _contained(self, tell: Callable[[Guest], None]) -> None:
        """An error of ours must not cost the charger its connection."""
        if self._guest is not None:
            try:
                tell(self._guest)
            except Exception:
                self._log.failure("while telling of {guest}", guest=self._guest)

    # called by the factory once a second

    def look(self, tick: int, timeout: int) -> None:
        """Ping a charger that is silent; drop it when it stays so. Any frame of its own is a sign of life."""
        self._pings = 0
        silent = tick - self._heard
        if self._asked and silent >= self._patience + timeout:
            self.wasNotCleanReason = f"no sign of life for {silent} s"
            self.dropConnection(abort=True)
        elif silent >= self._patience and not self._asked:
            self._asked = True
            self.sendPing()


class ChargerFactory(WebSocketServerFactory):  # type: ignore[misc,unused-ignore]
    """The door itself. `start` must be called for silent chargers to be noticed."""

    protocol = ChargerProtocol  # type: ignore[assignment]
    noisy = False

    def __init__(self, door: Door, settings: Settings, reactor: IReactorTime) -> None:
        super().__init__(server="ocpp_tw", reactor=reactor)
        self.door = door
        self.settings = settings
        self.tick = 0
        self.connected: dict[ChargerProtocol, None] = {}
        # one wheel for all: a timer for each connection would be set again with every frame
        self._wheel = LoopingCall(self._turn)
        self._wheel.clock = reactor
        self.setProtocolOptions(
            webStatus=False,
            failByDrop=False,
            allowNullOrigin=True,
            openHandshakeTimeout=settings.handshake_timeout,
            closeHandshakeTimeout=1,
            autoPingInterval=0,
            maxFramePayloadSize=settings.max_message,
            maxMessagePayloadSize=settings.max_message,
            perMessageCompressionAccept=self._compression,
        )

    def start(self) -> None:
        """Begin to look after silent chargers."""
        self._wheel.start(1, now=False)

    def stop(self) -> None:
        """Stop looking after them."""
        if self._wheel.running:
            self._wheel.stop()

    def _turn(self) -> None:
        self.tick += 1
        timeout = round(self.settings.ping_timeout)
        for protocol in list(self.connected):
            protocol.look(self.tick, timeout)

    def _compression(self, offers: list[object]) -> PerMessageDeflateOfferAccept | None:
        """RFC 7692, without a context kept between messages: that would cost more memory than all else of a charger."""
        for offer in offers:
            if isinstance(offer, PerMessageDeflateOffer) and offer.accept_no_context_takeover:
                return PerMessageDeflateOfferAccept(
                    offer, request_no_context_takeover=True, no_context_takeover=True, max_message_size=self.settings.max_message
                )
        return None
