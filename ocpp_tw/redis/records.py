"""What the fleet remembers of chargers beside their events, and the transaction ids it gives out.

Writes none of it but the ids: records are written by the effects of entries (`ocpp_tw.redis.events`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from zope.interface import implementer

from ..core.entries import Record
from ..interfaces import IRecords
from ..spool.spool import Spool
from ..waiting import in_time
from .connection import Connection
from .events import RedisEvents
from .keys import Keys
from .protocol import encode

REDIS_TIMEOUT = 1.0
"""Seconds that Redis has to say what is on a shelf; then what this gateway knows of it will do."""

WAIT_AFTER_START = 8.0
"""How old a run of the gateway must be for that, in seconds; before, Redis is waited for until then, seen or not. It may know more than the
run before could note when it was killed, of chargers that this run has not asked it about; and those say again what had no answer."""

FIRST_ID = 1_000_000_001
"""Where the gateway's own range of transaction ids begins: a backend's own ids are far below."""


@implementer(IRecords)
class RedisRecords:
    """Records over an ordinary connection. With a ``spool`` they are known without Redis too, as far as this gateway has written them.

    What ``events`` has not brought to Redis yet counts as if it had.
    """

    def __init__(self, connection: Connection, names: Keys, events: RedisEvents | None = None, spool: Spool | None = None) -> None:
        self._connection = connection
        self._names = names
        self._events = events
        self._spool = spool
        self._grown = connection.reactor.seconds() + WAIT_AFTER_START

    async def transactions(self, charger: str) -> list[bytes]:
        """See `IRecords`."""
        return list((await self._read("transactions", charger, self._base)).values())

    async def record(self, charger: str) -> Record:
        """See `IRecords`."""
        found = await self._read("record", charger, self._base)
        return Record(*[found.get(name, b"").decode(errors="replace") for name in Record.__struct_fields__])

    async def table(self, name: str, owner: str) -> dict[str, bytes]:
        """See `IRecords`."""
        return await self._read(name, owner, self._asked)

    async def _read(self, table: str, owner: str, base: Callable[[bytes], Awaitable[dict[bytes, Any]]]) -> dict[str, bytes]:
        key = encode(self._names.table(table, owner))
        pending = self._events.pending(key) if self._events else {}
        if self._spool is not None and self._spool.groups:
            pending = await self._spool.kept(key) | pending
        found = await base(key) | pending
        return {each.decode(errors="replace"): value for each, value in found.items() if value is not None}

    async def _base(self, key: bytes) -> dict[bytes, Any]:
        """What Redis has, or else the mirror."""
        if self._spool is None:
            return await self._asked(key)
        clock = self._connection.reactor
        patience = max(0.0 if self._connection.client is None else REDIS_TIMEOUT, self._grown - clock.seconds())
        if patience > 0:
            try:
                return await in_time(self._asked(key), patience, clock)
            except (TimeoutError, CancelledError):
                pass
        return await self._spool.mirrored(key)

    async def _asked(self, key: bytes) -> dict[bytes, Any]:
        told: list[bytes] = await self._connection.send("HGETALL", key)
        return dict(zip(told[::2], told[1::2], strict=True))

    async def lease(self, count: int) -> int:
        """See `IRecords`. Ids are lost, never given twice, when Redis fails in between."""
        if count < 1:
            raise ValueError("at least one id must be leased")
        total: int = await self._connection.send("INCRBY", self._names.transaction_ids, count)
        return FIRST_ID + total - count
