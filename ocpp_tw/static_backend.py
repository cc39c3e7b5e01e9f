"""A backend of dictionaries, in the process: for tests and for trying the gateway out.

Knows nothing of HTTP.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from .backend import BackendFailed
from .facts import Authorisation
from .interfaces import IBackend

T = TypeVar("T")


@implementer(IBackend)
class StaticBackend:
    """Answers from ``transactions`` (tag -> id) and ``tags`` (tag -> Authorisation); who is in neither has none and is Invalid.

    ``asked`` has every question: the method's name and its arguments.
    """

    def __init__(self, transactions: dict[str, int] | None = None, tags: dict[str, Authorisation] | None = None) -> None:
        self.transactions = {} if transactions is None else transactions
        self.tags = {} if tags is None else tags
        self.asked: list[tuple[str, str, str, int | None]] = []
        self._reason = ""
        self._held: list[Deferred[None]] | None = None

    def transaction(self, tag: str, charger: str, connector: int) -> Deferred[int | None]:
        """The id of the transaction that this tag may begin; None: the tag has none."""
        self.asked.append(("transaction", tag, charger, connector))
        return self._answer(self.transactions.get(tag))

    def authorise(self, tag: str, charger: str, connector: int | None) -> Deferred[Authorisation]:
        """What the backend says of the tag."""
        self.asked.append(("authorise", tag, charger, connector))
        return self._answer(self.tags.get(tag, Authorisation("Invalid")))

    def fail(self, reason: str = "the backend is told to fail") -> None:
        """Fail every question from now on, and those that hang."""
        self._reason = reason
        self._release()

    def hang(self) -> None:
        """Leave every question from now on without an answer, until `fail` or `recover`."""
        self._reason = ""
        self._held = self._held or []

    def recover(self) -> None:
        """Answer again, and those that hang too."""
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
        for one in held:
            one.callback(None)
