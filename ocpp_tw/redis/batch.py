"""Sends what comes in one turn of the reactor together, in its order, one batch at a time.

Knows no connection, neither what is sent nor how.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..log import Logger

MAX_BATCH = 64
"""Most of a batch: what follows upon its answer is done in one turn of the reactor."""


class Item(Protocol):
    """What is sent: ``waiting`` fires with what comes of it."""

    waiting: Deferred[Any]

    def resolve(self, reply: Any) -> None:
        """This is the reply to it; it may be waited for no more."""


E = TypeVar("E", bound=Item)


class Batch(Generic[E]):
    """``send`` is given a batch and fires with the reply to each of it, in their order."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime, send: Callable[[list[E]], Deferred[list[Any]]]) -> None:
        self._reactor = reactor
        self._send = send
        self._queue: deque[E] = deque()
        self._busy = False

    def add(self, item: E) -> None:
        """Send it with the next batch; its ``waiting`` fires then, or fails."""
        self._queue.append(item)
        if not self._busy:
            self._busy = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        batch = unresolved([self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))])
        sent = self._send(batch)
        sent.addCallbacks(self._sent, self._failed, callbackArgs=(batch,), errbackArgs=(batch,))
        sent.addErrback(lambda why: self._log.failure("what follows upon a batch's answer failed", why))

    def _sent(self, replies: list[Any], batch: list[E]) -> None:
        self._go_on()
        for item, reply in zip(batch, replies, strict=True):
            item.resolve(reply)

    def _failed(self, why: Failure, batch: list[E]) -> None:
        self._go_on()
        for item in unresolved(batch):
            item.waiting.errback(why)

    def _go_on(self) -> None:
        self._busy = bool(self._queue)
        if self._busy:
            self._reactor.callLater(0, self._turn)


def unresolved(batch: list[E]) -> list[E]:
    """Those that are still waited for."""
    return [each for each in batch if not each.waiting.called]
