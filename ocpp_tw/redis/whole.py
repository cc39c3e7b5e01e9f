"""The four drivers of one gateway over one Redis, with as few connections as will do: four.

Knows nothing of what they are used for.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred

from ..settings import Settings
from . import durability
from .commands import RedisCommands
from .connection import REPLY_TIMEOUT, Connection
from .events import RedisEvents
from .life import Life
from .line import RedisError
from .names import Names
from .records import RedisRecords
from .roster import RedisRoster
from .where import Where


class RedisStore(MultiService):
    """``events``, ``roster``, ``records`` and ``commands`` of one gateway; ``settings.redis`` and ``settings.name`` must be filled in.

    Raises:
        ValueError: the name is empty, or the URL is none.
    """

    def __init__(self, settings: Settings, reactor: Any, reply_timeout: float = REPLY_TIMEOUT) -> None:
        super().__init__()
        names = Names.of(settings)
        where = Where.of(settings.redis, settings.redis_db)
        self._connections = [Connection(reactor, where, reply_timeout) for _ in range(4)]
        ordered, ordinary, shared, own = self._connections
        self._ordered, self._ordinary = ordered, ordinary
        self.where = where
        self.commands = RedisCommands(ordinary, shared, own, names)
        self.events = RedisEvents(ordered, names, self.commands.let_go)
        self.roster = RedisRoster(ordinary, names)
        self.life = Life(ordinary, names, self.roster, self.commands)
        self.records = RedisRecords(ordinary, names)
        for each in (*self._connections, self.events, self.commands, self.life):
            each.setServiceParent(self)

    async def guarantee(self) -> tuple[str, bool]:
        """What the server does with what was acknowledged, in a line, and whether all is well; waits until it can be asked."""
        return durability.guarantee(await durability.asked(self._ordinary))

    async def ping(self, within: float = 2.0) -> bool:
        """Whether events can be written: the server answers within that many seconds and has nothing against the last of them."""
        line = self._ordered.line
        if line is None or self.events.trouble:
            return False
        try:
            return bool(await line.say("PING").addTimeout(within, self._ordered.reactor))
        except (RedisError, TimeoutError):
            return False

    def stopService(self) -> Deferred[None]:
        """Take nothing more, take leave, and hang up: in two seconds at most, whatever state Redis is in."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        parting = [each.stopService() for each in (self.life, self.commands, self.events)]
        for each in parting:
            if each is not None:
                await each
        for connection in self._connections:
            await connection.stopService()
        self.running = 0
