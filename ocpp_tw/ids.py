"""Transaction ids of the gateway's own range: positive, 31 bits, and given once in the life of the fleet.

Knows only that ids are leased in blocks; a block's rest is lost with the process, never given again.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from .interfaces import IRecords, Maybe

log = Logger()

BLOCK = 1000
"""How many ids are leased at once."""

AHEAD = 200
"""With so many left the next block is asked for, so that nobody waits."""


class TransactionIds:
    """Gives ids out, from a block if there is one at hand."""

    __slots__ = ("_end", "_next", "_records", "_spare", "_waiting")

    def __init__(self, records: IRecords) -> None:
        self._records = records
        self._next = self._end = 0
        self._spare: int | None = None
        self._waiting: list[Deferred[int]] | None = None  # a list while a lease is being asked for

    def next(self) -> Maybe[int]:
        """The next id; at once while there are any."""
        if self._next == self._end and self._spare is not None:
            self._next, self._end, self._spare = self._spare, self._spare + BLOCK, None
        if self._end - self._next <= AHEAD and self._spare is None:
            self.lease()
            if self._next == self._end:
                return self._later()
        self._next += 1
        return self._next - 1

    def lease(self) -> None:
        """Ask for a block; also to be ready before the first charger comes."""
        if self._waiting is None:
            self._waiting = []
            Deferred.fromCoroutine(self._lease())

    def _later(self) -> Maybe[int]:
        if self._waiting is None:  # the lease was there at once
            return self.next()
        waiting: Deferred[int] = Deferred(self._forget)
        self._waiting.append(waiting)
        return waiting

    def _forget(self, waiting: Deferred[int]) -> None:
        if self._waiting and waiting in self._waiting:
            self._waiting.remove(waiting)

    async def _lease(self) -> None:
        try:
            self._spare = await self._records.lease(BLOCK)
        except CancelledError:
            return  # the gateway ends
        except Exception:
            log.failure("no transaction ids could be leased")
            waiting, self._waiting = self._waiting or [], None
            for each in waiting:
                each.errback()
            return
        waiting, self._waiting = self._waiting or [], None
        for each in waiting:
            id = self.next()
            if isinstance(id, int):
                each.callback(id)
