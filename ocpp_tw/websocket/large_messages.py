"""The part of a connection that lets a large message in: once those before it are paid for (`turns`), and there is room for it (`room`).

Until then it stays with its sender, and without progress the room is lost. Knows nothing of what a message says.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import math
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from ..networks import network
from .backpressure import ROOM, TURN
from .control_frames import ControlFrames
from .room import LARGE

SMALL_DEFLATED = 512
"""Bytes of deflated data that need no room before they are inflated: OCPP's messages are not a hundred times as long."""

SLOW_AFTER, SLOW = 10, 8192
"""Seconds that a large message has to come; after those it must come at so many bytes a second while others wait for its room. Held is a
connection for no longer either then: one that reads no answers, or owes its budget a minute, would keep the room for as long."""

MAX_INFLATION = 1032
"""How many times its size deflated data can have, at most: a match of 258 bytes takes two bits."""


class RoomForLarge(ControlFrames):
    """Asks for room when a message begins that may become large."""

    current_frame: Any
    maxMessagePayloadSize: int
    message_data: list[bytes]
    message_data_total_length: int
    # on the class until they are needed, since most of the time they are not
    _fragments = 0
    _isMessageCompressed = False
    paid_until = -math.inf
    _roomy = False
    """Whether room was reserved, or is waited for."""
    _paying: IDelayedCall | None = None
    """While room is not even asked for, since the large messages before are not paid for yet."""
    _room_since = _room_bytes = _room_held = 0
    """When room was reserved, the bytes that have come since, and the seconds for which the connection was held."""

    @property
    def address(self) -> str:
        """See `room.Receiving`."""
        return network(self.peer_host)

    def has_room(self) -> None:
        """See `room.Receiving`."""
        self._room_since = self.factory.tick
        self._pause(ROOM, False)

    def check(self, tick: int, timeout: int) -> None:
        """Close the connection if it keeps others waiting for room by being slow, or by being held."""
        super().check(tick, timeout)
        if not self._roomy or self._paused_by & ROOM:
            return
        held = self._paused_by & ~TURN
        self._room_held += bool(held)
        seconds = tick - self._room_since - self._room_held
        slow = not self._paused_by and seconds > SLOW_AFTER and self._room_bytes < seconds * SLOW
        if (slow or (held and self._room_held > SLOW_AFTER)) and self.factory.room.wanted:
            self._lose_room()

    def _lose_room(self) -> None:
        """At once, with what it was for: such a peer may take its time to take leave."""
        self._fail_connection(1008, "too slow with a large message for which others wait")
        self.factory.turns.drop(self)  # type: ignore[arg-type]  # what waits there is the whole connection
        self.data, self.message_data = b"", []
        self._release_room()

    def _make_room(self, length: int) -> None:
        """A frame of a message begins, with so many bytes of payload: if the message may become large, it needs room."""
        whole = self.current_frame.fin and self._fragments == 1
        size = self.message_data_total_length
        if self._isMessageCompressed and (not whole or length > SMALL_DEFLATED):
            size += length * MAX_INFLATION
        if size > LARGE and not self.failedByMe:
            self._roomy, self._room_since, self._room_bytes, self._room_held = True, self.factory.tick, 0, 0
            room = min(size, self.maxMessagePayloadSize) if whole else self.maxMessagePayloadSize
            # until it may be processed it stays with its sender: ten connections would have 10 MB here all the time
            if (seconds := self.factory.turns.unpaid(self.paid_until)) > 0:
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
