"""Waiting in Twisted: any awaitable as a Deferred, with a deadline, and a pause.

Knows nothing of what is waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


def deferred(awaitable: Awaitable[T]) -> Deferred[T]:
    """The awaitable as a Deferred; one that it is already, or a coroutine begun."""
    return awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(_awaited(awaitable))


def in_time(awaitable: Awaitable[T], seconds: float, clock: IReactorTime) -> Deferred[T]:
    """It, or a `twisted.internet.defer.TimeoutError` after so many seconds; then it is cancelled."""
    return deferred(awaitable).addTimeout(seconds, clock)


def pause(seconds: float, clock: IReactorTime) -> Deferred[None]:
    """Fires after so many seconds; may be cancelled."""
    paused: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(seconds, paused.callback, None)
    return paused


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
