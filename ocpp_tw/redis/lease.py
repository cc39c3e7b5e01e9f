"""Renews this gateway's lease, and takes over from gateways whose lease has expired: their elements go to one other gateway, once.

Knows no command and no charger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from ..core.commands import Taken
from ..log import Logger
from ..waiting import cancelled
from .commands import RedisCommands
from .connection import Connection
from .keys import Keys
from .lease_health import LeaseHealth
from .protocol import RedisClient, RedisError, ResponseError
from .roster import RedisRoster
from .scripts.leases import BEGIN, EXPIRED, RECLAIM, RENEW

LEASE_TTL = 10
"""Seconds for which a lease is valid without a renewal."""
RENEW_INTERVAL = 3.0
"""Seconds between renewals."""
TAKEOVER_AFTER = 60.0
"""Seconds without a renewal after which another gateway takes over."""
TAKEOVER_INTERVAL = 10.0
"""Seconds between checks for such gateways."""
RECLAIMED_TTL = 7 * 86_400
"""Seconds for which Redis remembers that an incarnation was taken over: it may be suspended for as long, and still finds out when it resumes."""


class GatewayLease(Service):
    """Renewed from its start on; from `begin` on commands are taken, and gateways whose lease has expired are taken over from.

    ``roster`` announces our chargers when our lease may have expired, ``commands`` gets the elements of other incarnations and gateways.
    """

    _log = Logger()

    def __init__(self, connection: Connection, keys: Keys, health: LeaseHealth, roster: RedisRoster, commands: RedisCommands) -> None:
        self._connection = connection
        self._keys = keys
        self._health = health
        self._roster = roster
        self._commands = commands
        self._tasks: list[Deferred[None]] = []
        self._complaint = ""
        self._status = b""
        self._begun = False
        connection.watch(self._changed)

    def startService(self) -> None:
        super().startService()
        self._tasks = [Deferred.fromCoroutine(self._keep_renewing()).addErrback(cancelled)]

    def _changed(self) -> None:
        """A new connection is used at once to renew the lease and announce our chargers, before anything else."""
        if self._connection.client is None or not self.running:
            return
        self._tasks = [each for each in self._tasks if not each.called]
        self._tasks.append(Deferred.fromCoroutine(self._retry(self._renew)).addErrback(cancelled))
        self._roster.announce()

    def stopService(self) -> Deferred[Any] | None:
        """Give the lease up at once, so that no commands are forwarded to a gateway that is stopping."""
        super().stopService()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        client = self._connection.client
        if client is None:
            return None
        deleted = client.send("DEL", self._keys.lease())
        return deleted.addTimeout(1.0, self._connection.reactor).addErrback(lambda _: None)

    async def begin(self) -> None:
        """Take over from the previous incarnation of this gateway; to be called once Redis knows all that it has done."""
        elements = await self._retry(self._begin)
        self._begun = True
        if self.running:
            self._tasks.append(Deferred.fromCoroutine(self._keep_taking_over()).addErrback(cancelled))
            self._commands.begin(elements)

    async def _keep_renewing(self) -> None:
        while self.running:
            await self._retry(self._renew)
            await deferLater(self._connection.reactor, RENEW_INTERVAL)

    async def _retry(self, attempt_once: Callable[[], Any]) -> Any:
        """The result, tried until Redis does not refuse it."""
        attempt = 0
        while True:
            try:
                done = await attempt_once()
            except RedisError as why:
                if isinstance(why, ResponseError) and str(why) != self._complaint:
                    self._complaint = str(why)
                    self._log.error("gateway lease cannot be renewed, so that no commands are forwarded to us: {why}", why=str(why))
                await self._connection.pause(attempt)
                attempt += 1
            else:
                self._complaint = ""
                return done

    async def _begin(self) -> list[Taken]:
        keys = self._keys
        script_keys = (keys.gateways, keys.lease(), keys.processing, keys.table("sent", keys.gateway))
        args = (keys.gateway, keys.incarnation, LEASE_TTL, keys.reclaimed(" ")[:-1], RECLAIMED_TTL)
        silent, elements = await self._connection.ask(lambda client, _: BEGIN.run(client, script_keys, *args))
        return _taken(silent, elements)

    async def _renew(self) -> None:
        keys = self._keys
        if not self._begun:  # BEGIN needs the previous incarnation's last renewal
            await self._ask(lambda client: client.send("SET", keys.lease(), "1", "EX", LEASE_TTL))
            self._health.renewed(kept=True)
            return
        script_keys = (keys.gateways, keys.lease(), keys.reclaimed())
        args = (keys.gateway, keys.incarnation, LEASE_TTL)
        status = await self._ask(lambda client: RENEW.run(client, script_keys, *args))
        self._health.renewed(kept=status == b"lives")
        if status in (b"usurped", b"reclaimed"):
            await self._commands.drop_reclaimed()
        before, self._status = self._status, status
        if status == b"usurped" and before != status:
            self._log.error("gateway name {name} is used by another process: give each gateway one of its own", name=keys.gateway)
        elif status == b"reclaimed":
            self._log.warn("gateway was suspended for so long that another one has taken over its commands")
        if status == b"lives":
            self._roster.announce_rest()
        elif status != b"usurped":
            self._roster.announce()  # while our lease had expired chargers may have gone to others, without a peer message to us

    async def _ask(self, send: Callable[[RedisClient], Deferred[Any]]) -> Any:
        """The answer to what renews the lease, however long it takes; that it is refused meanwhile is noted."""
        return await self._connection.ask(lambda client, _: send(client).addErrback(self._refused))

    def _refused(self, why: Failure) -> Failure:
        if why.check(ResponseError):
            self._health.refused(why.getErrorMessage())
        return why

    async def _keep_taking_over(self) -> None:
        keys = self._keys
        script_keys, args = (keys.gateways,), (keys.lease(" ")[:-1], TAKEOVER_AFTER)
        while self.running:
            await deferLater(self._connection.reactor, TAKEOVER_INTERVAL)
            if self._health.trouble:
                continue
            try:
                expired = await self._connection.ask(lambda client, _: EXPIRED.run(client, script_keys, *args))
                for name, incarnation in zip(expired[::2], expired[1::2], strict=True):
                    await self.reclaim(name.decode(errors="replace"), incarnation.decode(errors="replace"))
            except RedisError as why:
                self._log.error("takeover from gateways that are gone failed: {why}", why=str(why))

    async def reclaim(self, name: str, incarnation: str) -> None:
        """Take over from that incarnation of a gateway, if it is still gone and no other gateway has."""
        keys = self._keys
        tables = [keys.table(table, gateway) for table in ("sent", "provisional") for gateway in (name, keys.gateway)]
        script_keys = (
            keys.gateways, keys.lease(name), keys.reclaimed(incarnation), keys.processing_of(name), keys.processing,
            keys.own_commands(name), keys.commands, *tables,
        )  # fmt: skip
        client = await self._connection.ready()
        try:
            found = await RECLAIM.run(client, script_keys, name, incarnation, TAKEOVER_AFTER, keys.gateway, RECLAIMED_TTL)
        except RedisError as why:
            if isinstance(why, ResponseError):
                raise
            self._commands.check_in_flight(left_over=True)  # the elements may be in our list although we got no answer
            return
        if found:
            elements = _taken(*found)
            log = self._log.warn if elements else self._log.info
            log("gateway {name} is gone: its {count} commands in flight are taken over", name=name, count=len(elements))
            self._commands.take_over(elements)


def _taken(silent: bytes, elements: list[bytes]) -> list[Taken]:
    return [Taken(element, float(silent), bool(sent)) for element, sent in zip(elements[::2], elements[1::2], strict=True)]
