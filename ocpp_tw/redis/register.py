"""Looks up in a charger's handshake what is stored about it; without Redis, in what this gateway has seen of it.

Knows neither passwords nor who is let in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, fail
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.entries import FLEET, GUARDED, SECURITY, Page, Record
from ..interfaces import IRegister, StoreUnavailable
from ..spool import FieldUpdate, Spool, applied
from ..waiting import Deadlines
from .batch import Batch
from .connection import Connection
from .keys import Keys
from .protocol import RedisError, ResponseError, encode
from .records import RedisRecords
from .scripts.register import LOOK_UP, PAGE

REDIS_TIMEOUT = 2.0
"""Seconds that Redis has to answer; then the mirror is asked."""

INTERVAL = 1.0
"""Seconds between looks whether any charger of the fleet has credentials: until then none is looked up."""

LOOKED_UP = b"looked up"
"""The field of a mirrored record that says that its credentials are in the mirror, too: of most else, only what this gateway has written is."""


class LookUp:
    """A charger is looked up; ``waiting`` fires with its record's fields."""

    __slots__ = ("key", "waiting")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.waiting: Deferred[dict[bytes, bytes]] = Deferred()

    def resolve(self, reply: list[bytes] | ResponseError) -> None:
        """See `ocpp_tw.redis.batch`."""
        if self.waiting.called:
            return
        if isinstance(reply, ResponseError):
            self.waiting.errback(reply)
        else:
            self.waiting.callback(dict(zip(reply[::2], reply[1::2], strict=True)))


@implementer(IRegister)
class RedisRegister(Service):
    """The register over an ordinary connection. What it reads of credentials goes to the ``spool``'s mirror, whoever has written it."""

    def __init__(self, connection: Connection, keys: Keys, records: RedisRecords, spool: Spool | None) -> None:
        self.guarded: bool | None = None  # until Redis has been asked, or the mirror
        self.presumed = True
        """The same as long as nothing is known of it, neither by Redis nor by the mirror."""
        self._connection = connection
        self._keys = keys
        self._fleet = encode(keys.table(FLEET, SECURITY))
        self._records = records
        self._spool = spool
        self._batch: Batch[LookUp] = Batch(connection.reactor, self._send)
        self._deadlines = Deadlines(REDIS_TIMEOUT, connection.reactor)
        self._looking = LoopingCall(self._look)
        self._looking.clock = connection.reactor

    def startService(self) -> None:
        super().startService()
        self._looking.start(INTERVAL)

    def stopService(self) -> None:
        super().stopService()
        if self._looking.running:
            self._looking.stop()

    def find(self, charger: str) -> Deferred[Record]:
        """See `IRegister`."""
        look_up = LookUp(encode(self._keys.table("record", charger)))
        if self._connection.client is None:
            return Deferred.fromCoroutine(self._without_redis(look_up.key))
        # what is on its way is looked at first: once Redis has it, the look-up will find it
        pending = Deferred.fromCoroutine(self._records.pending(look_up.key)) if self._records.is_pending(look_up.key) else None
        self._batch.add(look_up)
        self._deadlines.begin(look_up.waiting)
        return look_up.waiting.addCallbacks(self._found, self._not_found, callbackArgs=(look_up, pending), errbackArgs=(look_up,))

    def once(self, name: str, seconds: int) -> Deferred[bool]:
        """See `IRegister`."""
        client = self._connection.client
        if client is None:
            return fail(StoreUnavailable("Redis is not connected"))
        asked = self._deadlines.hold(client.send("SET", self._keys.once(name), "", "NX", "EX", seconds))
        return asked.addCallbacks(lambda reply: reply is not None, _unanswered)

    def registered(self, cursor: str, limit: int) -> Deferred[Page]:
        """See `IRegister`."""
        if limit < 1:
            raise ValueError("a page has at least one charger")
        client = self._connection.client
        if client is None:
            return fail(StoreUnavailable("Redis is not connected"))
        asked = self._deadlines.hold(PAGE.run(client, [self._keys.registered], self._keys.table("record", ""), cursor, limit))
        return asked.addCallbacks(_page, _unanswered, callbackArgs=(limit,))

    def _send(self, batch: list[LookUp]) -> Deferred[list[Any]]:
        client = self._connection.client
        if client is None:
            return fail(StoreUnavailable("Redis is not connected"))
        return LOOK_UP.run(client, [self._fleet, *[each.key for each in batch]]).addCallback(self._answered)

    def _answered(self, reply: list[Any]) -> list[Any]:
        guarded = bool(reply[0])
        if guarded != self.guarded and self._spool is not None:
            self._spool.copy([(self._fleet, GUARDED.encode(), b"yes" if guarded else b"no")])
        self.guarded = guarded
        return reply[1:]

    def _found(self, stored: dict[bytes, bytes], look_up: LookUp, pending: Deferred[list[FieldUpdate]] | None) -> Record | Deferred[Record]:
        self._deadlines.end(look_up.waiting)
        if pending is not None:
            return pending.addCallback(lambda changed: self._seen(look_up.key, applied(stored, changed)))
        return self._seen(look_up.key, stored)

    def _seen(self, key: bytes, stored: dict[bytes, bytes]) -> Record:
        record = _record(stored)
        if self._spool is not None:
            if stored or self.guarded:  # where nobody has credentials, a name of which nothing is stored takes no room in the mirror
                stored[LOOKED_UP] = b"yes"
            self._spool.copy_table(key, stored)
        return record

    def _not_found(self, why: Failure, look_up: LookUp) -> Deferred[Record]:
        self._deadlines.end(look_up.waiting)
        why.trap(CancelledError, RedisError, StoreUnavailable)
        return Deferred.fromCoroutine(self._without_redis(look_up.key))

    async def _without_redis(self, key: bytes) -> Record:
        pending = await self._records.pending(key)
        known = {} if self._spool is None else await self._spool.mirrored(key)
        record = _record(applied(known, pending))
        if LOOKED_UP not in known and not pending and await self._is_guarded():
            raise StoreUnavailable("Redis does not answer, and this gateway has not looked the charger up since anybody has credentials")
        return record

    async def _is_guarded(self) -> bool:
        """As far as this gateway knows: as Redis said last, or else as the mirror has it. One that never knew has to wait for Redis."""
        if self.guarded is None and self._spool is not None:
            said = (await self._spool.mirrored(self._fleet)).get(GUARDED.encode())
            self.guarded = None if said is None else said == b"yes"
        return self.presumed if self.guarded is None else self.guarded

    def _look(self) -> None:
        """Nobody may have come for long: ask for nobody."""
        client = self._connection.client
        if client is not None:
            LOOK_UP.run(client, [self._fleet]).addCallback(self._answered).addErrback(lambda _: None)


def _page(reply: list[Any], limit: int) -> Page:
    ids = [id.decode(errors="replace") for id, _ in reply]
    records = [Record() if isinstance(values, ResponseError) else Record.of(values) for _, values in reply]
    return Page(list(zip(ids, records, strict=True)), ids[-1] if len(ids) == limit else "")


def _unanswered(why: Failure) -> NoReturn:
    why.trap(TimeoutError, CancelledError, RedisError)
    raise StoreUnavailable(f"Redis does not answer: {why.value!r}") from None


def _record(stored: Mapping[bytes, bytes]) -> Record:
    return Record.read({name.decode(errors="replace"): value for name, value in stored.items()})
