"""Those who wait for a charger to come online.

Knows neither chargers nor what is wanted of them.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime


class Parked:
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
