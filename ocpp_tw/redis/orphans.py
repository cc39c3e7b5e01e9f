"""Finds the chargers that the roster has on connections to gateways that are gone, and to earlier runs of this one.

Knows neither how they are published nor when to look; the script that publishes one checks again that it is an orphan.

| whose connection | an orphan |
|---|---|
| of a gateway whose lease we have seen | once its lease has expired |
| of one that was gone before we started | likewise, but no sooner than `RETURN_WITHIN` after our start: its chargers may be about to come here |
| of an earlier run of this gateway | at that time too |
| of one that was gone when our connection to Redis was opened again | once that is `SETTLED_AFTER` old, whether or not it was taken over from meanwhile |

Nobody is looked for until our connection to Redis is `SETTLED_AFTER` seconds old, since after an outage no gateway has a lease for a while, and
while leases do not tell who lives (`LeaseHealth`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set

import msgspec
from zope.interface import implementer

from ..core.entries import Orphan, Record
from ..interfaces import IOrphans, StoreUnavailable
from .connection import Connection
from .keys import Keys
from .lease_health import SETTLED_AFTER, LeaseHealth
from .protocol import RedisClient, RedisError, encode
from .scripts.orphans import RECORDED, REPORTED

RETURN_WITHIN = 60.0
"""Seconds after our start in which chargers of gateways that ended before may come back."""

SCAN_COUNT = 1000
"""Entries of the roster that are looked at in one go."""

IsOrphan = Callable[[str, str, str], bool]
"""Whether this charger is an orphan, which the roster has at this gateway on this connection."""

_HELD = re.compile(r"(\S+) (.*) (\d+)", re.DOTALL)


@implementer(IOrphans)
class RedisOrphans:
    """One for a gateway. ``is_ours`` says of a charger and a connection whether this run of the gateway knows it."""

    def __init__(self, connection: Connection, keys: Keys, health: LeaseHealth, is_ours: Callable[[str, str], bool]) -> None:
        self._connection = connection
        self._keys = keys
        self._health = health
        self._is_ours = is_ours
        self._started = self._opened = connection.reactor.seconds()
        self._seen: set[str] = set()
        self._searched: dict[str, float] = {}  # gateway -> its last renewal then: with another one it has lived meanwhile
        self._all_searched = False
        connection.watch(self._changed)

    def _changed(self) -> None:
        self._opened = self._connection.reactor.seconds()
        self._all_searched = False  # a gateway may have gone, and been taken over from, while nobody could look

    async def found(self) -> list[Orphan]:
        """See `IOrphans`. Fails with `ocpp_tw.redis.protocol.RedisError`."""
        client, now = self._connection.client, self._connection.reactor.seconds()
        if client is None or now - self._opened < SETTLED_AFTER:
            return []
        renewed = await self._renewed(client)
        living = await self._living(client, renewed)
        if self._health.trouble:
            self._all_searched = False
            return []
        self._seen |= living
        everyone = not self._all_searched and now - self._started >= RETURN_WITHIN
        gone = {name for name, last in renewed.items() if name not in living and self._searched.get(name) != last}
        if not self._all_searched and not everyone:
            gone &= self._seen
        if not gone and not everyone:
            return []

        def is_orphan(charger: str, gateway: str, connection: str) -> bool:
            if gateway == self._keys.gateway:
                return everyone and not self._is_ours(charger, connection)
            return gateway in gone or (everyone and gateway not in living)

        found = await self._search(client, is_orphan, renewed)
        self._searched = {name: last for name, last in renewed.items() if name in gone or self._searched.get(name) == last}
        self._all_searched = self._all_searched or (everyone and self._connection.client is client)
        return found

    async def left_behind(self, answering: Set[str]) -> list[Orphan]:
        """See `IOrphans`."""
        client = self._connection.client
        if client is None:
            raise StoreUnavailable(self._connection.trouble)

        def is_left(charger: str, gateway: str, connection: str) -> bool:
            return not self._is_ours(charger, connection) if gateway == self._keys.gateway else gateway not in answering

        try:
            return await self._search(client, is_left, {})
        except RedisError as why:
            raise StoreUnavailable(str(why)) from None

    async def _renewed(self, client: RedisClient) -> dict[str, float]:
        """Each gateway that was not taken over from, and when it last renewed its lease."""
        reply: list[bytes] = await client.send("HGETALL", self._keys.gateways)
        runs = [each.decode(errors="replace") for each in reply]
        return {name: float(run.split()[1]) for name, run in zip(runs[::2], runs[1::2], strict=True)}

    async def _living(self, client: RedisClient, renewed: dict[str, float]) -> set[str]:
        leases = await client.send("MGET", *map(self._keys.lease, renewed)) if renewed else []
        return {self._keys.gateway} | {name for name, lease in zip(renewed, leases, strict=True) if lease is not None}

    async def _search(self, client: RedisClient, is_orphan: IsOrphan, renewed: dict[str, float]) -> list[Orphan]:
        found: dict[str, Orphan] = {}
        cursor = b"0"
        while True:
            cursor, reply = await client.send("HSCAN", self._keys.owners, cursor, "COUNT", SCAN_COUNT)
            fields = [each.decode(errors="replace") for each in reply]
            orphans: dict[str, re.Match[str]] = {}
            for charger, held in zip(fields[::2], fields[1::2], strict=True):
                owner = _HELD.fullmatch(held)
                if owner is None:
                    continue
                if is_orphan(charger, owner[1], owner[2]):
                    orphans[charger] = owner
            if orphans:
                described = await client.send("HMGET", self._keys.connections, *orphans)
                known = await RECORDED.run(client, (), self._keys.table("record", ""), *orphans)
                for (charger, owner), text, fields in zip(orphans.items(), described, known, strict=True):
                    lasted = renewed if owner[1] != self._keys.gateway else {}
                    found[charger] = _orphan(charger, owner, text, lasted, Record.read(dict(zip(REPORTED, fields, strict=True))).known)
            if cursor == b"0":
                return list(found.values())


def _orphan(
    charger: str, owner: re.Match[str], described: bytes | None, renewed: dict[str, float], known: tuple[str | None, ...]
) -> Orphan:
    gateway, connection, arrived = owner.groups()
    domain, ocpp = "", None
    start = encode(connection) + b" "
    if described is not None and described.startswith(start):  # an older release writes owners alone
        domain, ocpp = map(str, msgspec.json.decode(described[len(start) :], type=list[str | int])[:2])
    heard = renewed.get(gateway)
    seconds = 0.0 if heard is None else max(0.0, round(heard - int(arrived) / 1000, 1))
    return Orphan(charger, gateway, owner[0], domain, ocpp, seconds, known, int(arrived) / 1000)
