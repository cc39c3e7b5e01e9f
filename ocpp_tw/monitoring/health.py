"""How a gateway is itself: how late its loop is, its memory and its CPU, and whether Redis, the spool and the backend do their part.

Knows neither chargers nor what their messages say.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, cast

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .told import BackendReport, HealthReport, RedisReport, RedisState, Spool

INTERVAL = 0.5
"""Seconds between two looks."""

REMEMBERED = 20
"""Looks of which the worst lag is told, and over which the CPU is: ten seconds."""


class Backlog(Protocol):
    """What waits in the store."""

    def unread(self) -> int | None:
        """How many events wait in Redis for the backend; None if that is not known."""

    def spooled(self) -> dict[str, Any]:
        """Counts of what is in the spool, and its trouble with the disk if any; {} without a spool."""


class StoreHealth(Backlog, Protocol):
    """The store, as far as operators are told of it."""

    @property
    def trouble(self) -> str:
        """Why it takes no events; "" if it does."""

    @property
    def refuses(self) -> str:
        """The same, if it answers all the same; "" if it takes events, and if it does not answer."""


class Backend(Protocol):
    """The backend behind its circuit breaker."""

    @property
    def trouble(self) -> str:
        """Why it is not asked; "" if it is."""


class Health:
    """One for a gateway. ``backend`` is None where there is none."""

    def __init__(
        self, clock: IReactorTime, store: StoreHealth, backend: Backend | None, cpu: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._store = store
        self._backend = backend
        self._cpu = cpu
        self._due = 0.0
        self._lags: deque[float] = deque([0.0], REMEMBERED)
        self._used: deque[tuple[float, float]] = deque([(clock.seconds(), cpu())], REMEMBERED)
        self._timer = LoopingCall(self._look)
        self._timer.clock = clock

    def start(self) -> None:
        """Begin to look."""
        self._due = self._clock.seconds() + INTERVAL
        self._timer.start(INTERVAL, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._timer.running:
            self._timer.stop()

    def _look(self) -> None:
        now = self._clock.seconds()
        self._lags.append(max(0.0, now - self._due))
        self._due = now + INTERVAL - (now - self._due) % INTERVAL  # LoopingCall keeps its beat, and skips what is over
        self._used.append((now, self._cpu()))

    def report(self) -> HealthReport:
        """As it is told: ``cpu`` is the part of a core that it uses."""
        (then, before), (now, after) = self._used[0], self._used[-1]
        return {
            "loop_lag_ms": round(max(self._lags) * 1000, 1),
            "memory_mb": round(memory() / 1e6, 1),
            "cpu": round((after - before) / (now - then), 3) if now > then else None,
            "redis": self.redis(),
            "spool": cast(Spool | None, self._store.spooled() or None),
            "backend": self._backend_report(),
        }

    def redis(self) -> RedisReport:
        """As it is told, now."""
        trouble = self._store.trouble
        state: RedisState = "ok" if not trouble else "refusing" if self._store.refuses else "away"
        return {"state": state, "connected": not trouble, "unread": self._store.unread(), "trouble": trouble}

    def _backend_report(self) -> BackendReport:
        if self._backend is None:
            return {"state": "none", "detail": ""}
        trouble = self._backend.trouble
        return {"state": "failing" if trouble else "ok", "detail": trouble}


def memory() -> int:
    """Bytes of memory that the process has now; where the system does not say, the most that it has had."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
