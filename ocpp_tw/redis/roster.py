"""Which gateway has which charger: one hash for the fleet, and our own chargers in memory, to write them again after an outage.

Knows of a charger's connection no more than its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.entries import Held, Record, Seated
from ..interfaces import IRoster, StoreUnavailable
from ..log import Logger
from .batch import Batch, unresolved
from .connection import Connection
from .keys import Keys
from .lease_health import LeaseHealth
from .presence import Arrival, Departure, Presence
from .protocol import LostError, Packed, RedisClient, RedisError, encode, is_transient, pack
from .scripts.presence import ANNOUNCE, LOCATE, UPDATE

MAX_ANNOUNCED = 1000
"""Most chargers announced by one script; the rest go in further ones."""

RECONNECT_GRACE = 2.0
"""Seconds after our connection was opened in which a gateway without a lease may only be slower to reconnect than we were."""


@implementer(IRoster)
class RedisRoster:
    """The roster over an ordinary connection; the gateway lease calls `announce` whenever that is opened again.

    `locate` waits while Redis is unavailable, and, for a charger whose gateway has no lease, while leases do not tell who lives; it ends in a
    CancelledError when the connection is stopped.
    A gateway whose charger went to another one finds ``{"evict": "<charger>", "connection": "<its connection>", "by": "<network>"}`` among its
    commands.
    """

    _log = Logger()

    def __init__(self, connection: Connection, keys: Keys, health: LeaseHealth) -> None:
        self.on_forgotten: Callable[[str], None] = lambda charger: None
        self._connection = connection
        self._keys = keys
        self._health = health
        self._present: dict[str, Presence] = {}
        self._departed: dict[str, Departure] = {}  # of which Redis may not know
        self._script_keys = (keys.owners, keys.connections)
        self._update_keys = (*self._script_keys, keys.strangers)
        self._prefixes = (keys.gateway, keys.lease(" ")[:-1], keys.own_commands(" ")[:-1])
        self._opened = 0.0
        self._batch: Batch[Arrival | Departure] = Batch(connection.reactor, self._send)
        fields = Record.__struct_fields__
        self._packed_start = Packed(len(self._prefixes) + 1 + len(fields), pack(*self._prefixes, str(len(fields)), *fields))

    def arrive(
        self,
        charger: str,
        connection: str,
        domain: str = "",
        ocpp: str = "",
        network: str = "",
        security_profile: int = 0,
        dead: str = "",
    ) -> Deferred[Seated | Held]:
        """See `IRoster`."""
        presence = Presence(connection, self._connection.reactor.seconds(), domain, ocpp, network, security_profile)
        self._present[charger] = presence
        self._departed.pop(charger, None)
        arrival = Arrival(charger, presence, dead)
        self._batch.add(arrival)
        return arrival.waiting.addCallback(self._arrived, charger, presence)

    def _arrived(self, answer: Seated | Held, charger: str, presence: Presence) -> Seated | Held:
        if isinstance(answer, Held) and self._present.get(charger) is presence:
            del self._present[charger]  # or it would be announced, and unseat the other one all the same
        return answer

    def leave(self, charger: str, connection: str) -> Deferred[bool]:
        """See `IRoster`."""
        presence = self._present.get(charger)
        current = presence is not None and presence.connection == connection
        departure = Departure(charger, connection, current, self._forget)
        self._batch.add(departure)
        if current:  # what Redis has of ours is no newer
            del self._present[charger]
            self._departed[charger] = departure
        return departure.waiting

    def _forget(self, departure: Departure) -> None:
        """Redis knows of it."""
        if self._departed.get(departure.charger) is departure:
            del self._departed[departure.charger]

    def _send(self, batch: list[Arrival | Departure]) -> Deferred[list[Any]]:
        return Deferred.fromCoroutine(self._send_until_answered(batch))

    def _run_script(self, batch: list[Arrival | Departure], client: RedisClient) -> Deferred[list[Any]]:
        script_keys, args = [*self._update_keys], list[Any]()
        for each in batch:
            if isinstance(each, Arrival):
                script_keys.append(self._keys.table("record", each.charger))
                args += (
                    "arrive",
                    encode(each.charger),
                    msgspec.json.encode(each.charger),
                    each.presence.connection,
                    each.presence.described,
                    each.presence.network,
                    each.presence.security_profile,
                    each.dead,
                )
            else:
                args.append(each.packed(again=False, current=each.current))
        return UPDATE.run(client, script_keys, self._packed_start, *args)

    async def _run_script_again(self, batch: list[Arrival | Departure], client: RedisClient) -> list[Any]:
        """The script may have been run, and chargers may have gone elsewhere since: arrivals are announced with their time instead, even those
        that may be held."""
        arrivals = [each for each in batch if isinstance(each, Arrival)]
        present = [(each.charger, each.presence) for each in arrivals if self._present.get(each.charger) is each.presence]
        leaving = [
            each.packed(again=True, current=each.current and each.charger not in self._present)  # the charger may have come again since
            for each in batch
            if isinstance(each, Departure)
        ]
        replies: list[Deferred[Any]] = [self._announce(client, present)]
        replies.append(UPDATE.run(client, self._update_keys, self._packed_start, *leaving))
        replies += [client.send("HMGET", self._keys.table("record", each.charger), *Record.__struct_fields__) for each in arrivals]
        try:
            _, left, *records = await gatherResults(replies, consumeErrors=True)
        except FirstError as why:
            why.subFailure.raiseException()
        return [[b"0", b"", *records.pop(0)] if isinstance(each, Arrival) else left.pop(0) for each in batch]

    async def locate(self, charger: str) -> str | None:
        """See `IRoster`."""
        args = (encode(charger), self._prefixes[1])
        script_keys = (self._keys.owners,)
        while True:
            found = await self._connection.ask(lambda client, _: LOCATE.run(client, script_keys, *args))
            if found and found[1]:
                return str(found[0].decode(errors="replace"))
            settled = self._connection.reactor.seconds() - self._opened > RECONNECT_GRACE
            if not found or (settled and not self._health.trouble):
                return None
            await self._connection.pause(0)  # it may be at a gateway that could not renew its lease

    def is_ours(self, charger: str, connection: str) -> bool:
        """Whether the roster has to have, or will be told, what became of this connection."""
        presence = self._present.get(charger)
        return charger in self._departed or (presence is not None and presence.connection == connection)

    def announce(self) -> None:
        """Write all our chargers to Redis at once: before anything else that is sent on a new connection."""
        self._opened = self._connection.reactor.seconds()
        self._announce_some(list(self._present.items()))

    def announce_rest(self) -> None:
        """Write those that could not be written when they arrived."""
        now = self._connection.reactor.seconds()
        self._announce_some([each for each in self._present.items() if not each[1].stamp and now - each[1].since > 1])

    def _announce_some(self, chargers: list[tuple[str, Presence]]) -> None:
        client = self._connection.client
        # not one that waits for its turn or its answer: it would find nothing any more, and seem to be of a charger that had gone elsewhere
        departed = [each for each in self._departed.values() if each.waiting.called]
        if client is None or not (chargers or departed):
            return
        batches = [chargers[start : start + MAX_ANNOUNCED] for start in range(0, len(chargers), MAX_ANNOUNCED)] or [[]]
        replies = [self._announce(client, batch, departed if batch is batches[-1] else ()) for batch in batches]
        gatherResults(replies, consumeErrors=True).addCallbacks(self._announced, self._not_announced, callbackArgs=(departed,))

    def _announce(self, client: RedisClient, chargers: list[tuple[str, Presence]], departed: Iterable[Departure] = ()) -> Deferred[None]:
        now = self._connection.reactor.seconds()
        args: list[Any] = [*self._prefixes, len(chargers)]
        for charger, presence in chargers:
            stamp = presence.stamp or -int((now - presence.since) * 1000)
            args += (encode(charger), msgspec.json.encode(charger), presence.connection, presence.described, stamp)
        args += [encode(each.charger) for each in departed]

        def announced(stamps: list[bytes]) -> None:
            for (charger, presence), stamp in zip(chargers, stamps, strict=True):
                presence.stamp = abs(int(stamp)) or presence.stamp
                if int(stamp) < 0 and self._present.get(charger) is presence:
                    self.on_forgotten(charger)

        return ANNOUNCE.run(client, self._script_keys, *args).addCallback(announced)

    def _announced(self, _: list[None], departed: list[Departure]) -> None:
        for each in departed:
            self._forget(each)

    def _not_announced(self, why: Failure) -> None:
        error = why.value.subFailure.value if isinstance(why.value, FirstError) else why.value
        if error is not None and not is_transient(error):
            self._log.error("presence of our chargers cannot be written: {why}", why=str(error))

    async def _send_until_answered(self, batch: list[Arrival | Departure]) -> list[Any]:
        """As `Connection.ask`, but fails while Redis is known to be unavailable, and ends when nothing in the batch is waited for."""
        unknown, attempt = False, 0
        while True:
            client = self._connection.client
            if client is None:
                if self._connection.attempted:
                    raise StoreUnavailable(self._connection.trouble)
                client = await self._connection.ready()
            batch[:] = unresolved(batch)  # a charger that has left since, or gone elsewhere, must not be placed here
            if not batch:
                return []
            try:
                return await (self._run_script_again(batch, client) if unknown else self._run_script(batch, client))
            except RedisError as why:
                if not is_transient(why):
                    raise
                unknown = unknown or isinstance(why, LostError)
            await self._connection.pause(attempt)
            attempt += 1
