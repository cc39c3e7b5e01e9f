"""The part of a connection that turns bytes into messages: ordinary frames directly, all others by way of Autobahn, within limits.

One frame in a read, as nearly every read is, goes to the sink at once. Of more than that a connection has its share in one turn of the
reactor, and waits for its next turn with the rest (`turns`); a large message needs room before it is received (`room`), and waits for its
turn before it is given to the sink. Knows nothing of what a message says.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from ..networks import network
from .backpressure import ROOM, TURN
from .control_frames import ControlFrames
from .fast_frames import take
from .handshake import MAX_HEAD
from .room import LARGE

MAX_EARLY_BYTES = 64 * 1024
"""Most bytes a charger may send before its handshake is answered; beyond them the connection is aborted."""

MAX_FRAGMENTS = 1024
"""Most frames of one message, since empty ones cost nothing to send; beyond them the connection is closed with 1008."""

FRAMES_AT_ONCE = 16
"""Frames (or parts of one, where Autobahn reads it) that a connection may have processed in one turn of the reactor; while others wait for
theirs it is one."""

SMALL_DEFLATED = 512
"""Bytes of deflated data that need no room before they are inflated: OCPP's messages are not a hundred times as long."""

SLOW_AFTER, SLOW = 10, 8192
"""Seconds that a large message has to come; after those it must come at so many bytes a second while others wait for its room."""

MAX_INFLATION = 1032
"""How many times its size deflated data can have, at most: a match of 258 bytes takes two bits."""


class Receiver(ControlFrames):
    """Delivers whole messages to the connection's `MessageSink`."""

    current_frame: Any
    maxMessagePayloadSize: int
    message_data_total_length: int
    # on the class until they are needed, since most of the time they are not
    _on_sign_of_life: Callable[[], None] | None = None
    _consuming = False
    _fragments = 0
    _isMessageCompressed = False
    paid_until = -math.inf
    _roomy = False
    """Whether room was reserved, or is waited for."""
    _paying: IDelayedCall | None = None
    """While room is not even asked for, since the large messages before are not paid for yet."""
    _room_since = _room_bytes = 0
    """When room was reserved, and the bytes that have come since."""

    def dataReceived(self, data: bytes) -> None:
        if self._fast:
            taken = take(data, self.maxMessagePayloadSize)
            if taken is not None and taken[1] == len(data):  # one frame and no more: nearly every read
                self._last_heard = self.factory.tick
                self._deliver(taken[0])
                return
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Any other bytes, in any state of the connection."""
        if self.state == self.STATE_CLOSED or self.failedByMe:
            return  # nothing it sends is to be processed any more (RFC 6455 §7.1.7)
        if self.state == self.STATE_CONNECTING and len(self.data) + len(data) > MAX_HEAD + MAX_EARLY_BYTES:
            self.dropConnection(abort=True)
            return
        self._last_heard = self.factory.tick
        if self._roomy:
            self._room_bytes += len(data)
        if self._pinged:
            self._pinged = False
        if self._on_sign_of_life is not None:
            answered, self._on_sign_of_life = self._on_sign_of_life, None
            self._call_safely(answered)
        self.data = self.data + data if self.data else data
        self.consumeData()

    def consumeData(self) -> None:
        self._consume(1 if self.factory.turns.busy else FRAMES_AT_ONCE)

    def _consume(self, share: int) -> None:
        """Process what has come, at most so many frames of it."""
        if self._consuming:
            return  # a sink ended its hold while it was given a message
        self._consuming = True
        try:
            if self.state == self.STATE_CONNECTING:
                self.processHandshake()
            frames, messages = 0, self._messages
            while self.state in (self.STATE_OPEN, self.STATE_CLOSING) and not self._paused_by and not self.failedByMe:
                if frames == share:
                    self._wait_for_turn(frames - (self._messages - messages))
                    break
                frames += 1
                if not self._take_frame() and not self.processData():
                    break
        finally:
            self._consuming = False
            self._fast = self._can_be_fast()

    @property
    def _messages(self) -> int:
        return 0 if self._sink is None else self._sink.received

    # turns

    def _wait_for_turn(self, frames_beside: int) -> None:
        """Go on in a later turn of the reactor; ``frames_beside`` of those processed in this one were no messages."""
        self._pause_until_turn()
        self.factory.turns.add(self)
        if frames_beside and self._sink is not None:
            self._sink.frames_beside(frames_beside)

    def _pause_until_turn(self) -> None:
        self._paused_by |= TURN
        self.transport.pauseProducing()

    @property
    def held(self) -> bool:
        """See `turns.Waiting`."""
        return bool(self._paused_by & ~TURN)

    def go_on(self) -> None:
        """See `turns.Waiting`."""
        self._paused_by &= ~TURN
        if self._paused_by or self._gone:
            return  # when that ends, it goes on
        self._consume(FRAMES_AT_ONCE)
        if not self._paused_by and not self._gone:
            self.transport.resumeProducing()

    def go_on_with(self, text: bytes) -> None:
        """See `turns.Waiting`."""
        if self.state == self.STATE_OPEN:
            self._deliver(text)
        self._release_room()
        self.go_on()

    # room

    @property
    def address(self) -> str:
        """See `room.Receiving`."""
        return network(self.peer_host)

    def has_room(self) -> None:
        """See `room.Receiving`."""
        self._room_since = self.factory.tick
        self._pause(ROOM, False)

    def check(self, tick: int, timeout: int) -> None:
        """Close the connection if it keeps others waiting for room by being slow."""
        super().check(tick, timeout)
        if self._roomy and not self._paused_by and self.factory.room.wanted:
            seconds = tick - self._room_since
            if seconds > SLOW_AFTER and self._room_bytes < seconds * SLOW:
                self._fail_connection(1008, "too slow with a large message for which others wait")

    def _make_room(self, length: int) -> None:
        """A frame of a message begins, with so many bytes of payload: if the message may become large, it needs room."""
        whole = self.current_frame.fin and self._fragments == 1
        size = self.message_data_total_length
        if self._isMessageCompressed and (not whole or length > SMALL_DEFLATED):
            size += length * MAX_INFLATION
        if size > LARGE and not self.failedByMe:
            self._roomy, self._room_since, self._room_bytes = True, self.factory.tick, 0
            room = min(size, self.maxMessagePayloadSize) if whole else self.maxMessagePayloadSize
            # until it may be processed it stays with its sender: ten connections would have 10 MB here all the time
            if (seconds := self.factory.turns.unpaid(self)) > 0:
                self._paying = self.factory.reactor.callLater(seconds, self._reserve, room)
                self._pause(ROOM, True)
            elif not self.factory.room.reserve(self, room):
                self._pause(ROOM, True)

    def _reserve(self, room: int) -> None:
        self._paying = None
        if self.factory.room.reserve(self, room):
            self.has_room()

    def _release_room(self) -> None:
        if self._roomy:
            self._roomy = False
            if self._paying is not None:
                self._paying.cancel()
                self._paying = None
            self.factory.room.release(self)

    def _can_be_fast(self) -> bool:
        half_done = self.data or self.inside_message or self.current_frame is not None
        return (
            not (half_done or self._paused_by or self._pinged or self._on_sign_of_life or self.failedByMe) and self.state == self.STATE_OPEN
        )

    def _take_frame(self) -> bool:
        """Take the next frame without Autobahn, if it is an ordinary one; Autobahn has the others, and those that it has begun."""
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
        """Give a whole message to the sink."""
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
            self._log.failure("message of {charger} could not be processed", charger=self._sink)

    # called by Autobahn for frames that are not ordinary

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        if isBinary:
            self._fail_connection(1003, "text frames only")  # OCPP-J is JSON in text frames (R2)

    def onMessageFrameBegin(self, length: int) -> None:
        self._fragments += 1
        if self._fragments > MAX_FRAGMENTS:
            self._fail_connection(1008, "too many fragments")
        elif not length:
            self._count_control_frame()
        super().onMessageFrameBegin(length)
        if not self._roomy:
            self._make_room(length)

    def onMessageEnd(self) -> None:
        # Autobahn's would gather listeners' Deferreds for each message
        self._fragments = 0
        text = b"".join(self.message_data)
        self.message_data = []
        if self.state == self.STATE_OPEN and len(text) > LARGE:
            if not self._roomy:  # it has become large by more than anybody's messages do
                self._roomy = True
                if not self.factory.room.reserve(self, len(text)):
                    self._release_room()
                    self._fail_connection(1008, "no room for a message that is deflated so much")
                    return
            self._pause_until_turn()
            self.factory.turns.add_large(self, text)
            return
        if self.state == self.STATE_OPEN:
            self._deliver(text)
        self._release_room()
