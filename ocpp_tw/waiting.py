"""Waiting in Twisted: any awaitable as a Deferred, with a deadline, two of them, and a pause.

Knows nothing of what is waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=BaseException)


def deferred(awaitable: Awaitable[T]) -> Deferred[T]:
    """The awaitable as a Deferred; one that it is already, or a coroutine begun."""
    return awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(_awaited(awaitable))


def in_time(awaitable: Awaitable[T], seconds: float, clock: IReactorTime) -> Deferred[T]:
    """It, or a `twisted.internet.defer.TimeoutError` after so many seconds; then it is cancelled."""
    return deferred(awaitable).addTimeout(seconds, clock)


async def both(first: Awaitable[T], second: Awaitable[U], expected: type[E]) -> tuple[T | E, U | E]:
    """What each comes to, its failure if that is an ``expected`` one. They do not wait for each other; cancelling cancels both."""
    waiting: list[Deferred[Any]] = [deferred(first), deferred(second)]
    (_, one), (_, other) = await DeferredList(waiting, consumeErrors=True)
    return _expected(one, expected), _expected(other, expected)


def _expected(result: Any, expected: type[BaseException]) -> Any:
    if not isinstance(result, Failure):
        return result
    if not result.check(expected):  # type: ignore[no-untyped-call]
        result.raiseException()
    return result.value


def pause(seconds: float, clock: IReactorTime) -> Deferred[None]:
    """Fires after so many seconds; may be cancelled."""
    paused: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(seconds, paused.callback, None)
    return paused


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
