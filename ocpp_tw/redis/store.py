"""The drivers of one gateway over one Redis, with as few connections as possible: five.

Knows nothing of what they are used for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, TimeoutError

from ..settings import Settings
from ..spool import Spool
from ..waiting import cancelled
from . import durability
from .address import RedisAddress
from .backlog import Backlog
from .commands import RedisCommands
from .connection import REPLY_TIMEOUT, Connection
from .events import RedisEvents
from .fleet import PubSub, Subscriber
from .groups import updates_of
from .history import RedisHistory
from .keys import Keys
from .lease import GatewayLease
from .lease_health import LeaseHealth
from .orphans import RedisOrphans
from .protocol import RedisClient, RedisError
from .records import RedisRecords
from .register import RedisRegister
from .roster import RedisRoster
from .states import RedisStates
from .strangers import Strangers


class Connections(NamedTuple):
    """``events`` are written in order on one connection of their own; ``shared`` and ``own`` block in BLMOVE; ``listening`` hears what other
    gateways say; the rest uses ``ordinary``.
    """

    events: Connection
    ordinary: Connection
    shared: Connection
    own: Connection
    listening: Connection


class RedisStore(MultiService):
    """``events``, ``roster``, ``orphans``, ``records``, ``history``, ``states``, ``register``, ``commands`` and ``fleet`` of one gateway;
    ``settings.redis`` and ``settings.name`` must be filled in.

    Raises:
        ValueError: the name is empty, or the URL is not valid.
    """

    def __init__(self, settings: Settings, reactor: Any, reply_timeout: float = REPLY_TIMEOUT) -> None:
        super().__init__()
        self.keys = keys = Keys.of(settings)
        self.address = RedisAddress.of(settings.redis, settings.redis_db)
        kinds = {"listening": Subscriber}
        made = [Connection(reactor, self.address, reply_timeout, kinds.get(name, RedisClient)) for name in Connections._fields]
        self.connections = Connections(*made)
        ordinary = self.connections.ordinary
        self.spool = Spool(Path(settings.spool), reactor, updates_of, settings.spool_limit << 20) if settings.spool else None
        self.commands = RedisCommands(ordinary, self.connections.shared, self.connections.own, keys)
        self.events = RedisEvents(self.connections.events, keys, self.commands.acknowledged, self.spool, settings.durability)
        self.lease_health = LeaseHealth(reactor.seconds, lambda: ordinary.silence)
        self.roster = RedisRoster(ordinary, keys, self.lease_health)
        self.orphans = RedisOrphans(ordinary, keys, self.lease_health, self.roster.is_ours)
        self.lease = GatewayLease(ordinary, keys, self.lease_health, self.roster, self.commands)
        self.records = RedisRecords(ordinary, keys, self.events, self.spool)
        self.history = RedisHistory(ordinary, keys)
        self.states = RedisStates(ordinary, keys)
        self.register = RedisRegister(ordinary, keys, self.records, self.spool)
        self.backlog = Backlog(ordinary, keys)
        self.strangers = Strangers(ordinary, keys)
        self.fleet = PubSub(self.connections.listening, ordinary, keys, self.lease_health, self.address.db)
        for each in (*self.connections, self.events, self.commands, self.lease, self.backlog, self.strangers, self.register, self.fleet):
            each.setServiceParent(self)
        self._beginning: Deferred[None] | None = None

    async def open(self) -> None:
        """Open the spool; to be awaited before anything is started. Raises `ocpp_tw.spool.SpoolUnusable`."""
        if self.spool is not None:
            await self.spool.open()

    def startService(self) -> None:
        super().startService()
        self._beginning = Deferred.fromCoroutine(self._begin()).addErrback(cancelled)

    async def _begin(self) -> None:
        # The spool may have the end of a command that the previous incarnation had in flight: Redis must know it first.
        await self.events.caught_up()
        await self.lease.begin()

    async def guarantee(self) -> tuple[str, bool]:
        """What guarantee the server gives for acknowledged events, in a line, and whether all is well; waits until it can be asked."""
        return durability.guarantee(await durability.read_config(self.connections.ordinary))

    @property
    def trouble(self) -> str:
        """Why Redis takes no events at the moment; "" while it does, as far as is known: where there are none, by the
        other connections and the lease."""
        events, ordinary = self.connections.events, self.connections.ordinary
        lost = next((each.trouble for each in (events, ordinary) if each.client is None), "")
        return self.refuses or self.events.trouble or lost or self.lease_health.outage

    @property
    def refuses(self) -> str:
        """Why Redis takes no events though it answers; "" if it takes them, and if it does not answer. Its connection for events may be cut
        again and again then, in search of a master."""
        if self.connections.ordinary.client is None or self.lease_health.silent:
            return ""
        return self.lease_health.refuses or self.events.refusal

    async def ping(self, within: float = 2.0) -> bool:
        """Whether events can be written: the server answers within that many seconds and has not refused the last of them."""
        client = self.connections.events.client
        if client is None or self.events.trouble:
            return False
        try:
            return bool(await client.send("PING").addTimeout(within, self.connections.events.reactor))
        except (RedisError, TimeoutError):
            return False

    def unread(self) -> int | None:
        """How many events wait in the list for the backend, as of the last look; None while that is not known."""
        return self.backlog.unread

    def spooled(self) -> dict[str, Any]:
        """What waits in the spool, and why the disk takes no more; {} without a spool."""
        spool = self.spool
        return {"groups": spool.groups, "events": spool.events, "trouble": spool.trouble} if spool else {}

    def spool_bytes(self) -> int:
        """The size of the spool's files; 0 without a spool."""
        return self.spool.size() if self.spool else 0

    def stopService(self) -> Deferred[None]:
        """Take no more commands, give the lease up, and disconnect: in two seconds at most, whatever state Redis is in."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
        stopping = [
            each.stopService() for each in (self.fleet, self.register, self.strangers, self.backlog, self.lease, self.commands, self.events)
        ]
        for each in stopping:
            if each is not None:
                await each
        for connection in self.connections:
            await connection.stopService()
        if self.spool is not None:
            await self.spool.close()
        self.running = 0
