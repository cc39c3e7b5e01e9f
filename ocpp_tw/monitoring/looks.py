"""Looks at regular intervals, and one sooner when there is a reason for it; all reasons until then share that one.

Knows neither what is looked at nor why it cannot wait.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Looks:
    """For one task, which waits for the next again and again; an ``interval`` is in seconds."""

    def __init__(self, interval: float, clock: IReactorTime) -> None:
        self._interval = interval
        self._clock = clock
        self._regular = self._next = clock.seconds() + interval
        self._timer: IDelayedCall | None = None

    async def next(self) -> bool:
        """Wait until the next one is due; whether it is a regular one."""
        await self._due()
        now = self._clock.seconds()
        is_regular = now >= self._regular
        if is_regular:
            self._regular = now + self._interval
        self._next = self._regular
        return is_regular

    def hurry(self, seconds: float) -> None:
        """The next one is due in so many seconds at the latest."""
        at = self._clock.seconds() + seconds
        if at < self._next:
            self._next = at
            if self._timer is not None:
                self._timer.reset(seconds)

    def _due(self) -> Deferred[None]:
        due: Deferred[None] = Deferred(lambda _: self._cancel())

        def fire() -> None:
            self._timer = None
            due.callback(None)

        self._timer = self._clock.callLater(max(0.0, self._next - self._clock.seconds()), fire)
        return due

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
