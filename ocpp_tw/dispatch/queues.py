"""Whose turn it is: those who want the same thing have it one after the other, in the order in which they asked.

Knows nothing of what is wanted.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime


class KeyedLock:
    """A queue for each name, for as long as somebody has the turn."""

    __slots__ = ("_due", "_queues")

    def __init__(self) -> None:
        self._queues: dict[str, deque[Deferred[None]]] = {}
        self._due: list[str] | None = None

    def __len__(self) -> int:
        return len(self._queues)

    async def acquire(self, name: str) -> None:
        """Wait for the turn; whoever has had it gives it on. Ends in a CancelledError once `cancel` was called."""
        queue = self._queues.get(name)
        if queue is None:
            self._queues[name] = deque()
            return
        waiting: Deferred[None] = Deferred(queue.remove)
        queue.append(waiting)
        await waiting

    def release(self, name: str) -> None:
        """The turn is over: the next one has it."""
        if self._due is not None:  # the next one was done at once: no deeper for each of thousands
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
        """Nobody who waits will have a turn."""
        for waiting in [each for queue in self._queues.values() for each in queue]:
            waiting.cancel()


class ArrivalWaiters:
    """A list for each charger that somebody waits for."""

    __slots__ = ("_clock", "_count", "_waiting")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._count = 0
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def __len__(self) -> int:
        return self._count

    async def wait(self, charger: str, seconds: float) -> None:
        """Until the charger has come, or so many seconds have passed. Ends in a CancelledError once `cancel` was called."""
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
        """The charger has come: all who wait for it go on, in their order."""
        for waiting in list(self._waiting.pop(charger, ())):
            waiting.callback(None)

    def cancel(self) -> None:
        """Nobody waits any longer."""
        for waiting in [each for others in self._waiting.values() for each in others]:
            waiting.cancel()
