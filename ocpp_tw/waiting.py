"""Waiting with Deferreds: for any awaitable, with a timeout, for two at once, for a time, and for what goes on all the same.

Knows nothing of what is waited for.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=BaseException)


def deferred(awaitable: Awaitable[T]) -> Deferred[T]:
    """The awaitable as a Deferred: itself if it is one, else a coroutine that is started."""
    return awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(_awaited(awaitable))


def in_time(awaitable: Awaitable[T], seconds: float, clock: IReactorTime) -> Deferred[T]:
    """The awaitable's result, or a `twisted.internet.defer.TimeoutError` after so many seconds; then it is cancelled."""
    return deferred(awaitable).addTimeout(seconds, clock)


class Deadlines:
    """`in_time` for many awaitables with the same timeout: one timer for all, and no coroutine for one that is a Deferred already."""

    def __init__(self, seconds: float, clock: IReactorTime) -> None:
        self._seconds = seconds
        self._clock = clock
        self._waiting: dict[Deferred[Any], float] = {}
        self._timer: IDelayedCall | None = None

    def hold(self, awaitable: Awaitable[T]) -> Deferred[T]:
        """The awaitable's result, or a `twisted.internet.defer.TimeoutError`; then it is cancelled."""
        waiting = deferred(awaitable)
        if not waiting.called or waiting.paused:  # paused: called, but with another Deferred that it waits for
            self.begin(waiting)
            waiting.addBoth(self._ended, waiting)
        return waiting

    def begin(self, waiting: Deferred[Any]) -> None:
        """For whoever says with `end` that it has fired, and so needs no callback for that alone: it is cancelled when it is late."""
        self._waiting[waiting] = self._clock.seconds() + self._seconds
        if self._timer is None:
            self._timer = self._clock.callLater(self._seconds, self._due)

    def end(self, waiting: Deferred[Any]) -> bool:
        """It has fired; whether that was in time."""
        in_time = self._waiting.pop(waiting, None) is not None
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return in_time

    def _ended(self, result: Any, waiting: Deferred[Any]) -> Any:
        if not self.end(waiting) and isinstance(result, Failure) and isinstance(result.value, CancelledError):
            raise TimeoutError(self._seconds, "Deferred")
        return result

    def _due(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        for waiting, due in list(self._waiting.items()):  # in the order in which they were added, and so of their deadlines
            if due > now:
                self._timer = self._clock.callLater(due - now, self._due)
                return
            del self._waiting[waiting]
            waiting.cancel()


async def both(first: Awaitable[T], second: Awaitable[U], expected: type[E]) -> tuple[T | E, U | E]:
    """The result of each, or its exception if that is an ``expected`` one. Both run at the same time; cancelling cancels both."""
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
    """Fires after so many seconds; can be cancelled."""
    paused: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(seconds, paused.callback, None)
    return paused


def cancelled(why: Failure) -> None:
    """An errback for a task that is cancelled on purpose; other failures pass."""
    why.trap(CancelledError)  # type: ignore[no-untyped-call]


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


def shielded(ended: Deferred[None]) -> Deferred[None]:
    """A Deferred that fires with ``ended``, whatever the result, and can be cancelled without cancelling it."""
    if ended.called:
        return succeed(None)
    waiting: Deferred[None] = Deferred()

    def fire(_: object) -> None:
        if not waiting.called:
            waiting.callback(None)

    ended.addBoth(fire)
    return waiting
