"""Which gateway has which charger: one hash for the fleet, and a memory of our own to write it from again.

Knows no charger's connection beyond its name.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.entries import Record
from ..interfaces import IRoster, StoreUnavailable
from .connection import Connection
from .keys import Keys
from .presence_batch import Arrival, Departure, Presence, PresenceBatch, unresolved
from .protocol import LostError, Packed, RedisClient, RedisError, encode, is_transient, pack
from .scripts.presence import ANNOUNCE, LOCATE, TELL

ANNOUNCED_PER_SCRIPT = 1000
"""How many chargers are announced by one script."""

RECONNECT_GRACE = 2.0
"""Seconds after the line was opened for which a gateway that seems dead may only be slower than we were."""


@implementer(IRoster)
class RedisRoster:
    """The roster over an ordinary connection; whoever opens that again has it `announce` who is here.

    `whereabouts` waits while Redis is of no use, and ends in a CancelledError when the connection is stopped.
    A gateway whose charger went to another one finds ``{"evict": "<charger>", "connection": "<its connection>"}`` among its commands.
    """

    _log = Logger()

    def __init__(self, connection: Connection, names: Keys) -> None:
        self._connection = connection
        self._names = names
        self._present: dict[str, Presence] = {}
        self._gone: set[str] = set()
        self._prefixes = (names.gateway, names.lease(" ")[:-1], names.own_commands(" ")[:-1])
        self._opened = 0.0
        self._batch = PresenceBatch(connection.reactor, self._send)
        fields = Record.__struct_fields__
        self._start = Packed(len(self._prefixes) + 1 + len(fields), pack(*self._prefixes, str(len(fields)), *fields))

    def arrive(self, charger: str, connection: str) -> Deferred[Record]:
        """See `IRoster`."""
        here = self._present[charger] = Presence(connection, self._connection.reactor.seconds())
        self._gone.discard(charger)
        coming = Arrival(charger, here)
        self._batch.add(coming)
        return coming.waiting

    def leave(self, charger: str, connection: str) -> Deferred[bool]:
        """See `IRoster`."""
        here = self._present.get(charger)
        current = here is not None and here.connection == connection
        if current:  # whatever the fleet has of ours is older still
            del self._present[charger]
            self._gone.add(charger)
        going = Departure(charger, connection, current)
        self._batch.add(going)
        return going.waiting.addCallback(self._left, charger) if current else going.waiting

    def _left(self, left: bool, charger: str) -> bool:
        if charger not in self._present:
            self._gone.discard(charger)
        return left

    def _send(self, some: list[Arrival | Departure]) -> Deferred[list[Any]]:
        return Deferred.fromCoroutine(self._send_until_answered(some))

    def _run_script(self, some: list[Arrival | Departure], line: RedisClient) -> Deferred[list[Any]]:
        keys, args = [self._names.owners], list[Any]()
        for each in some:
            if isinstance(each, Arrival):
                keys.append(self._names.table("record", each.charger))
                args += ("arrive", encode(each.charger), msgspec.json.encode(each.charger), each.here.connection)
            else:
                args += self._leaving(each, again=False)
        return TELL.run(line, keys, self._start, *args)

    def _leaving(self, each: Departure, *, again: bool) -> tuple[Any, ...]:
        current = each.current and not (again and each.charger in self._present)  # it may have come again since
        return ("leave", encode(each.charger), each.connection, int(again), int(current))

    async def _run_script_again(self, some: list[Arrival | Departure], line: RedisClient) -> list[Any]:
        """It may have been carried out, and chargers may have gone elsewhere since: now the later ones count."""
        coming = [each for each in some if isinstance(each, Arrival)]
        still = [(each.charger, each.here) for each in coming if self._present.get(each.charger) is each.here]
        going = [arg for each in some if isinstance(each, Departure) for arg in self._leaving(each, again=True)]
        said: list[Deferred[Any]] = [self._announce(line, still), TELL.run(line, (self._names.owners,), self._start, *going)]
        said += [line.send("HMGET", self._names.table("record", each.charger), *Record.__struct_fields__) for each in coming]
        try:
            _, left, *records = await gatherResults(said, consumeErrors=True)
        except FirstError as why:
            why.subFailure.raiseException()
        return [[b"0", *records.pop(0)] if isinstance(each, Arrival) else left.pop(0) for each in some]

    async def locate(self, charger: str) -> str | None:
        """See `IRoster`."""
        args = (encode(charger), self._prefixes[1])
        keys = (self._names.owners,)
        while True:
            found = await self._connection.ask(lambda line, _: LOCATE.run(line, keys, *args))
            if found and found[1]:
                return str(found[0].decode(errors="replace"))
            if not found or self._connection.reactor.seconds() - self._opened > RECONNECT_GRACE:
                return None
            await self._connection.pause(0)

    def announce(self) -> None:
        """Tell the fleet of all who are here, at once: before anything else that is said on a new line."""
        self._opened = self._connection.reactor.seconds()
        self._announce_some(list(self._present.items()))

    def announce_rest(self) -> None:
        """Tell it of those that it could not be told of."""
        now = self._connection.reactor.seconds()
        self._announce_some([(charger, here) for charger, here in self._present.items() if not here.stamp and now - here.since > 1])

    def _announce_some(self, chargers: list[tuple[str, Presence]]) -> None:
        line = self._connection.client
        if line is None or not (chargers or self._gone):
            return
        batches = [chargers[start : start + ANNOUNCED_PER_SCRIPT] for start in range(0, len(chargers), ANNOUNCED_PER_SCRIPT)] or [[]]
        gone = list(self._gone)
        told = [self._announce(line, batch, gone if batch is batches[-1] else ()) for batch in batches]
        gatherResults(told, consumeErrors=True).addCallbacks(self._announced, self._not_announced, callbackArgs=(gone,))

    def _announce(self, line: RedisClient, chargers: list[tuple[str, Presence]], gone: Iterable[str] = ()) -> Deferred[None]:
        now = self._connection.reactor.seconds()
        args: list[Any] = [*self._prefixes, len(chargers)]
        for charger, here in chargers:
            stamp = here.stamp or -int((now - here.since) * 1000)
            args += (encode(charger), msgspec.json.encode(charger), here.connection, stamp)
        args += [encode(charger) for charger in gone]

        def told(stamps: list[bytes]) -> None:
            for (_, here), stamp in zip(chargers, stamps, strict=True):
                here.stamp = int(stamp) or here.stamp

        return ANNOUNCE.run(line, (self._names.owners,), *args).addCallback(told)

    def _announced(self, _: list[None], gone: list[str]) -> None:
        self._gone -= {charger for charger in gone if charger not in self._present}

    def _not_announced(self, why: Failure) -> None:
        error = why.value.subFailure.value if isinstance(why.value, FirstError) else why.value
        if error is not None and not is_transient(error):
            self._log.error("the fleet cannot be told which chargers are here: {why}", why=str(error))

    async def _send_until_answered(self, some: list[Arrival | Departure]) -> list[Any]:
        """As `Connection.ask`, but nobody waits for a Redis that is known to be away, and it ends when nobody waits for the answer."""
        unknown, attempt = False, 0
        while True:
            line = self._connection.client
            if line is None:
                if self._connection.attempted:
                    raise StoreUnavailable(self._connection.trouble)
                line = await self._connection.ready()
            some[:] = unresolved(some)  # who has gone since, or gone elsewhere, is not to be placed here
            if not some:
                return []
            try:
                return await (self._run_script_again(some, line) if unknown else self._run_script(some, line))
            except RedisError as why:
                if not is_transient(why):
                    raise
                unknown = unknown or isinstance(why, LostError)
            await self._connection.pause(attempt)
            attempt += 1
