"""Simulated time: a charger's calendar, which may run faster than the clock on the wall.

Knows nothing of chargers. What belongs to the network (timeouts, retries, reconnecting) is real time and uses the clock itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

LONGEST = 7 * 86400.0
"""No timer is set for longer than this many real seconds: a command may name any date."""


class Pace:
    """A clock of simulated seconds: ``speed_up`` of them in each second of ``clock``, from the POSIX time ``start`` on."""

    __slots__ = ("_began", "clock", "speed_up", "start")

    def __init__(self, clock: IReactorTime, speed_up: float = 1.0, start: float | None = None) -> None:
        self.clock = clock
        self.speed_up = speed_up
        self.start = time.time() if start is None else start
        self._began = clock.seconds()

    def now(self) -> float:
        """Simulated POSIX time in seconds."""
        return self.start + (self.clock.seconds() - self._began) * self.speed_up

    def stamp(self) -> str:
        """The simulated time as OCPP wants it: UTC, ISO 8601, milliseconds, Z."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def later(self, seconds: float, do: Callable[..., Any], *args: Any) -> IDelayedCall:
        """Call ``do`` in so many simulated seconds."""
        return self.clock.callLater(self._real(seconds), do, *args)

    def sleep(self, seconds: float) -> Deferred[None]:
        """Fires in so many simulated seconds; may be cancelled."""
        return deferLater(self.clock, self._real(seconds), lambda: None)

    def _real(self, seconds: float) -> float:
        return min(max(seconds, 0.0) / self.speed_up, LONGEST)


def moment(text: object) -> float | None:
    """The POSIX time that an ISO 8601 text means (UTC where it names no zone); None when it is no date."""
    if not isinstance(text, str):
        return None
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class Timers:
    """The timers of one owner by name: setting one again moves it, and all can be stopped together."""

    __slots__ = ("_pace", "_set")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._set: dict[str, IDelayedCall] = {}

    def set(self, name: str, seconds: float, do: Callable[..., Any], *args: Any) -> None:
        """Call ``do`` in so many simulated seconds."""
        self.drop(name)
        self._set[name] = self._pace.later(seconds, self._ring, name, do, args)

    def drop(self, name: str) -> None:
        """Do not call it after all."""
        timer = self._set.pop(name, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Stop them all."""
        for name in list(self._set):
            self.drop(name)

    def _ring(self, name: str, do: Callable[..., Any], args: tuple[Any, ...]) -> None:
        del self._set[name]
        do(*args)
