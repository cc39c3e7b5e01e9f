"""Work that may block, done in a thread of its own, one piece after the other.

Knows nothing of what is done. Results come back to the reactor's thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")


class SerialThread:
    """The thread begins with the first piece of work."""

    _log = Logger()

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._work: SimpleQueue[tuple[Callable[[], Any], Deferred[Any] | None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Do it when all that was given before is done; fires with what it returned, or fails with what it raised."""
        done: Deferred[T] = Deferred()
        self._give((work, done))
        return done

    def post(self, work: Callable[[], Any]) -> None:
        """The same for nobody who waits: what it raises is logged."""
        self._give((work, None))

    def end(self) -> Deferred[None]:
        """Take no more; fires when all is done."""
        ended = self.run(lambda: None)
        self._work.put(None)
        return ended

    def call_in_reactor(self, told: Callable[..., Any], *args: Any) -> None:
        """Called in the thread: have this called in the reactor's."""
        self._reactor.callFromThread(told, *args)

    def _give(self, piece: tuple[Callable[[], Any], Deferred[Any] | None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._work.put(piece)

    def _run(self) -> None:
        while (piece := self._work.get()) is not None:
            work, done = piece
            try:
                result: Any = work()
            except BaseException:
                result = Failure()  # type: ignore[no-untyped-call]
                if done is None:
                    self._reactor.callFromThread(self._log.failure, "in the thread {name}", result, name=self._name)
            if done is not None:
                self._reactor.callFromThread(done.callback, result)
            del piece, work, done, result  # or it would hold on to all of it until there is more to do
