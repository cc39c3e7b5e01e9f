"""A backend that is dead slows nobody: after some failures in a row it is left in peace for a while, and then tried with a question or two.

Knows no HTTP; it stands before any `IBackend`, and fails at once in its place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..facts import Authorization
from ..interfaces import BackendFailed, IBackend
from ..waiting import deferred

log = Logger()

T = TypeVar("T")

FAILURES = 5
"""So many questions in a row without an answer of any use, and no more are asked for a while."""

COOL_DOWN = 5.0
"""Seconds until it is tried again."""

PROBES = 2
"""So many questions find out then: a start has two."""


@implementer(IBackend)
class Breaker:
    """The same backend, asked only while there is hope; ``on_recovery`` is called when it answers again after all."""

    def __init__(self, backend: IBackend, clock: IReactorTime) -> None:
        self.on_recovery: Callable[[], None] = lambda: None
        self._backend = backend
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._probes_left = 0

    @property
    def allows_requests(self) -> bool:
        """Whether a question would be asked now."""
        return self._failures < FAILURES or self._probes_left > 0 or self._clock.seconds() >= self._open_until

    def transaction(self, tag: str, charger: str, connector: int, key: str = "") -> Deferred[int | None]:
        """See `IBackend`."""
        return self._guarded(lambda: self._backend.transaction(tag, charger, connector, key))

    def authorize(self, tag: str, charger: str, connector: int | None, tag_type: str = "") -> Deferred[Authorization]:
        """See `IBackend`."""
        return self._guarded(lambda: self._backend.authorize(tag, charger, connector, tag_type))

    def answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> Deferred[dict[str, Any] | None]:
        """See `IBackend`."""
        return self._guarded(lambda: self._backend.answer(charger, ocpp, action, payload))

    def _guarded(self, ask: Callable[[], Awaitable[T]]) -> Deferred[T]:
        if not self.allows_requests:
            return fail(BackendFailed(f"the backend has failed {self._failures} times in a row and is not asked for {COOL_DOWN:g} s"))
        if self._failures >= FAILURES:  # this one finds out; the others need not wait for it
            if self._probes_left == 0:
                self._probes_left, self._open_until = PROBES, self._clock.seconds() + COOL_DOWN
            self._probes_left -= 1
        return deferred(ask()).addCallbacks(self._succeeded, self._failed)

    def _succeeded(self, answer: T) -> T:
        recovered, self._failures = self._failures >= FAILURES, 0
        if recovered:
            log.info("the backend answers again")
            self.on_recovery()
        return answer

    def _failed(self, failure: Failure) -> Failure:
        if failure.check(BackendFailed):  # type: ignore[no-untyped-call]
            self._failures += 1
            self._probes_left = 0
            self._open_until = self._clock.seconds() + COOL_DOWN
            if self._failures == FAILURES:
                log.warn(
                    "the backend has failed {count} times in a row; it is tried again every {seconds} s", count=FAILURES, seconds=COOL_DOWN
                )
        return failure
