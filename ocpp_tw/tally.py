"""Log lines on what a stranger can do as often as it likes: the first at once, then one a minute with the count.

Knows nothing of what is counted.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

INTERVAL = 60.0
"""Seconds between two lines."""


class Tally:
    """``tell`` is given how often it has happened since the last line, and where it came from last; it writes the line."""

    def __init__(self, clock: IReactorTime, tell: Callable[[int, str], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._count = 0
        self._last = ""
        self._timer: IDelayedCall | None = None

    @property
    def idle(self) -> bool:
        """Whether the next one is told at once."""
        return self._timer is None

    def note(self, whence: str) -> None:
        """It has happened."""
        self._count += 1
        self._last = whence
        if self._timer is None:
            self._flush()

    def stop(self) -> None:
        """Write what has not been told yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._count:
            self._tell(self._count, self._last)
            self._count = 0

    def _flush(self) -> None:
        self._timer = None
        if self._count:
            self._tell(self._count, self._last)
            self._count = 0
            self._timer = self._clock.callLater(INTERVAL, self._flush)
