"""A circuit breaker: after some failures in a row the backend is not asked for a while, so that a dead one delays nobody.

Knows no HTTP; it wraps any `IBackend`, and fails at once in its place while it is open. It tells the log of failures: one by one as long as
they are few, then when it opens and when the backend is back, with the number of what had no answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from ..complaints import Complaints
from ..facts import Admission, Authorization
from ..histogram import Histogram
from ..interfaces import BackendFailed, IBackend
from ..log import Logger
from ..waiting import deferred

log = Logger()

T = TypeVar("T")

FAILURES = 5
"""Requests in a row without a usable answer after which the breaker opens."""

COOL_DOWN = 5.0
"""Seconds for which it stays open; then the backend is probed."""

PROBES = 2
"""Requests that may probe the backend then: a start makes two."""


QUESTIONS = ("transaction", "authorize", "answer", "admission")
REASONS = ("failed", "not_asked")
"""Why there is no answer: the backend had none of use, or was not asked while the breaker was open."""


class QuestionCounts:
    """``took`` is how long questions of a kind took, in seconds, those without a usable answer too; ``failures`` how many had none, of a
    kind and for one of the `REASONS`.
    """

    def __init__(self) -> None:
        self.took: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.failures: defaultdict[tuple[str, str], int] = defaultdict(int)


@implementer(IBackend)
class Breaker:
    """The wrapped backend; ``on_recovery`` is called when it answers again after the breaker was open."""

    def __init__(self, backend: IBackend, clock: IReactorTime) -> None:
        self.counts = QuestionCounts()
        self.on_recovery: Callable[[], None] = lambda: None
        self._backend = backend
        self._clock = clock
        self._failures = 0
        self._why = ""
        self._open_until = 0.0
        self._probes_left = 0
        self._unanswered = 0
        """Questions since it opened."""
        self._complaints = Complaints(clock.seconds)

    @property
    def allows_requests(self) -> bool:
        """Whether a request would be made now."""
        return self._failures < FAILURES or self._probes_left > 0 or self._clock.seconds() >= self._open_until

    @property
    def trouble(self) -> str:
        """Why the backend is of no use at the moment; "" if it is, as far as is known."""
        return f"{self._failures} questions in a row without a usable answer, the last: {self._why}" if self._failures >= FAILURES else ""

    def transaction(self, tag: str, charger: str, connector: int, key: str = "") -> Deferred[int | None]:
        """See `IBackend`."""
        return self._guarded("transaction", charger, lambda: self._backend.transaction(tag, charger, connector, key))

    def authorize(self, tag: str, charger: str, connector: int | None, tag_type: str = "") -> Deferred[Authorization]:
        """See `IBackend`."""
        return self._guarded("authorize", charger, lambda: self._backend.authorize(tag, charger, connector, tag_type))

    def answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> Deferred[dict[str, Any] | None]:
        """See `IBackend`."""
        return self._guarded("answer", charger, lambda: self._backend.answer(charger, ocpp, action, payload))

    def admission(self, charger: str) -> Deferred[Admission]:
        """See `IBackend`."""
        return self._guarded("admission", charger, lambda: self._backend.admission(charger))

    def _guarded(self, question: str, charger: str, ask: Callable[[], Awaitable[T]]) -> Deferred[T]:
        if not self.allows_requests:
            self._unanswered += 1
            self.counts.failures[question, "not_asked"] += 1
            return fail(BackendFailed(f"the backend has failed {self._failures} times in a row and is not asked for {COOL_DOWN:g} s"))
        if self._failures >= FAILURES:  # this one probes; the others need not wait for it
            if self._probes_left == 0:
                self._probes_left, self._open_until = PROBES, self._clock.seconds() + COOL_DOWN
            self._probes_left -= 1
        began = self._clock.seconds()
        return deferred(ask()).addCallbacks(
            self._succeeded, self._failed, callbackArgs=(question, began), errbackArgs=(charger, question, began)
        )

    def _succeeded(self, answer: T, question: str, began: float) -> T:
        self.counts.took[question].add(self._clock.seconds() - began)
        recovered, self._failures = self._failures >= FAILURES, 0
        if recovered:
            log.info("backend answers again; {count} questions had no answer meanwhile", count=self._unanswered)
            self._unanswered = 0
            self.on_recovery()
        return answer

    def _failed(self, failure: Failure, charger: str, question: str, began: float) -> Failure:
        if failure.check(BackendFailed):  # type: ignore[no-untyped-call]
            self.counts.took[question].add(self._clock.seconds() - began)
            self.counts.failures[question, "failed"] += 1
            self._failures += 1
            self._why = failure.getErrorMessage()
            self._probes_left = 0
            self._open_until = self._clock.seconds() + COOL_DOWN
            if self._failures > FAILURES:
                self._unanswered += 1
            else:
                self._complaints.warn("no answer of the backend about {charger}: {why}", charger=charger, why=failure.getErrorMessage())
            if self._failures == FAILURES:
                log.warn("backend failed {count} times in a row; it is retried every {seconds} s", count=FAILURES, seconds=COOL_DOWN)
        return failure
