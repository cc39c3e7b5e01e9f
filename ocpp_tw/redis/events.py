"""Events go to Redis in batches, one at a time and in order, again and again until Redis says that they are written.

Knows neither what events say nor who waits for them to be safe.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..interfaces import IEvents
from ..store import Entry, Settled
from .batch import WRITE, Waiting, load
from .connection import Connection, backoff
from .line import ResponseError
from .names import Names


@implementer(IEvents)
class RedisEvents(Service):
    """Events over a connection of their own, one batch in flight at a time. While Redis is of no use entries wait here, in order.

    ``let_go`` is told of each element whose `Settled` effect was carried out.
    """

    _log = Logger()

    def __init__(self, connection: Connection, names: Names, let_go: Callable[[bytes], None] | None = None) -> None:
        self.trouble = ""
        """Why nothing can be written at the moment; "" while all is well."""
        self._objection = ""
        self._connection = connection
        self._clock = connection.reactor
        self._let_go = let_go
        self._names = names
        self._keys = (names.batch(), names.seq, names.events, names.processing)
        self._queue: list[Waiting] = []
        self._flight: list[Waiting] = []
        self._batch: tuple[Any, ...] = ()
        self._number = 0
        self._busy = False
        self._attempt = 0
        self._safe = 0
        self._soon: Any = None
        self._settling: list[tuple[int, Deferred[None]]] = []
        connection.watch(self._changed)

    @property
    def waiting(self) -> int:
        """How many entries are not safe yet."""
        return len(self._queue) + len(self._flight)

    def publish(self, entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """Append the entry with the batch of this turn of the reactor (see `IEvents`)."""
        self._queue.append(Waiting.of(entry, then, value))
        if self._soon is None and not self._flight and self.running:
            self._soon = self._clock.callLater(0, self._send)

    def settled(self) -> Deferred[None]:
        """Fires once all that was published so far is safe."""
        if not self.waiting:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._settling.append((self._safe + self.waiting, waiting))
        return waiting

    def startService(self) -> None:
        super().startService()
        self._send()

    def stopService(self) -> None:
        """Write no more; what is not safe by now never will be. Await `settled` before, for a while."""
        super().stopService()
        self._unschedule()

    def _unschedule(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def _changed(self) -> None:
        if self._connection.line is None:
            self._failed(self._connection.trouble)
            return
        self._attempt = 0
        self._unschedule()
        if self.waiting:
            self._send()
        else:
            self._works()

    def _send(self) -> None:
        self._soon = None
        line = self._connection.line
        if line is None or self._busy or not self.running or not self.waiting:
            return
        if not self._flight:
            self._number += 1
            self._flight, self._batch = load(self._queue, self._names, self._number)
        self._busy = True
        WRITE.run(line, self._keys, *self._batch).addCallbacks(self._written, self._refused).addErrback(
            lambda why: self._log.failure("events: a batch's end failed", why)
        )

    def _written(self, dropped: list[bytes]) -> None:
        flight, self._flight, self._batch = self._flight, [], ()
        self._busy, self._attempt = False, 0
        self._safe += len(flight)
        for key, why in zip(dropped[::2], dropped[1::2], strict=True):
            text = why.decode(errors="replace")
            self._log.error("events: an effect on {key} was dropped: {why}", key=key.decode(errors="replace"), why=text)
        self._works()
        # The next batch is under way before this one's answers are given.
        self._send()
        for _, _, effects, then, value in flight:
            if effects and self._let_go:
                for effect in effects:
                    if isinstance(effect, Settled):
                        self._let_go(effect.element)
            if then is not None:
                try:
                    then(value)
                except Exception:
                    self._log.failure("events: what follows upon an event failed")
        while self._settling and self._settling[0][0] <= self._safe:
            self._settling.pop(0)[1].callback(None)

    def _refused(self, why: Failure) -> None:
        """It may or may not have been written: it is sent again, under the same number, until an answer says that it was."""
        self._busy = False
        if not self.running:
            return
        self._failed(str(why.value), why.check(ResponseError) is not None)
        self._unschedule()
        self._soon = self._clock.callLater(backoff(self._attempt), self._send)
        self._attempt += 1

    def _failed(self, why: str, refused: bool = False) -> None:
        # Once for an outage and not for each attempt, but a server that is there again and has another objection is told of.
        if self.running and (not self.trouble or (refused and why != self._objection)):
            self._log.error("Redis at {where} takes no events: {why}", where=str(self._connection.where), why=why)
        self.trouble = why
        if refused:
            self._objection = why

    def _works(self) -> None:
        if self.trouble:
            self._log.info(
                "Redis at {where} takes events again; {waiting} are waiting", where=str(self._connection.where), waiting=self.waiting
            )
        self.trouble = self._objection = ""
