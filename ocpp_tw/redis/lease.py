"""Which gateways live, and what becomes of those that do not: what they had in hand goes to the living, once.

Knows no command and no charger.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..core.commands import Taken
from .commands import RedisCommands
from .connection import Connection, cancelled
from .keys import Keys
from .protocol import RedisError, ResponseError
from .roster import RedisRoster
from .scripts.leases import ALIVE, BEGIN, DEAD, RECLAIM

LEASE_TTL = 10
"""Seconds for which a gateway that says nothing more is still taken to live."""
RENEW_INTERVAL = 3.0
"""Seconds between its signs of life."""
TAKEOVER_AFTER = 60.0
"""Seconds without a sign of life after which another gateway takes over what it had in hand."""
TAKEOVER_INTERVAL = 10.0
"""Seconds between looks for such gateways."""
RECLAIM_REMEMBERED = 7 * 86_400
"""Seconds for which it is remembered that a run of a gateway was taken over: as long may it be suspended and come round."""


class GatewayLease(Service):
    """As long as it runs its gateway lives; from `begin` on commands are taken, and those of gateways that are gone.

    ``roster`` announces our chargers when others may have taken us for dead, ``commands`` gets what is left over.
    """

    _log = Logger()

    def __init__(self, connection: Connection, names: Keys, roster: RedisRoster, commands: RedisCommands) -> None:
        self._connection = connection
        self._names = names
        self._roster = roster
        self._commands = commands
        self._tasks: list[Deferred[None]] = []
        self._complaint = ""
        self._said = b""
        self._begun = False
        connection.watch(self._changed)

    def startService(self) -> None:
        super().startService()
        self._tasks = [Deferred.fromCoroutine(self._renew_for_ever()).addErrback(cancelled)]

    def _changed(self) -> None:
        """A line that was opened again hears at once that we live, and who is here: before it is asked anything else."""
        if self._connection.client is None or not self.running:
            return
        self._tasks = [each for each in self._tasks if not each.called]
        self._tasks.append(Deferred.fromCoroutine(self._retry(self._renew)).addErrback(cancelled))
        self._roster.announce()

    def stopService(self) -> Deferred[Any] | None:
        """Live no more, at once, so that nobody hands commands to a gateway that is leaving."""
        super().stopService()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        line = self._connection.client
        if line is None:
            return None
        bye = line.send("DEL", self._names.lease())
        return bye.addTimeout(1.0, self._connection.reactor).addErrback(lambda _: None)

    async def begin(self) -> None:
        """Take over what an earlier run of this gateway left over; to be awaited once Redis knows all that it has done."""
        left = await self._retry(self._begin)
        self._begun = True
        if self.running:
            self._tasks.append(Deferred.fromCoroutine(self._take_over_for_ever()).addErrback(cancelled))
            self._commands.begin(left)

    async def _renew_for_ever(self) -> None:
        while self.running:
            await self._retry(self._renew)
            await deferLater(self._connection.reactor, RENEW_INTERVAL)

    async def _retry(self, do: Callable[[], Any]) -> Any:
        """What it comes to, tried until Redis has nothing against it."""
        attempt = 0
        while True:
            try:
                done = await do()
            except RedisError as why:
                if isinstance(why, ResponseError) and str(why) != self._complaint:
                    self._complaint = str(why)
                    self._log.error("no sign of life can be given, so that nobody can hand commands to us: {why}", why=str(why))
                await self._connection.pause(attempt)
                attempt += 1
            else:
                self._complaint = ""
                return done

    async def _begin(self) -> list[Taken]:
        names = self._names
        keys = (names.gateways, names.lease(), names.processing, names.table("sent", names.gateway))
        args = (names.gateway, names.incarnation, LEASE_TTL, names.reclaimed(" ")[:-1], RECLAIM_REMEMBERED)
        silent, left = await self._connection.ask(lambda line, _: BEGIN.run(line, keys, *args))
        return _taken(silent, left)

    async def _renew(self) -> None:
        names = self._names
        if not self._begun:  # when the earlier run ended is not to be forgotten yet
            await self._connection.send("SET", names.lease(), "1", "EX", LEASE_TTL)
            return
        keys = (names.gateways, names.lease(), names.reclaimed())
        said = await self._connection.ask(lambda line, _: ALIVE.run(line, keys, names.gateway, names.incarnation, LEASE_TTL))
        if said in (b"usurped", b"reclaimed"):
            await self._commands.forget()
        before, self._said = self._said, said
        if said == b"usurped" and before != said:
            self._log.error("another process goes by the name {name}: give each gateway one of its own", name=names.gateway)
        elif said == b"reclaimed":
            self._log.warn("this gateway was suspended for so long that another one has taken over what it had in hand")
        if said == b"lives":
            self._roster.announce_rest()
        elif said != b"usurped":
            self._roster.announce()  # who was taken for dead may have lost chargers, and nobody told us

    async def _take_over_for_ever(self) -> None:
        names = self._names
        while self.running:
            await deferLater(self._connection.reactor, TAKEOVER_INTERVAL)
            try:
                dead = await self._connection.ask(lambda line, _: DEAD.run(line, (names.gateways,), names.lease(" ")[:-1], TAKEOVER_AFTER))
                for name, boot in zip(dead[::2], dead[1::2], strict=True):
                    await self.reclaim(name.decode(errors="replace"), boot.decode(errors="replace"))
            except RedisError as why:
                self._log.error("what gateways that are gone had in hand cannot be taken over: {why}", why=str(why))

    async def reclaim(self, name: str, boot: str) -> None:
        """Take over from that run of a gateway, if it is still gone and nobody has."""
        names = self._names
        shelves = [names.table(shelf, gateway) for shelf in ("sent", "provisional") for gateway in (name, names.gateway)]
        keys = (
            names.gateways, names.lease(name), names.reclaimed(boot), names.processing_of(name), names.processing,
            names.own_commands(name), names.commands, *shelves,
        )  # fmt: skip
        line = await self._connection.ready()
        try:
            found = await RECLAIM.run(line, keys, name, boot, TAKEOVER_AFTER, names.gateway, RECLAIM_REMEMBERED)
        except RedisError as why:
            if isinstance(why, ResponseError):
                raise
            self._commands.check_in_flight()  # it may be in our hands, and we do not know it
            return
        if found:
            left = _taken(*found)
            told = self._log.warn if left else self._log.info
            told("{name} is gone: the {count} commands that it had in hand are seen to here", name=name, count=len(left))
            self._commands.inherit(left)


def _taken(silent: bytes, left: list[bytes]) -> list[Taken]:
    return [Taken(element, float(silent), bool(sent)) for element, sent in zip(left[::2], left[1::2], strict=True)]
