"""Simulated time: a charger's calendar, which may run faster than real time.

Knows nothing of chargers. The network's timeouts, retries and backoff are real time and use the real clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

MAX_TIMER = 7 * 86400.0
"""Longest timer in real seconds; a longer one rings then. A command may name any date."""


class SimulatedClock:
    """A clock of simulated seconds: ``speed_up`` of them in each second of ``real``, from the POSIX time ``start`` on."""

    __slots__ = ("_began", "real", "speed_up", "start")

    def __init__(self, real: IReactorTime, speed_up: float = 1.0, start: float | None = None) -> None:
        self.real = real
        self.speed_up = speed_up
        self.start = time.time() if start is None else start
        self._began = real.seconds()

    def now(self) -> float:
        """Simulated POSIX time in seconds."""
        return self.start + (self.real.seconds() - self._began) * self.speed_up

    def timestamp(self) -> str:
        """The simulated time as OCPP writes it."""
        return format_timestamp(self.now())

    def call_later(self, seconds: float, do: Callable[..., Any], *args: Any) -> IDelayedCall:
        """Call ``do`` in that many simulated seconds."""
        return self.real.callLater(self._real_seconds(seconds), do, *args)

    def sleep(self, seconds: float) -> Deferred[None]:
        """Fires in that many simulated seconds; may be cancelled."""
        return deferLater(self.real, self._real_seconds(seconds), lambda: None)

    def _real_seconds(self, seconds: float) -> float:
        return min(max(seconds, 0.0) / self.speed_up, MAX_TIMER)


def format_timestamp(posix: float) -> str:
    """A POSIX time as OCPP writes it: UTC, ISO 8601, milliseconds, Z."""
    return datetime.fromtimestamp(posix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_timestamp(text: object) -> float | None:
    """The POSIX time of an ISO 8601 text (UTC where it names no zone); None when it is no date."""
    if not isinstance(text, str):
        return None
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class Timers:
    """The timers of one owner by name: setting one again moves it, and all can be stopped together."""

    __slots__ = ("_clock", "_set")

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._set: dict[str, IDelayedCall] = {}

    def set(self, name: str, seconds: float, do: Callable[..., Any], *args: Any) -> None:
        """Call ``do`` in that many simulated seconds."""
        self.drop(name)
        self._set[name] = self._clock.call_later(seconds, self._fire, name, do, args)

    def drop(self, name: str) -> None:
        """Cancel a timer, if it is set."""
        timer = self._set.pop(name, None)
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        """Cancel every timer."""
        for name in list(self._set):
            self.drop(name)

    def _fire(self, name: str, do: Callable[..., Any], args: tuple[Any, ...]) -> None:
        del self._set[name]
        do(*args)
