"""Shares the reactor between operators' HTTP and everybody else: all of its connections together are served for a few milliseconds a turn.

Knows no HTTP. Chargers are served in the same thread: without this, thousands of requests that have come at once are thousands they wait for.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

SHARE = 0.002
"""Seconds of a turn of the reactor in which connections are served. Until a charger's message is answered there are some four turns."""


class Waiting(Protocol):
    """A connection that has something to be served."""

    def go_on(self) -> None:
        """Serve one request, or what has come of it; the connection adds itself again if that was not all."""


class Turns:
    """One for all connections, which are served in the order in which they come."""

    def __init__(self, reactor: IReactorTime, now: Callable[[], float] = time.perf_counter) -> None:
        self._reactor = reactor
        self._now = now
        self._queue: deque[Waiting] = deque()
        self._next: IDelayedCall | None = None

    def add(self, connection: Waiting) -> None:
        """Serve it in its turn."""
        self._queue.append(connection)
        self._schedule()

    def stop(self) -> None:
        """Serve nobody any more."""
        self._queue.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self) -> None:
        if self._next is None:
            self._next = self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._next = None
        end = self._now() + SHARE
        while self._queue:
            self._queue.popleft().go_on()
            if self._now() >= end:
                break
        if self._queue:
            self._schedule()
