"""The four drivers of one gateway over one Redis, with as few connections as will do: four.

Knows nothing of what they are used for.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, TimeoutError

from ..settings import Settings
from ..spool.spool import Spool
from . import durability
from .address import RedisAddress
from .batch import keeps
from .commands import RedisCommands
from .connection import REPLY_TIMEOUT, Connection, cancelled
from .events import RedisEvents
from .keys import Keys
from .lease import GatewayLease
from .protocol import RedisError
from .records import RedisRecords
from .roster import RedisRoster


class RedisStore(MultiService):
    """``events``, ``roster``, ``records`` and ``commands`` of one gateway; ``settings.redis`` and ``settings.name`` must be filled in.

    Raises:
        ValueError: the name is empty, or the URL is none.
    """

    def __init__(self, settings: Settings, reactor: Any, reply_timeout: float = REPLY_TIMEOUT) -> None:
        super().__init__()
        names = Keys.of(settings)
        where = RedisAddress.of(settings.redis, settings.redis_db)
        self._connections = [Connection(reactor, where, reply_timeout) for _ in range(4)]
        ordered, ordinary, shared, own = self._connections
        self._ordered, self._ordinary = ordered, ordinary
        self.address = where
        self.spool = Spool(Path(settings.spool), reactor, keeps, settings.spool_limit << 20) if settings.spool else None
        self.commands = RedisCommands(ordinary, shared, own, names)
        self.events = RedisEvents(ordered, names, self.commands.acknowledged, self.spool, settings.durability)
        self.roster = RedisRoster(ordinary, names)
        self.lease = GatewayLease(ordinary, names, self.roster, self.commands)
        self.records = RedisRecords(ordinary, names, self.events, self.spool)
        for each in (*self._connections, self.events, self.commands, self.lease):
            each.setServiceParent(self)
        self._taking: Deferred[None] | None = None

    async def open(self) -> None:
        """Open the spool; to be awaited before anything is started. Raises `ocpp_tw.spool.file.Unusable`."""
        if self.spool is not None:
            await self.spool.open()

    def startService(self) -> None:
        super().startService()
        self._taking = Deferred.fromCoroutine(self._take_commands()).addErrback(cancelled)

    async def _take_commands(self) -> None:
        # What an earlier run had in hand may be done with, and the word of it in the spool.
        await self.events.caught_up()
        await self.lease.begin()

    async def guarantee(self) -> tuple[str, bool]:
        """What the server does with what was acknowledged, in a line, and whether all is well; waits until it can be asked."""
        return durability.guarantee(await durability.asked(self._ordinary))

    async def ping(self, within: float = 2.0) -> bool:
        """Whether events can be written: the server answers within that many seconds and has nothing against the last of them."""
        line = self._ordered.client
        if line is None or self.events.trouble:
            return False
        try:
            return bool(await line.send("PING").addTimeout(within, self._ordered.reactor))
        except (RedisError, TimeoutError):
            return False

    def spooled(self) -> dict[str, Any]:
        """What waits on the disk, and why the disk takes no more; {} without a spool."""
        spool = self.spool
        return {"groups": spool.groups, "events": spool.events, "trouble": spool.trouble} if spool else {}

    def stopService(self) -> Deferred[None]:
        """Take nothing more, take leave, and hang up: in two seconds at most, whatever state Redis is in."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
        parting = [each.stopService() for each in (self.lease, self.commands, self.events)]
        for each in parting:
            if each is not None:
                await each
        for connection in self._connections:
            await connection.stopService()
        if self.spool is not None:
            await self.spool.close()
        self.running = 0
