"""Which gateway has which charger, and which gateways live: one hash for the fleet and a key of each gateway that must be refreshed.

Knows no charger's connection beyond its name.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

import msgspec
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from ..interfaces import IRoster
from ..store import Record
from .connection import Connection, cancelled
from .line import RedisError, Script, encode
from .names import Names

LIVES = 10
"""Seconds for which a gateway that says nothing more is still taken to live."""
REFRESH = 3.0
"""Seconds between its signs of life."""

_ARRIVE = Script("""
local owners, record = KEYS[1], KEYS[2]
local charger, gateway, connection, written, living, own = unpack(ARGV, 1, 6)
local held = redis.call('HGET', owners, charger)
redis.call('HSET', owners, charger, gateway .. ' ' .. connection)
if held then
  local other, old = string.match(held, '^(%S+) (.*)$')
  if other and other ~= gateway and redis.call('EXISTS', living .. other) == 1 then
    redis.call('RPUSH', own .. other, '{"evict":' .. written .. ',"connection":' .. cjson.encode(old) .. '}')
  end
end
return redis.call('HMGET', record, unpack(ARGV, 7))
""")
# Asked again after the line was lost, it may find its own work done: nobody has the charger, so nobody took it from us.
_LEAVE = Script("""
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return 1
end
return (not held and ARGV[3] == '1') and 1 or 0
""")
_WHEREABOUTS = Script("""
local held = redis.call('HGET', KEYS[1], ARGV[1])
local gateway = held and string.match(held, '^(%S+) ')
if gateway and redis.call('EXISTS', ARGV[2] .. gateway) == 1 then
  return gateway
end
return false
""")


@implementer(IRoster)
class RedisRoster(Service):
    """The roster over an ordinary connection; as long as it runs, its gateway lives.

    Its methods wait while Redis is of no use, and end in a CancelledError when the connection is stopped.
    A gateway whose charger went to another one finds ``{"evict": "<charger>", "connection": "<its connection>"}`` among its commands.
    """

    _log = Logger()

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        self._task: Deferred[None] | None = None

    async def arrive(self, charger: str, connection: str) -> Record:
        """See `IRoster`."""
        names = self._names
        keys = (names.owners, names.shelf("record", charger))
        written = msgspec.json.encode(charger)
        prefixes = (names.living(" ")[:-1], names.own(" ")[:-1])
        args = (encode(charger), names.gateway, connection, written, *prefixes, *Record.__struct_fields__)
        fields: list[bytes | None] = await self._connection.ask(lambda line, _: _ARRIVE.run(line, keys, *args))
        return Record(*[(field or b"").decode(errors="replace") for field in fields])

    async def leave(self, charger: str, connection: str) -> bool:
        """See `IRoster`."""
        args = (encode(charger), f"{self._names.gateway} {connection}")
        keys = (self._names.owners,)
        return bool(await self._connection.ask(lambda line, again: _LEAVE.run(line, keys, *args, int(again))))

    async def whereabouts(self, charger: str) -> str | None:
        """See `IRoster`."""
        args = (encode(charger), self._names.living(" ")[:-1])
        keys = (self._names.owners,)
        gateway: bytes | None = await self._connection.ask(lambda line, _: _WHEREABOUTS.run(line, keys, *args))
        return gateway.decode(errors="replace") if gateway is not None else None

    def startService(self) -> None:
        super().startService()
        self._task = Deferred.fromCoroutine(self._live()).addErrback(cancelled)

    async def _live(self) -> None:
        while True:
            try:
                await self._connection.say("SET", self._names.living(), "1", "EX", LIVES)
            except RedisError:
                self._log.failure("roster: no sign of life could be given")
            await deferLater(self._connection.reactor, REFRESH)

    def stopService(self) -> Deferred[Any] | None:
        """Live no more, at once, so that nobody hands commands to a gateway that is leaving."""
        super().stopService()
        if self._task:
            self._task.cancel()
        line = self._connection.line
        if line is None:
            return None
        bye = line.say("DEL", self._names.living())
        return bye.addTimeout(1.0, self._connection.reactor).addErrback(lambda _: None)
