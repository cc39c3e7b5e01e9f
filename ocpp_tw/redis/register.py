"""Looks up in a charger's handshake what is stored about it; without Redis, in what this gateway has seen of it.

Knows neither passwords nor who is let in.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.task import deferLater
from zope.interface import implementer

from ..core.entries import CREDENTIALS, FLEET, GUARDED, SECURITY, Record
from ..interfaces import IRegister, StoreUnavailable
from ..log import Logger
from ..spool import Spool
from ..waiting import cancelled, in_time
from .connection import Connection
from .keys import Keys
from .protocol import RedisError, encode
from .records import RedisRecords

REDIS_TIMEOUT = 2.0
"""Seconds that Redis has to answer; then the mirror is asked."""

INTERVAL = 10.0
"""Seconds between looks whether any charger of the fleet has credentials, which matters only if Redis fails afterwards."""

MAX_MIRRORED = 100_000
"""Most chargers whose credentials this process knows to be in the mirror; at that many all are forgotten, and mirrored again."""


@implementer(IRegister)
class RedisRegister(Service):
    """The register over an ordinary connection. What it reads of credentials goes to the ``spool``'s mirror, whoever has written it."""

    _log = Logger()

    def __init__(self, connection: Connection, keys: Keys, records: RedisRecords, spool: Spool | None) -> None:
        self._connection = connection
        self._keys = keys
        self._records = records
        self._spool = spool
        self._mirrored: dict[str, int] = {}
        self.guarded: bool | None = None
        """Whether any charger of the fleet has credentials; None until Redis has been asked, or the mirror."""
        self._task: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._task = Deferred.fromCoroutine(self._keep_looking()).addErrback(cancelled)

    def stopService(self) -> None:
        super().stopService()
        if self._task is not None:
            self._task.cancel()

    async def find(self, charger: str) -> Record:
        """See `IRegister`."""
        key = encode(self._keys.table("record", charger))
        if self._connection.client is not None:
            try:
                fields = await in_time(self._records.with_pending(key, self._from_redis), REDIS_TIMEOUT, self._connection.reactor)
            except (TimeoutError, CancelledError, RedisError):
                pass
            else:
                record = _record(fields)
                if self._spool is not None:
                    self._mirror(charger, key, record)
                return record
        if self._spool is not None and (fields := await self._records.with_pending(key, self._spool.mirrored)):
            return _record(fields)
        if await self._is_guarded():
            raise StoreUnavailable("Redis does not answer, and this gateway has not seen the charger")
        return Record()

    async def _from_redis(self, key: bytes) -> dict[bytes, Any]:
        reply: list[bytes] = await self._connection.send("HGETALL", key)
        return dict(zip(reply[::2], reply[1::2], strict=True))

    def _mirror(self, charger: str, key: bytes, record: Record) -> None:
        credentials = [getattr(record, name) for name in CREDENTIALS]
        known = self._mirrored.get(charger)
        if known is None and not any(credentials):
            return  # as nearly all are where nobody authenticates
        found = hash(tuple(credentials))
        if found != known and self._spool is not None:
            if len(self._mirrored) >= MAX_MIRRORED:
                self._mirrored.clear()
            self._mirrored[charger] = found
            self._spool.remember(
                [(key, name.encode(), value.encode() or None) for name, value in zip(CREDENTIALS, credentials, strict=True)]
            )

    async def _is_guarded(self) -> bool:
        """As far as this gateway knows: as Redis said last, or else as the mirror has it."""
        if self.guarded is None and self._spool is not None:
            self.guarded = GUARDED.encode() in await self._spool.mirrored(self._fleet)
        return bool(self.guarded)

    @property
    def _fleet(self) -> bytes:
        return encode(self._keys.table(FLEET, SECURITY))

    async def _keep_looking(self) -> None:
        while self.running:
            try:
                fields = await self._from_redis(self._fleet)
            except RedisError as why:
                self._log.error("whether chargers have credentials cannot be read: {why}", why=str(why))
            else:
                guarded = GUARDED.encode() in fields
                if guarded != self.guarded and self._spool is not None:
                    self._spool.remember([(self._fleet, GUARDED.encode(), b"yes" if guarded else None)])
                self.guarded = guarded
            await deferLater(self._connection.reactor, INTERVAL)


def _record(fields: dict[str, bytes]) -> Record:
    return Record(*[fields.get(name, b"").decode(errors="replace") for name in Record.__struct_fields__])
