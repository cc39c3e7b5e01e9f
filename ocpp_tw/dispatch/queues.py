"""Whose turn it is: those who want the same thing have it one after the other, in the order in which they asked.

Knows nothing of what is wanted.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred


class Turns:
    """A queue for each name, for as long as somebody has the turn."""

    __slots__ = ("_due", "_queues")

    def __init__(self) -> None:
        self._queues: dict[str, deque[Deferred[None]]] = {}
        self._due: list[str] | None = None

    def __len__(self) -> int:
        return len(self._queues)

    async def take(self, name: str) -> None:
        """Wait for the turn; whoever has had it gives it on. Ends in a CancelledError once `cancel` was called."""
        queue = self._queues.get(name)
        if queue is None:
            self._queues[name] = deque()
            return
        waiting: Deferred[None] = Deferred(queue.remove)
        queue.append(waiting)
        await waiting

    def give(self, name: str) -> None:
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
