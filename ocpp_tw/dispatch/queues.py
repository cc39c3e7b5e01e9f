"""Queues of those who wait: for their turn with a charger, and for a charger to connect.

Knows neither chargers nor what is wanted of them.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime


class KeyedLock:
    """A FIFO lock for each name; it takes memory only while it is held."""

    __slots__ = ("_due", "_queues")

    def __init__(self) -> None:
        self._queues: dict[str, deque[Deferred[None]]] = {}
        self._due: list[str] | None = None

    def __len__(self) -> int:
        return len(self._queues)

    async def acquire(self, name: str) -> None:
        """Wait until the lock is ours; `release` it then. Ends in a CancelledError once `cancel` was called."""
        queue = self._queues.get(name)
        if queue is None:
            self._queues[name] = deque()
            return
        waiting: Deferred[None] = Deferred(queue.remove)
        queue.append(waiting)
        await waiting

    def release(self, name: str) -> None:
        """Pass the lock to the next in the queue."""
        if self._due is not None:  # the next one released it at once: no recursion, however many wait
            self._due.append(name)
            return
        self._due = [name]
        while self._due:
            queue = self._queues[each := self._due.pop()]
            if queue:
                queue.popleft().callback(None)
            else:
                del self._queues[each]
        self._due = None

    def cancel(self) -> None:
        """Cancel all who wait."""
        for waiting in [each for queue in self._queues.values() for each in queue]:
            waiting.cancel()


class ArrivalWaiters:
    """Those who wait for a charger to be served here, by its identity."""

    __slots__ = ("_clock", "_count", "_waiting")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._count = 0
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def __len__(self) -> int:
        return self._count

    async def wait(self, charger: str, seconds: float) -> None:
        """Wait until the charger is served, or for that many seconds. Ends in a CancelledError once `cancel` was called."""
        waiting: Deferred[None] = Deferred()
        others = self._waiting.setdefault(charger, [])
        others.append(waiting)
        self._count += 1
        try:
            with suppress(TimeoutError):
                await waiting.addTimeout(seconds, self._clock)
        finally:
            self._count -= 1
            others.remove(waiting)
            if not others and self._waiting.get(charger) is others:
                del self._waiting[charger]

    def arrived(self, charger: str) -> None:
        """The charger is served now: all who wait for it go on, in order."""
        for waiting in list(self._waiting.pop(charger, ())):
            waiting.callback(None)

    def cancel(self) -> None:
        """Cancel all who wait."""
        for waiting in [each for others in self._waiting.values() for each in others]:
            waiting.cancel()
