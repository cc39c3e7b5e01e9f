"""The backend as the register of chargers: asked in each handshake whether the charger is to be admitted, and remembered for when it is down.

Knows neither HTTP nor credentials; those are judged before, so that nobody has the backend asked who could not come in anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..core.entries import SAID_BY_BACKEND, Put, Record, Unchanged
from ..facts import Admission
from ..interfaces import BackendFailed, IBackend, StoreUnavailable
from ..waiting import deferred, in_time
from .publisher import Publisher

MAX_WAITING = 10_000
"""Most chargers that wait for their turn to be asked about; of further ones the remembered verdict counts, and whoever has none is told to come
again."""

MAX_WAIT = 5.0
"""Seconds that a charger without a remembered verdict waits for its turn and the answer; then it is told to come again."""

STORE_TIMEOUT = 3.0
"""Seconds that a new verdict has to become durable before its charger is admitted: the record that it is served with is to have it."""


class Question:
    """About one charger, whoever waits for the answer; ``record`` is what is remembered."""

    __slots__ = ("record", "waiting")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.waiting: list[Deferred[Admission]] = []


class BackendRegister:
    """One for a gateway. At most ``limit`` requests are under way at a time, so that as many again remain for starts and tags.

    ``on_changed`` is called with a charger and what has changed of its record, where it was admitted by a verdict that no longer holds.
    """

    def __init__(self, backend: IBackend, clock: IReactorTime, publisher: Publisher, limit: int) -> None:
        self.on_changed: Callable[[str, Mapping[str, Any]], None] = lambda charger, changes: None
        self._backend = backend
        self._clock = clock
        self._publisher = publisher
        self._limit = limit
        self._asking: dict[str, Question] = {}
        self._queue: dict[str, Question] = {}
        self._in_turn = False  # a backend that fails at once is asked about one charger after the other, not about each inside the former

    def look_up(self, charger: str, record: Record) -> Record | Deferred[Record]:
        """The record with the backend's verdict; with the remembered one if the backend is busy or does not answer.

        Fails with `StoreUnavailable` if there is neither.
        """
        known = bool(record.backend_verdict)
        if known and self._busy(charger):
            self._ask(charger, record)  # it is asked about all the same, when there is time
            return record
        question = self._ask(charger, record)
        if question is None:
            raise StoreUnavailable("too many chargers wait for the backend")
        answer: Deferred[Admission] = Deferred(lambda _: None)
        question.waiting.append(answer)
        answer.addTimeout(MAX_WAIT, self._clock)
        self._next()
        return answer.addCallbacks(self._answered, self._failed, callbackArgs=(charger, record), errbackArgs=(record,))

    def _busy(self, charger: str) -> bool:
        return len(self._asking) >= self._limit and charger not in self._asking

    def _ask(self, charger: str, record: Record) -> Question | None:
        """The question about a charger, asked or waiting for its turn; None if too many wait."""
        question = self._asking.get(charger) or self._queue.get(charger)
        if question is None:
            if len(self._queue) >= MAX_WAITING:
                return None
            question = self._queue[charger] = Question(record)
        return question

    def _next(self) -> None:
        if self._in_turn:
            return
        self._in_turn = True
        try:
            while self._queue and len(self._asking) < self._limit:
                charger = next(iter(self._queue))
                question = self._asking[charger] = self._queue.pop(charger)
                deferred(self._backend.admission(charger)).addBoth(self._done, charger, question)
        finally:
            self._in_turn = False

    def _done(self, answer: Admission | Failure, charger: str, question: Question) -> None:
        del self._asking[charger]
        changes = _changes(question.record, answer) if isinstance(answer, Admission) else {}
        if changes and question.record.backend_verdict:  # it may be connected, by what was said before
            self._remember(charger, question.record, changes)
            self.on_changed(charger, changes)
        for each in question.waiting:
            if not each.called:
                each.callback(answer)
        self._next()

    async def _stored(self, charger: str, record: Record, changes: dict[str, str]) -> Record:
        with suppress(TimeoutError, CancelledError):  # it is served without; the next handshake asks again
            await in_time(self._remember(charger, record, changes), STORE_TIMEOUT, self._clock)
        return replace(record, **changes)

    def _answered(self, answer: Admission, charger: str, record: Record) -> Record | Deferred[Record]:
        changes = _changes(record, answer)
        if not changes or (answer.verdict == "refuse" and not record.backend_verdict):
            return replace(record, **changes)  # of a stranger nothing is stored
        return Deferred.fromCoroutine(self._stored(charger, record, changes))

    def _failed(self, why: Failure, record: Record) -> Record:
        why.trap(BackendFailed, TimeoutError, CancelledError)  # type: ignore[no-untyped-call]
        if record.backend_verdict:
            return record
        raise StoreUnavailable(f"the backend has not said whether it may come in: {why.getErrorMessage() or 'it takes too long'}") from None

    def _remember(self, charger: str, record: Record, changes: dict[str, str]) -> Deferred[None]:
        """Unless another gateway has asked meanwhile; fires once that is durable."""
        puts = [Put("record", name, value.encode() or None) for name, value in changes.items()]
        return self._publisher.durable(charger, (Unchanged.of(record, *SAID_BY_BACKEND), *puts))


def _changes(record: Record, answer: Admission) -> dict[str, str]:
    """What an answer changes of a record."""
    profile = "" if answer.security_profile is None else str(answer.security_profile)
    said = {"backend_verdict": answer.verdict, "backend_profile": profile}
    return {name: value for name, value in said.items() if getattr(record, name) != value}
