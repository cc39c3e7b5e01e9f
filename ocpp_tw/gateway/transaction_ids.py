"""Transaction ids of the gateway's own range: positive, 31 bits, and given once in the life of the fleet.

Knows only that ids are leased in blocks; a block's rest is lost with the process, never given again.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from ..interfaces import IRecords, Maybe
from ..log import Logger
from ..waiting import deferred, pause

log = Logger()

BLOCK = 1000
"""Ids leased at once."""

LEASE_BELOW = 200
"""Ids left in a block at which the next is leased, so that no start has to wait."""

RESERVED = 10_000
"""Ids reserved on the disk, for a gateway that starts while Redis is down."""

PATIENCE = 1.0
"""Seconds that a start waits for an id while none can be leased; then ids are drawn at random."""

RANDOM_RANGE = (2_000_000_000, 2_147_483_000)
"""The range of ids drawn at random: above all that are ever leased."""


class Reserve(Protocol):
    """Where ids are kept for a start without the store."""

    def reserve(self) -> Awaitable[tuple[int, int] | None]:
        """The first id kept, and how many; None when there are none."""

    def put_by(self, ids: tuple[int, int] | None) -> Awaitable[None]:
        """Keep these in place of those that are kept; None: those are in use from now on."""


class TransactionIds:
    """Gives out ids: from a leased block, else from the ``reserve``, else at random."""

    __slots__ = ("_clock", "_end", "_falling_back", "_leasing", "_next", "_records", "_reserve", "_reserving", "_spare", "_waiting")

    def __init__(self, records: IRecords, clock: IReactorTime, reserve: Reserve | None = None) -> None:
        self._records = records
        self._clock = clock
        self._reserve = reserve
        self._next = self._end = 0
        self._spare: tuple[int, int] | None = None
        self._leasing = self._falling_back = self._reserving = False
        self._waiting: list[Deferred[int]] = []

    def next(self) -> Maybe[int]:
        """The next id; at once while a block has any."""
        if self._next == self._end and self._spare is not None:
            self._next, self._end = self._spare
            self._spare = None
        if self._end - self._next <= LEASE_BELOW and self._spare is None:
            self.lease()
            if self._next == self._end and self._spare is None:
                return self._later()
            if self._next == self._end:
                return self.next()
        self._next += 1
        return self._next - 1

    def lease(self) -> None:
        """Lease a block; called at the start too, to be ready before the first charger connects."""
        if not self._leasing:
            self._leasing = True
            Deferred.fromCoroutine(self._lease())

    def _later(self) -> Deferred[int]:
        waiting: Deferred[int] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        if not self._falling_back:
            self._falling_back = True
            Deferred.fromCoroutine(self._fall_back()).addErrback(lambda why: log.failure("transaction ids cannot be given out", why))
        return waiting

    async def _lease(self) -> None:
        try:
            first = await self._records.lease(BLOCK)
        except CancelledError:
            return  # the gateway ends
        except Exception:
            log.failure("transaction ids cannot be leased")
            return
        finally:
            self._leasing = False
        self._got(first, BLOCK)
        if self._reserve is not None and not self._reserving:
            self._reserving = True
            try:
                if await self._reserve.reserve() is None:
                    await self._reserve.put_by((await self._records.lease(RESERVED), RESERVED))
            except CancelledError:
                return
            except Exception as why:
                log.warn("transaction ids cannot be reserved on the disk: {why}", why=str(why))
            finally:
                self._reserving = False

    async def _fall_back(self) -> None:
        """No ids can be leased at the moment: use the reserve, or draw ids at random."""
        try:
            if self._reserve is not None:
                put_by = await self._reserve.reserve()
                if put_by is not None and self._waiting:
                    await self._reserve.put_by(None)
                    log.warn("transaction ids are taken from the reserve, from {first}", first=put_by[0])
                    self._got(*put_by)
            if self._waiting:
                await pause(PATIENCE, self._clock)
            if self._waiting:
                low, high = RANDOM_RANGE
                first = low + secrets.randbelow((high - low) // BLOCK) * BLOCK
                log.warn("transaction ids cannot be leased, they are drawn at random, from {first}", first=first)
                self._got(first, BLOCK)
        finally:
            self._falling_back = False

    def _got(self, first: int, count: int) -> None:
        self._spare = first, first + count
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            id = self.next()
            if isinstance(id, int):
                each.callback(id)
            else:
                deferred(id).chainDeferred(each)
