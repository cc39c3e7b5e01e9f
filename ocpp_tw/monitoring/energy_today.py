"""The energy that a gateway's chargers have delivered since midnight, local time of the process.

Knows neither chargers nor transactions.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_STEP = 2_000_000
"""Most Wh between two readings of a meter that are believed; with more, or less than none, the meter was exchanged or is wrong."""


def midnight(now: float) -> float:
    """The beginning of the day, local time, in Unix time."""
    day = time.localtime(now)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))


class EnergyToday:
    """``unix`` is the time of day. It begins with what `begin` is told."""

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix = unix
        self._wh = 0
        self._until = 0.0

    def add(self, wh: int) -> None:
        """So much more has been delivered."""
        self._turn()
        if 0 < wh <= MAX_STEP:
            self._wh += wh

    def begin(self, wh: int) -> None:
        """So much was delivered today before this process counted."""
        self._turn()
        self._wh += wh

    @property
    def until(self) -> float:
        """When the day ends, in Unix time."""
        self._turn()
        return self._until

    @property
    def wh(self) -> int:
        """In Wh."""
        self._turn()
        return self._wh

    def _turn(self) -> None:
        now = self._unix()
        if now >= self._until:
            self._wh, self._until = 0, midnight(midnight(now) + 36 * 3600)
