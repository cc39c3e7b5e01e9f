"""Drains the spool to Redis: rows are read and written in their order, and the next are read while Redis is at work on those before.

Knows neither which way new events go nor when draining is due. States; what Redis is at work on is the writer's:

| state | a read is under way | ``_ahead`` | next state |
|---|---|---|---|
| idle | no | empty | `advance`: reading |
| reading | yes | empty | rows: ahead; none, or the spool is unreadable: idle |
| ahead | no | rows that wait for the writer | the writer is free: reading |

A read that finds nothing while Redis is at work on nothing is the end of the spool: ``exhausted``.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..log import Logger
from ..spool import Row, Spool
from .groups import MAX_EVENTS
from .protocol import Packed
from .writer import Writer


class Drain:
    """``drained`` is called whenever Redis has some rows, ``exhausted`` when it has all; ``acknowledged`` with each element that such rows
    acknowledge.

    Without a ``spool`` there is nothing to do, and it must not be asked to.
    """

    _log = Logger()

    def __init__(
        self,
        spool: Spool | None,
        writer: Writer,
        acknowledged: Callable[[bytes], None],
        drained: Callable[[], None],
        exhausted: Callable[[], None],
    ) -> None:
        self.elements: dict[int, list[bytes]] = {}
        """The elements that rows of this incarnation acknowledge, by row."""
        self._spool = spool
        self._writer = writer
        self._acknowledged = acknowledged
        self._drained = drained
        self._exhausted = exhausted
        self._running = False
        self._reading = False
        self._ahead: list[Row] = []
        self._last_read = 0  # the id of the last row that was read
        self._catching_up: list[Deferred[None]] = []
        self._unreadable = False  # it has been logged that the spool cannot be read

    def start(self) -> None:
        """Reads may begin."""
        self._running = True

    def stop(self) -> None:
        """Begin no more reads, and drop what a read that is under way finds."""
        self._running = False
        for each in self._catching_up[:]:
            each.cancel()

    def caught_up(self) -> Deferred[None]:
        """Fires at the next `fire_caught_up`; cancelled by `stop`."""
        caught_up: Deferred[None] = Deferred(self._catching_up.remove)
        self._catching_up.append(caught_up)
        return caught_up

    def fire_caught_up(self) -> None:
        """Redis has all that was in the spool."""
        waiting, self._catching_up = self._catching_up, []
        for each in waiting:
            each.callback(None)

    def advance(self) -> None:
        """Give the writer the rows that wait for it, and read the next."""
        if self._ahead and not self._writer.busy:
            rows, self._ahead = self._ahead, []
            batch = [Packed(each.arguments, each.data) for each in rows]
            self._writer.write(batch, lambda numbers: self._written(rows), rows[0].incarnation)
        if self._running and not self._reading and not self._ahead:
            assert self._spool is not None
            self._reading = True
            self._spool.read(self._last_read, MAX_EVENTS).addCallbacks(self._found, self._failed)

    def clear(self) -> None:
        """Delete all that was read: Redis has it."""
        if self._spool is not None and (self._last_read or self._spool.groups):
            self._spool.clear(self._last_read)

    def _found(self, rows: list[Row]) -> None:
        self._reading = self._unreadable = False
        if not self._running:
            return
        if rows:
            self._ahead, self._last_read = rows, rows[-1].id
            self.advance()
        elif not self._writer.busy:  # or the next read comes when it is free
            self._exhausted()

    def _failed(self, why: Failure) -> None:
        self._reading = False
        if not self._unreadable:
            self._unreadable = True
            self._log.error("the spool cannot be read: {why}", why=why.getErrorMessage())

    def _written(self, rows: list[Row]) -> None:
        assert self._spool is not None
        self._spool.delete(rows)
        for each in rows:
            for element in self.elements.pop(each.id, ()):
                self._acknowledged(element)
        self._drained()
        self.advance()
