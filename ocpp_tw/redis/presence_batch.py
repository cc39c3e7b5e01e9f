"""Chargers that come and go, told of together: all of a turn of the reactor at once, in their order, and the next when that is done.

Knows no line, and not how they are told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.entries import Record

BATCH_SIZE = 64
"""Of how many that come and go one script tells: what comes of one answer is done in one turn of the reactor."""


class Presence:
    """A charger that is here: on which connection, since when by our clock, and by the fleet's (in ms; 0: it has not been told)."""

    __slots__ = ("connection", "since", "stamp")

    def __init__(self, connection: str, since: float) -> None:
        self.connection, self.since, self.stamp = connection, since, 0


class Arrival:
    """A charger that has come, and waits for what is remembered of it."""

    __slots__ = ("charger", "here", "waiting")

    def __init__(self, charger: str, here: Presence) -> None:
        self.charger, self.here = charger, here
        self.waiting: Deferred[Record] = Deferred()

    def resolve(self, found: list[bytes | None]) -> None:
        stamp, *fields = found
        self.here.stamp = self.here.stamp or int(stamp or 0)
        if not self.waiting.called:
            self.waiting.callback(Record(*[field.decode(errors="replace") if field else "" for field in fields]))


class Departure:
    """A charger whose connection has ended; ``current``: it was the one that we had the charger on."""

    __slots__ = ("charger", "connection", "current", "waiting")

    def __init__(self, charger: str, connection: str, current: bool) -> None:
        self.charger, self.connection, self.current = charger, connection, current
        self.waiting: Deferred[bool] = Deferred()

    def resolve(self, left: int) -> None:
        if not self.waiting.called:
            self.waiting.callback(bool(left))


class PresenceBatch:
    """``tell`` is given some of them and fires with what is said of each, in their order."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime, tell: Callable[[list[Arrival | Departure]], Deferred[list[Any]]]) -> None:
        self._reactor = reactor
        self._tell = tell
        self._queue: deque[Arrival | Departure] = deque()
        self._busy = False

    def add(self, either: Arrival | Departure) -> None:
        """Have it told of as soon as may be; ``waiting`` fires then, or fails."""
        self._queue.append(either)
        if not self._busy:
            self._busy = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        some = unresolved([self._queue.popleft() for _ in range(min(BATCH_SIZE, len(self._queue)))])
        asked = self._tell(some)
        asked.addCallbacks(self._told, self._failed, callbackArgs=(some,), errbackArgs=(some,))
        asked.addErrback(lambda why: self._log.failure("what follows upon an arrival or a departure failed", why))

    def _told(self, said: list[Any], some: list[Arrival | Departure]) -> None:
        self._go_on()
        for either, answer in zip(some, said, strict=True):
            either.resolve(answer)

    def _failed(self, why: Failure, some: list[Arrival | Departure]) -> None:
        self._go_on()
        for each in unresolved(some):
            each.waiting.errback(why)

    def _go_on(self) -> None:
        self._busy = bool(self._queue)
        if self._busy:
            self._reactor.callLater(0, self._turn)


def unresolved(some: list[Arrival | Departure]) -> list[Arrival | Departure]:
    """Those of them that somebody waits for."""
    return [each for each in some if not each.waiting.called]
