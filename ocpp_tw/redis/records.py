"""Reads the tables of chargers and gateways, and leases transaction ids.

Writes no table: those are written by the effects of entries (`ocpp_tw.redis.events`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from zope.interface import implementer

from ..core.entries import SPELLINGS, Record
from ..interfaces import IRecords
from ..spool import FieldUpdate, Spool, applied
from ..waiting import in_time
from .connection import Connection
from .events import RedisEvents
from .keys import Keys
from .protocol import encode

REDIS_TIMEOUT = 1.0
"""Seconds that Redis has to give a table; then what the spool's mirror has of it is used."""

WAIT_AFTER_START = 8.0
"""Seconds after the start until which Redis is waited for instead, whether it has been seen or not. Redis may know more than the previous
incarnation could write to the journal before it was killed. Chargers repeat meanwhile what is not answered."""

FIRST_TRANSACTION_ID = 1_000_000_001
"""The first transaction id of the gateways' own range: a backend's own ids are far below."""


MAX_MIRRORED = 100_000
"""Most identities of whose spellings this process knows what the mirror has; at that many all are forgotten, and read from it again."""


@implementer(IRecords)
class RedisRecords:
    """Records over an ordinary connection. With a ``spool`` they can be read without Redis too, as far as this gateway has written them.

    Updates by ``events`` that Redis does not have yet count as if it had them.
    """

    def __init__(self, connection: Connection, keys: Keys, events: RedisEvents | None = None, spool: Spool | None = None) -> None:
        self._connection = connection
        self._keys = keys
        self._events = events
        self._spool = spool
        self._mirrored: dict[bytes, frozenset[str]] = {}
        self._wait_until = connection.reactor.seconds() + WAIT_AFTER_START

    async def transactions(self, charger: str) -> list[bytes]:
        """See `IRecords`."""
        return list((await self._read("transactions", charger, self._from_redis_or_mirror)).values())

    async def record(self, charger: str) -> Record:
        """See `IRecords`."""
        fields = await self._read("record", charger, self._from_redis_or_mirror)
        return Record.read(fields)

    async def table(self, name: str, owner: str, remembered: bool = False) -> dict[str, bytes]:
        """See `IRecords`."""
        if remembered:
            return await self._read(name, owner, self._from_mirror)
        found = await self._read(name, owner, self._from_redis)
        if name == SPELLINGS and self._spool is not None:
            await self._mirror(self._spool, encode(self._keys.table(name, owner)), found)
        return found

    async def _mirror(self, spool: Spool, key: bytes, found: dict[str, bytes]) -> None:
        """Have the mirror say the same of a table."""
        known = self._mirrored.get(key)
        if known is None:
            known = frozenset(name.decode(errors="replace") for name in await spool.mirrored(key))
        if known != found.keys():
            spool.copy([(key, encode(name), found.get(name)) for name in known | found.keys()])
        if len(self._mirrored) >= MAX_MIRRORED:
            self._mirrored.clear()
        self._mirrored[key] = frozenset(found)

    async def _from_mirror(self, key: bytes) -> dict[bytes, Any]:
        return {} if self._spool is None else await self._spool.mirrored(key)

    async def _read(self, table: str, owner: str, read: Callable[[bytes], Awaitable[dict[bytes, Any]]]) -> dict[str, bytes]:
        key = encode(self._keys.table(table, owner))
        pending = await self.pending(key)
        return {name.decode(errors="replace"): value for name, value in applied(await read(key), pending).items()}

    def is_pending(self, key: bytes) -> bool:
        """Whether what Redis has of a table may not be all: updates are on their way."""
        return bool(self._spool and self._spool.groups) or bool(self._events and self._events.pending(key))

    async def pending(self, key: bytes) -> list[FieldUpdate]:
        """What updates on their way to Redis will do to a table, in order (see `ocpp_tw.spool.applied`)."""
        pending = self._events.pending(key) if self._events else []
        if self._spool is not None and self._spool.groups:
            pending = await self._spool.pending(key) + pending
        return pending

    async def _from_redis_or_mirror(self, key: bytes) -> dict[bytes, Any]:
        """The fields in Redis; if Redis does not answer in time, those in the mirror."""
        if self._spool is None:
            return await self._from_redis(key)
        clock = self._connection.reactor
        timeout = max(0.0 if self._connection.client is None else REDIS_TIMEOUT, self._wait_until - clock.seconds())
        if timeout > 0:
            try:
                return await in_time(self._from_redis(key), timeout, clock)
            except (TimeoutError, CancelledError):
                pass
        return await self._from_mirror(key)

    async def _from_redis(self, key: bytes) -> dict[bytes, Any]:
        reply: list[bytes] = await self._connection.send("HGETALL", key)
        return dict(zip(reply[::2], reply[1::2], strict=True))

    async def lease(self, count: int) -> int:
        """See `IRecords`. Ids are lost, never given twice, when the answer is lost."""
        if count < 1:
            raise ValueError("at least one id must be leased")
        total: int = await self._connection.send("INCRBY", self._keys.transaction_ids, count)
        return FIRST_TRANSACTION_ID + total - count
