"""Shares the reactor among connections that send faster than they are served.

A connection that has sent more than its share of a turn waits here; so does one with a large message. Those that send one ordinary
message at a time never come here. Knows no frame.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from .. import turns

TURN = 0.004
"""Seconds that all waiting connections together are served in one turn of the reactor; then those that are read from have theirs."""

LARGE_SHARE = 0.25
"""Most of the time, as a part of the whole, in which large messages are processed while there are several."""

LARGE_RATE, LARGE_BURST = 256 << 10, 1 << 20
"""Bytes of large messages that one connection may have processed in a second, and at once: each of them makes all wait for as long as Redis
takes for it."""

PATIENCE = 1.0
"""Seconds that a large message waits for Redis to have little to do; then it is processed although others keep Redis busy."""

RETRY = 0.01
"""Seconds until large messages are looked at again of which none may be processed yet."""


class Waiting(turns.Waiting, Protocol):
    """A connection that waits, with small frames or a large message."""

    paid_until: float
    """When the large messages that it has sent are worth their time, by the clock of `ConnectionTurns`."""

    @property
    def held(self) -> bool:
        """Whether nothing may be processed for another reason."""

    def go_on_with(self, text: bytes) -> None:
        """Process this large message, and what comes after it."""


class ConnectionTurns(turns.Turns[Waiting]):
    """One for all connections. ``has_room`` says whether a message of so many bytes may be processed now, if it can wait or if it cannot."""

    def __init__(self, reactor: IReactorTime, has_room: Callable[[int, bool], bool], now: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(reactor, TURN, now)
        self._has_room = has_room
        self._large: OrderedDict[Waiting, tuple[bytes, float]] = OrderedDict()
        self._large_after = 0.0

    def add_large(self, connection: Waiting, text: bytes) -> None:
        """Give the connection this message in its turn, once there is room for it; until then it reads no other."""
        self._large[connection] = text, self._now()
        self._schedule(0)

    def unpaid(self, paid_until: float) -> float:
        """Seconds until a connection may have another large message processed (see `Waiting`); 0 or less if it may now."""
        return paid_until - self._now()

    def drop(self, connection: Waiting) -> None:
        super().drop(connection)
        self._large.pop(connection, None)

    def stop(self) -> None:
        self._large.clear()
        super().stop()

    def _turn(self) -> None:
        try:
            super()._turn()
            if self._large:
                self._take_large()
        finally:
            if self._large:
                self._schedule(RETRY)

    def _take_large(self) -> None:
        """One, if it is time: what it costs the loop is then paid back three times over to the others."""
        begun = self._now()
        if begun < self._large_after:
            return
        for connection, (text, since) in self._large.items():
            may_wait = begun - since < PATIENCE
            if not connection.held and connection.paid_until <= begun and self._has_room(len(text), may_wait):
                break
        else:
            return
        del self._large[connection]
        connection.paid_until = max(connection.paid_until, begun - LARGE_BURST / LARGE_RATE) + len(text) / LARGE_RATE
        connection.go_on_with(text)
        ended = self._now()
        self._large_after = ended + (ended - begun) * (1 / LARGE_SHARE - 1)
