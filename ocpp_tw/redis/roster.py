"""Which gateway has which charger: one hash for the fleet, and a memory of our own to write it from again.

Knows no charger's connection beyond its name.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..interfaces import IRoster
from ..store import Away, Record
from .connection import Connection
from .line import Line, LostError, RedisError, Script, encode, passing
from .lua import CLOCK, HELD
from .names import Names

BATCH = 1000
"""How many chargers are announced by one script."""

SETTLING = 2.0
"""Seconds after the line was opened for which a gateway that seems dead may only be slower than we were."""

# Of two connections the one that arrived later has the charger, whenever either is told of, and whether or not its gateway lives:
# after an outage none seems to.
_PLACE = (
    CLOCK
    + HELD
    + """
local owners, gateway, living, own = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local now = math.floor(seconds() * 1000)
local function evict(from, written, connection)
  redis.call('RPUSH', own .. from, '{"evict":' .. written .. ',"connection":' .. cjson.encode(connection) .. '}')
end
local function place(charger, written, connection, stamp)
  local other, old, since = parsed(redis.call('HGET', owners, charger))
  local theirs = other and other ~= gateway
  if stamp == nil then
    stamp = math.max(now, since + 1)
  elseif theirs and since >= stamp then
    evict(gateway, written, connection)
    return '0'
  end
  redis.call('HSET', owners, charger, gateway .. ' ' .. connection .. ' ' .. string.format('%.0f', stamp))
  if theirs and redis.call('EXISTS', living .. other) == 1 then
    evict(other, written, old)
  end
  return string.format('%.0f', stamp)
end
"""
)
_ARRIVE = Script(
    _PLACE
    + """
local stamp = place(ARGV[4], ARGV[5], ARGV[6])
return {stamp, unpack(redis.call('HMGET', KEYS[2], unpack(ARGV, 7)))}
"""
)
_ANNOUNCE = Script(
    _PLACE
    + """
local stamps, here = {}, 5 + 4 * tonumber(ARGV[4])
for i = 5, here - 1, 4 do
  local stamp = tonumber(ARGV[i + 3])
  stamps[#stamps + 1] = place(ARGV[i], ARGV[i + 1], ARGV[i + 2], stamp > 0 and stamp or now + stamp)
end
for i = here, #ARGV do
  if parsed(redis.call('HGET', owners, ARGV[i])) == gateway then
    redis.call('HDEL', owners, ARGV[i])
  end
end
return stamps
"""
)
# Asked again after the line was lost, it may find its own work done: nobody has the charger, so nobody took it from us.
_LEAVE = Script(
    HELD
    + """
local held = redis.call('HGET', KEYS[1], ARGV[1])
local gateway, connection = parsed(held)
if gateway == ARGV[2] and (connection == ARGV[3] or ARGV[5] == '1') then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 1
end
return (not held and ARGV[4] == '1') and 1 or 0
"""
)
_WHEREABOUTS = Script(
    HELD
    + """
local gateway = parsed(redis.call('HGET', KEYS[1], ARGV[1]))
return gateway and {gateway, redis.call('EXISTS', ARGV[2] .. gateway)}
"""
)


class Here:
    """A charger that is here: on which connection, since when by our clock, and by the fleet's (in ms; 0: it has not been told)."""

    __slots__ = ("connection", "since", "stamp")

    def __init__(self, connection: str, since: float) -> None:
        self.connection, self.since, self.stamp = connection, since, 0


@implementer(IRoster)
class RedisRoster:
    """The roster over an ordinary connection; whoever opens that again has it `announce` who is here.

    `whereabouts` waits while Redis is of no use, and ends in a CancelledError when the connection is stopped.
    A gateway whose charger went to another one finds ``{"evict": "<charger>", "connection": "<its connection>"}`` among its commands.
    """

    _log = Logger()

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._here: dict[str, Here] = {}
        self._gone: set[str] = set()
        self._prefixes = (names.gateway, names.living(" ")[:-1], names.own(" ")[:-1])
        self._opened = 0.0

    async def arrive(self, charger: str, connection: str) -> Record:
        """See `IRoster`."""
        here = self._here[charger] = Here(connection, self._connection.reactor.seconds())
        self._gone.discard(charger)
        fields = Record.__struct_fields__
        keys = (self._names.owners, record := self._names.shelf("record", charger))
        args = (*self._prefixes, encode(charger), msgspec.json.encode(charger), connection, *fields)

        def send(line: Line, again: bool) -> Deferred[Any]:
            if not again:
                return _ARRIVE.run(line, keys, *args)
            # It may have been carried out, and the charger may have gone elsewhere since: now the later one counts.
            told = self._announce(line, [(charger, here)])
            return told.addCallback(lambda _: line.say("HMGET", record, *fields)).addCallback(lambda found: [b"0", *found])

        stamp, *found = await self._ask(send)
        here.stamp = here.stamp or int(stamp)
        return Record(*[(field or b"").decode(errors="replace") for field in found])

    async def leave(self, charger: str, connection: str) -> bool:
        """See `IRoster`."""
        here = self._here.get(charger)
        current = here is not None and here.connection == connection
        if current:  # whatever the fleet has of ours is older still
            del self._here[charger]
            self._gone.add(charger)
        args = (encode(charger), self._names.gateway, connection)
        keys = (self._names.owners,)
        left = bool(await self._ask(lambda line, again: _LEAVE.run(line, keys, *args, int(again), int(current))))
        if current and charger not in self._here:
            self._gone.discard(charger)
        return left

    async def whereabouts(self, charger: str) -> str | None:
        """See `IRoster`."""
        args = (encode(charger), self._prefixes[1])
        keys = (self._names.owners,)
        while True:
            found = await self._connection.ask(lambda line, _: _WHEREABOUTS.run(line, keys, *args))
            if found and found[1]:
                return str(found[0].decode(errors="replace"))
            if not found or self._connection.reactor.seconds() - self._opened > SETTLING:
                return None
            await self._connection.pause(0)

    def announce(self) -> None:
        """Tell the fleet of all who are here, at once: before anything else that is said on a new line."""
        self._opened = self._connection.reactor.seconds()
        self._announce_some(list(self._here.items()))

    def announce_rest(self) -> None:
        """Tell it of those that it could not be told of."""
        now = self._connection.reactor.seconds()
        self._announce_some([(charger, here) for charger, here in self._here.items() if not here.stamp and now - here.since > 1])

    def _announce_some(self, chargers: list[tuple[str, Here]]) -> None:
        line = self._connection.line
        if line is None or not (chargers or self._gone):
            return
        batches = [chargers[start : start + BATCH] for start in range(0, len(chargers), BATCH)] or [[]]
        gone = list(self._gone)
        told = [self._announce(line, batch, gone if batch is batches[-1] else ()) for batch in batches]
        gatherResults(told, consumeErrors=True).addCallbacks(self._announced, self._not_announced, callbackArgs=(gone,))

    def _announce(self, line: Line, chargers: list[tuple[str, Here]], gone: Iterable[str] = ()) -> Deferred[None]:
        now = self._connection.reactor.seconds()
        args: list[Any] = [*self._prefixes, len(chargers)]
        for charger, here in chargers:
            stamp = here.stamp or -int((now - here.since) * 1000)
            args += (encode(charger), msgspec.json.encode(charger), here.connection, stamp)
        args += [encode(charger) for charger in gone]

        def told(stamps: list[bytes]) -> None:
            for (_, here), stamp in zip(chargers, stamps, strict=True):
                here.stamp = int(stamp) or here.stamp

        return _ANNOUNCE.run(line, (self._names.owners,), *args).addCallback(told)

    def _announced(self, _: list[None], gone: list[str]) -> None:
        self._gone -= {charger for charger in gone if charger not in self._here}

    def _not_announced(self, why: Failure) -> None:
        error = why.value.subFailure.value if isinstance(why.value, FirstError) else why.value
        if error is not None and not passing(error):
            self._log.error("the fleet cannot be told which chargers are here: {why}", why=str(error))

    async def _ask(self, send: Callable[[Line, bool], Deferred[Any]]) -> Any:
        """As `Connection.ask`, but nobody waits for a Redis that is known to be away."""
        unknown, attempt = False, 0
        while True:
            line = self._connection.line
            if line is None:
                if self._connection.tried:
                    raise Away(self._connection.trouble)
                line = await self._connection.ready()
            try:
                return await send(line, unknown)
            except RedisError as why:
                if not passing(why):
                    raise
                unknown = unknown or isinstance(why, LostError)
            await self._connection.pause(attempt)
            attempt += 1
