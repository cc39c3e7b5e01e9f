"""The part of a connection that turns bytes into messages: ordinary frames directly, all others by way of Autobahn, within limits.

One frame in a read, as nearly every read is, goes to the sink at once. Of more than that a connection has its share in one turn of the
reactor, and waits for its next turn with the rest (`turns`); a large message waits for its turn before it is given to the sink. Knows
nothing of what a message says.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable

from .backpressure import TURN
from .fast_frames import take
from .handshake import MAX_HEAD
from .large_messages import RoomForLarge
from .room import LARGE

MAX_EARLY_BYTES = 64 * 1024
"""Most bytes a charger may send before its handshake is answered; beyond them the connection is aborted."""

MAX_FRAGMENTS = 1024
"""Most frames of one message, since empty ones cost nothing to send; beyond them the connection is closed with 1008."""

FRAMES_AT_ONCE = 16
"""Frames (or parts of one, where Autobahn reads it) that a connection may have processed in one turn of the reactor; while others wait for
theirs it is one."""


class Receiver(RoomForLarge):
    """Delivers whole messages to the connection's `MessageSink`."""

    # on the class until they are needed, since most of the time they are not
    _on_sign_of_life: Callable[[], None] | None = None
    _consuming = False

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
            self._sink.unreadable(text)
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
