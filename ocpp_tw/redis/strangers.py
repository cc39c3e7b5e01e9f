"""Forgets the chargers that nobody has vouched for and that stay away: else whoever makes up names fills Redis for ever.

An operator's decision vouches for a charger, and so do the backend's and a transaction. Knows neither who connects nor what is stored about them; the hash
of numbers tells who is new, and the roster's script who comes and goes.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from ..core.entries import AWAY, FLEET, REFUSED_HANDSHAKES, SPELLINGS, STATES
from ..log import Logger
from ..waiting import cancelled
from .connection import Connection
from .keys import Keys
from .protocol import RedisError
from .scripts.strangers import FORGET

FORGOTTEN_AFTER = 30 * 86_400
"""Seconds since it was last connected, after which a charger that nobody has vouched for is forgotten."""

INTERVAL = 600.0
"""Seconds between looks for them."""

MAX_AT_ONCE = 1000
"""Most that one script looks at: Redis does nothing else meanwhile."""


class Strangers(Service):
    """One for a gateway, any of which forgets those of the fleet."""

    _log = Logger()

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        tables = [keys.table(FLEET, each) for each in (AWAY, STATES)]
        self._keys = (keys.strangers, keys.owners, keys.seq, keys.seq_floor, *tables)
        self._args = (MAX_AT_ONCE, *(keys.table(each, "") for each in ("record", "transactions", SPELLINGS)), REFUSED_HANDSHAKES)
        self._task: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self._task = Deferred.fromCoroutine(self._keep_forgetting()).addErrback(cancelled)

    def stopService(self) -> None:
        super().stopService()
        if self._task is not None:
            self._task.cancel()

    async def _keep_forgetting(self) -> None:
        while self.running:
            await deferLater(self._connection.reactor, INTERVAL)
            try:
                await self.forget()
            except RedisError as why:
                self._log.error("chargers that nobody has vouched for cannot be forgotten: {why}", why=str(why))

    async def forget(self, after: float = FORGOTTEN_AFTER) -> int:
        """Forget those that have been away for that many seconds; how many they were."""
        total = 0
        while True:
            looked_at: int
            forgotten: int
            looked_at, forgotten = await self._connection.ask(lambda client, _: self._run(client, after))
            total += forgotten
            if looked_at < MAX_AT_ONCE:
                return total
            await self._connection.pause(0)

    def _run(self, client: Any, after: float) -> Deferred[list[int]]:
        return FORGET.run(client, self._keys, after, *self._args)
