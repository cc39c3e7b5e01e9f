"""What the fleet remembers of chargers beside their events, and the transaction ids it gives out.

Writes none of it but the ids: records are written by the effects of entries (`ocpp_tw.redis.events`).
"""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import IRecords
from ..store import Record
from .connection import Connection
from .names import Names

FIRST_ID = 1_000_000_001
"""Where the gateway's own range of transaction ids begins: a backend's own ids are far below."""


@implementer(IRecords)
class RedisRecords:
    """Records over an ordinary connection. Its methods wait while Redis is of no use."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names

    async def transactions(self, charger: str) -> list[bytes]:
        """See `IRecords`."""
        kept: list[bytes] = await self._connection.say("HVALS", self._names.shelf("transactions", charger))
        return kept

    async def record(self, charger: str) -> Record:
        """See `IRecords`."""
        asked = ("HMGET", self._names.shelf("record", charger), *Record.__struct_fields__)
        fields: list[bytes | None] = await self._connection.say(*asked)
        return Record(*[(field or b"").decode(errors="replace") for field in fields])

    async def shelf(self, name: str, of: str) -> dict[str, bytes]:
        """See `IRecords`."""
        flat: list[bytes] = await self._connection.say("HGETALL", self._names.shelf(name, of))
        return {key.decode(errors="replace"): value for key, value in zip(flat[::2], flat[1::2], strict=True)}

    async def lease(self, count: int) -> int:
        """See `IRecords`. Ids are lost, never given twice, when Redis fails in between."""
        if count < 1:
            raise ValueError("at least one id must be leased")
        total: int = await self._connection.say("INCRBY", self._names.transaction_ids, count)
        return FIRST_ID + total - count
