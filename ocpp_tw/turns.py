"""Shares the reactor between connections that have much to be served and everybody else: all of them together have a part of each turn.

Knows neither chargers nor HTTP.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Waiting(Protocol):
    """A connection that has something to be served."""

    def go_on(self) -> None:
        """Serve a part of it; the connection adds itself again if that was not all."""


W = TypeVar("W", bound=Waiting)


class Turns(Generic[W]):
    """One for all connections of a kind, which are served in the order in which they come, for ``share`` seconds in a turn of the reactor."""

    def __init__(self, reactor: IReactorTime, share: float, now: Callable[[], float] = time.perf_counter) -> None:
        self._reactor = reactor
        self._share = share
        self._now = now
        self._queue: OrderedDict[W, None] = OrderedDict()  # thousands may leave at once: each of them without a look at the others
        self._next: IDelayedCall | None = None

    @property
    def busy(self) -> bool:
        """Whether connections wait for their turn."""
        return bool(self._queue)

    def add(self, connection: W) -> None:
        """Serve the connection in its turn."""
        self._queue[connection] = None
        self._schedule(0)

    def drop(self, connection: W) -> None:
        """The connection has ended."""
        self._queue.pop(connection, None)

    def stop(self) -> None:
        """Serve nobody any more."""
        self._queue.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self, delay: float) -> None:
        if self._next is not None and self._next.getTime() > self._reactor.seconds() + delay:
            self._next.cancel()
            self._next = None
        if self._next is None:
            self._next = self._reactor.callLater(delay, self._turn)

    def _turn(self) -> None:
        self._next = None
        end = self._now() + self._share
        try:
            while self._queue:
                self._queue.popitem(last=False)[0].go_on()
                if self._now() >= end:
                    break
        finally:  # one that fails does not keep the others waiting until somebody else comes
            if self._queue:
                self._schedule(0)
