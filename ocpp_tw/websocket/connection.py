"""The door chargers come in by: Autobahn adapted to `IWire`, with its traps closed.

With `ocpp_tw.websocket.admission` (the opening handshake) it has all knowledge of Autobahn's server; what a charger says is none of its business.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import txaio.tx
from autobahn.twisted.websocket import WebSocketServerFactory
from autobahn.util import encode_truncate
from autobahn.websocket.protocol import TrafficStats
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from ..interfaces import IWire
from ..settings import Settings
from . import compression
from .admission import CLASS_DEFAULTS, Admission, Admissions
from .fast_frames import take, text_frame
from .handshake import MAX_HEAD

EARLY_BYTES = 64 * 1024
"""How many bytes a charger may send ahead, before its handshake is answered."""

MAX_FRAGMENTS = 1024
"""How many frames a message may come in: empty ones cost nothing to send."""

PINGS_ANSWERED = 10
"""How many pings a second are answered (a charger sends one in seconds); at a hundred times as many the connection is closed."""

CLOSE_TIMEOUT = 2
"""Seconds that a charger has to answer our Close frame."""

LINGER_TIMEOUT = 10
"""Seconds that our last words have to leave; then the connection is cut, or a peer that does not read would keep it for ever."""

CHARGER, NETWORK = 1, 2
"""Why a connection is not read from: the charger's messages cannot be served, or it does not take what we send."""


@implementer(IWire, IPushProducer)
class ChargerProtocol(Admission):  # type: ignore[misc,unused-ignore]
    """One connection."""

    log = txaio.tx.make_logger(level="error")  # Autobahn's; it has a warning for every peer that is at fault
    factory: ChargerFactory
    _perMessageCompress: Any
    current_frame: Any
    maxMessagePayloadSize: int
    utf8validator: Any
    send_queue: Any
    # kept on the class until they are needed, since most of the time they are not
    _fast = False  # whether the connection is open and nothing is under way on it: what comes next begins a frame, what is said may leave
    _on_sign_of_life: Callable[[], None] | None = None
    _paused_by = 0
    _consuming = False
    _pinged = False
    _pings = 0
    _fragments = 0
    _last_heard = 0  # these three: in the factory's ticks
    _ping_after = 0
    _deadline = 0

    # IWire

    def send(self, text: bytes) -> None:
        if self._fast and len(text) <= compression.SHORT:
            self.transport.write(text_frame(text))
            return
        # not sendMessage(): it has our limit for the charger's messages hold for ours too
        deflate = self._perMessageCompress
        if self.state != self.STATE_OPEN:
            return  # the charger has left: what was for it is lost, and it says again what it had no answer to
        if deflate is None or len(text) <= compression.SHORT:
            self.transport.write(text_frame(text))
        else:
            deflate.start_compress_message()
            self.sendFrame(opcode=1, payload=deflate.compress_message_data(text) + deflate.end_compress_message(), rsv=4)

    def close(self, code: int, reason: str) -> None:
        # sendClose() admits 1000 and 3000-4999 only; a server needs 1001, 1002, 1008 and 1012 too
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, encode_truncate(reason, 123), isReply=False)
        elif self.state == self.STATE_CONNECTING:
            self.dropConnection(abort=True)

    def ping(self, answered: Callable[[], None]) -> None:
        self._fast = False
        self._on_sign_of_life = answered
        self.sendPing()

    def hold(self, held: bool) -> None:
        self._pause(CHARGER, held)

    # IPushProducer: the transport calls when the charger does not take what we send; then we do not take what it sends

    def pauseProducing(self) -> None:
        self._pause(NETWORK, True)

    def resumeProducing(self) -> None:
        self._pause(NETWORK, False)

    def stopProducing(self) -> None:
        pass

    def _pause(self, why: int, held: bool) -> None:
        self._fast = False
        before = self._paused_by
        self._paused_by = before | why if held else before & ~why
        if self._gone or bool(before) == bool(self._paused_by):
            return
        if self._paused_by:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()
            self.consumeData()

    # called by Twisted and Autobahn, in the order of a connection's life

    def connectionMade(self) -> None:
        super().connectionMade()
        factory = self.factory
        self._deadline = factory.tick + math.ceil(factory.settings.handshake_timeout) + 1
        factory.connected[self] = None
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if self._fast:
            taken = take(data, self.maxMessagePayloadSize)
            if taken is not None and taken[1] == len(data):  # one frame and no more: nearly every read
                self._last_heard = self.factory.tick
                self._deliver(taken[0])
                return
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Whatever else comes, in whatever state the connection is."""
        if self.state == self.STATE_CLOSED or self.failedByMe:
            return  # nothing it says is of use any more (RFC 6455 §7.1.7)
        if self.state == self.STATE_CONNECTING and len(self.data) + len(data) > MAX_HEAD + EARLY_BYTES:
            self.dropConnection(abort=True)
            return
        self._last_heard = self.factory.tick
        if self._pinged:
            self._pinged = False
        if self._on_sign_of_life is not None:
            alive, self._on_sign_of_life = self._on_sign_of_life, None
            self._call_safely(alive)
        self.data = self.data + data if self.data else data
        self.consumeData()

    def consumeData(self) -> None:
        if self._consuming:
            return  # a guest that is told of a frame ended its hold
        self._consuming = True
        try:
            if self.state == self.STATE_CONNECTING:
                self.processHandshake()
            while self.state in (self.STATE_OPEN, self.STATE_CLOSING) and not self._paused_by and not self.failedByMe:
                if not self._take_frame() and not self.processData():
                    break
        finally:
            self._consuming = False
            self._fast = self._can_be_fast()

    def _can_be_fast(self) -> bool:
        half_done = self.data or self.inside_message or self.current_frame is not None
        return (
            not (half_done or self._paused_by or self._pinged or self._on_sign_of_life or self.failedByMe) and self.state == self.STATE_OPEN
        )

    def _take_frame(self) -> bool:
        """Take the next frame the short way, if it is one for it; Autobahn has the others, and those that it has begun."""
        if self.inside_message or self.current_frame is not None or self.state != self.STATE_OPEN:
            return False
        taken = take(self.data, self.maxMessagePayloadSize)
        if taken is None:
            return False
        text, end = taken
        self.data = self.data[end:]
        self._deliver(text)
        return True

    def _deliver(self, text: bytes) -> None:
        """A whole message has come."""
        if self._sink is None:
            return
        try:
            text.isascii() or text.decode()
        except UnicodeDecodeError:
            self._fail_connection(1007, "not UTF-8")
            return
        try:
            self._sink.frame(text)
        except Exception:  # an error of ours must not cost the charger its connection
            self._log.failure("while taking a frame from {guest}", guest=self._sink)

    def onOpen(self) -> None:
        knock, settings = self._request, self.factory.settings
        assert knock is not None
        if self._perMessageCompress is not None:
            self._perMessageCompress = compression.Deflate(self._perMessageCompress)
        self._ping_after = max(1, round(settings.ping_interval * random.uniform(0.8, 1.2)))  # noqa: S311  # spreads the load, hides nothing
        if self.websocket_protocol_in_use is None and (knock.offered or not settings.default_subprotocol):
            self.close(1002, "no common subprotocol")  # OCPP-J 1.6 §3.1.2: complete the handshake, then close at once
        elif self._sink is not None:
            self._call_safely(partial(self.factory.admissions.arrived, self._sink))

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        if isBinary:
            self._fail_connection(1003, "text frames only")  # OCPP-J is JSON in text frames (R2)

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            self._fail_connection(1008, "too many fragments")
        super().onMessageFrameBegin(length)

    def onMessageEnd(self) -> None:
        # Autobahn's would gather listeners' Deferreds for each message
        self._fragments = 0
        text = b"".join(self.message_data)
        self.message_data = []
        if self.state == self.STATE_OPEN:
            self._deliver(text)

    def onPing(self, payload: bytes) -> None:
        self._pings += 1
        if self._pings <= PINGS_ANSWERED:
            self.sendPong(payload)
        elif self._pings == 100 * PINGS_ANSWERED:
            self._fail_connection(1008, "too many pings")

    def onPong(self, payload: bytes) -> None:
        pass

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        self.transport.write(data)  # Autobahn's prepares a debug line each time

    def sendCloseFrame(self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False) -> None:
        self._fast = False
        self._deadline = self.factory.tick + CLOSE_TIMEOUT + 1
        super().sendCloseFrame(code, reasonUtf8, isReply)

    def _closeConnection(self, abort: bool = False) -> None:
        self._fast = False
        self._deadline = self.factory.tick + LINGER_TIMEOUT
        # after a complete closing handshake there is no reason for a reset, which some chargers' libraries take for an error
        super()._closeConnection(abort and not self.wasClean)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._fast, self._gone = False, True
        self._on_sign_of_life = None
        self.factory.connected.pop(self, None)
        if self._admission is not None:
            self._admission.cancel()
        guest, self._sink = self._sink, None  # each has the other: they would wait for the garbage collector
        if guest is None:
            return
        if self.closedByMe:  # then our own words say more than whether the charger answered them
            code, reason = self.localCloseCode, (self.localCloseReason or b"").decode("utf-8", "replace")
        elif not wasClean:
            reason = self.wasNotCleanReason
        self._call_safely(partial(self.factory.admissions.departed, guest, code or 1005, reason or ""))

    # called by the factory once a second

    def check(self, tick: int, timeout: int) -> None:
        """Ping a charger that is silent; drop it when it stays so (C13). Whatever it sends is a sign of life."""
        if self._pings:
            self._pings = 0
        if self.state != self.STATE_OPEN:
            if tick >= self._deadline:
                self._overdue()
            return
        if self._paused_by & CHARGER:
            self._last_heard = tick  # it is we who do not listen
        silent = tick - self._last_heard
        if silent < self._ping_after:
            return
        if not self._pinged:
            self._fast, self._pinged = False, True
            self.sendPing()
        elif silent >= self._ping_after + timeout:
            self.wasNotCleanReason = f"no sign of life for {silent} s"
            self.dropConnection(abort=True)

    def _overdue(self) -> None:
        if self.state == self.STATE_CLOSED:
            self.transport.abortConnection()
        elif self._request is not None:
            self.failHandshake("Service Unavailable", 503)  # it is our gate that is slow
        else:
            self.wasNotCleanReason = "too slow"
            self.dropConnection(abort=self.state == self.STATE_CONNECTING)


class ChargerFactory(WebSocketServerFactory):  # type: ignore[misc,unused-ignore]
    """The door itself. Without `start` nobody is ever timed out."""

    noisy = False

    def __init__(self, admissions: Admissions[Any], settings: Settings, reactor: IReactorTime) -> None:
        super().__init__(server="ocpp_tw", reactor=reactor)
        self.admissions = admissions
        self.settings = settings
        self.tick = 0
        self.connected: dict[ChargerProtocol, None] = {}
        # One wheel for all: a timer for each connection would be set again with every frame, and Autobahn's are on the global
        # reactor. It counts turns, not time: nobody is dropped because this process was suspended.
        self._timer = LoopingCall(self._check_all)
        self._timer.clock = reactor
        self.setProtocolOptions(
            webStatus=False,
            failByDrop=False,
            allowNullOrigin=True,
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            utf8validateIncoming=False,  # whole messages are; a validator for each connection costs more than it finds
            maxFramePayloadSize=settings.max_message,
            maxMessagePayloadSize=settings.max_message,
            perMessageCompressionAccept=partial(compression.accept, longest=settings.max_message),
        )
        # Autobahn copies its options to each connection; a class of our own has them once, as it has its factory
        options = {name: getattr(self, name) for name in ChargerProtocol.CONFIG_ATTRS}
        once = {**CLASS_DEFAULTS, **options, "factory": self, "trafficStats": TrafficStats()}
        self.protocol = type("ChargerProtocol", (ChargerProtocol,), once)  # type: ignore[assignment]

    def start(self) -> None:
        """Begin to look after connections: their handshakes, their silence, their end."""
        self._timer.start(1, now=False)

    def stop(self) -> None:
        """Hang up on whoever is still here, and stop."""
        for protocol in list(self.connected):
            protocol.wasNotCleanReason = "the door is closed"
            protocol.dropConnection(abort=False)
        if self._timer.running:
            self._timer.stop()

    def _check_all(self) -> None:
        self.tick += 1
        timeout = math.ceil(self.settings.ping_timeout)
        for protocol in list(self.connected):
            try:
                protocol.check(self.tick, timeout)
            except Exception:  # else the wheel would stand still, for all
                ChargerProtocol._log.failure("while looking after a connection")
