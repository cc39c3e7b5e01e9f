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
        self._queue: SimpleQueue[tuple[Callable[[], Any], Deferred[Any] | None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], T]) -> Deferred[T]:
        """Do it after all that was given before; fires with what it returned, or fails with what it raised."""
        done: Deferred[T] = Deferred()
        self._put((work, done))
        return done

    def post(self, work: Callable[[], Any]) -> None:
        """The same without a result; what it raises is logged."""
        self._put((work, None))

    def stop(self) -> Deferred[None]:
        """End the thread after all that was given before; fires when that is done."""
        ended = self.run(lambda: None)
        self._queue.put(None)
        return ended

    def call_in_reactor(self, function: Callable[..., Any], *args: Any) -> None:
        """Called in the thread: have the function called in the reactor's."""
        self._reactor.callFromThread(function, *args)

    def _put(self, piece: tuple[Callable[[], Any], Deferred[Any] | None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._queue.put(piece)

    def _run(self) -> None:
        while (piece := self._queue.get()) is not None:
            work, done = piece
            try:
                result: Any = work()
            except BaseException:
                result = Failure()  # type: ignore[no-untyped-call]
                if done is None:
                    self._reactor.callFromThread(self._log.failure, "work in the thread {name} failed", result, name=self._name)
            if done is not None:
                self._reactor.callFromThread(done.callback, result)
            del piece, work, done, result  # or the thread would hold on to all of it until there is more to do
