"""A backend of dictionaries within the process, for tests and for trying the gateway out.

Knows nothing of HTTP.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ..facts import Admission, Authorization
from ..interfaces import BackendFailed, IBackend

T = TypeVar("T")


@implementer(IBackend)
class StaticBackend:
    """Answers from ``transactions`` (tag -> id), ``tags`` (tag -> Authorization), ``answers`` (action -> members) and ``chargers``
    (identity -> Admission).

    A tag in neither of the first two has no transaction and is Invalid; a charger that is not in the last is refused. ``asked`` records every call: the method's name and its
    arguments, a tag type or a key only when there is one.
    """

    def __init__(
        self,
        transactions: dict[str, int] | None = None,
        tags: dict[str, Authorization] | None = None,
        answers: dict[str, dict[str, Any]] | None = None,
        chargers: dict[str, Admission] | None = None,
    ) -> None:
        self.transactions = {} if transactions is None else transactions
        self.tags = {} if tags is None else tags
        self.answers = {} if answers is None else answers
        self.chargers = {} if chargers is None else chargers
        self.asked: list[tuple[Any, ...]] = []
        self._reason = ""
        self._held: list[Deferred[None]] | None = None

    def transaction(self, tag: str, charger: str, connector: int, key: str = "") -> Deferred[int | None]:
        """The id of the transaction that this tag may start, None for none. It is the same whatever the ``key``."""
        self.asked.append(("transaction", tag, charger, connector, key) if key else ("transaction", tag, charger, connector))
        return self._answer(self.transactions.get(tag))

    def authorize(self, tag: str, charger: str, connector: int | None, tag_type: str = "") -> Deferred[Authorization]:
        """The authorization of the tag; ``tag_type`` is the tag's type in 2.x."""
        self.asked.append(("authorize", tag, charger, connector, tag_type) if tag_type else ("authorize", tag, charger, connector))
        return self._answer(self.tags.get(tag, Authorization("Invalid")))

    def answer(self, charger: str, ocpp: str, action: str, payload: bytes) -> Deferred[dict[str, Any] | None]:
        """Members to set in the answer to a message whose ``payload`` is JSON; None for no answer of the backend's own."""
        self.asked.append(("answer", charger, ocpp, action, payload))
        return self._answer(self.answers.get(action))

    def admission(self, charger: str) -> Deferred[Admission]:
        """Whether the charger may connect."""
        self.asked.append(("admission", charger))
        return self._answer(self.chargers.get(charger, Admission("refuse")))

    def fail(self, reason: str = "the backend is made to fail") -> None:
        """Fail every call from now on, and those that hang."""
        self._reason = reason
        self._release()

    def hang(self) -> None:
        """Leave every call from now on unanswered, until `fail` or `recover`."""
        self._reason = ""
        self._held = self._held or []

    def recover(self) -> None:
        """Answer again, also those that hang."""
        self._reason = ""
        self._release()

    def _answer(self, answer: T) -> Deferred[T]:
        if self._held is None:
            return fail(BackendFailed(self._reason)) if self._reason else succeed(answer)
        held: Deferred[None] = Deferred()
        self._held.append(held)
        return held.addCallback(lambda _none: self._answer(answer))

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for waiting in held:
            waiting.callback(None)
