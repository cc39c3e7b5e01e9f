"""Events go to Redis in groups, one at a time and in order; while Redis cannot take them, to the spool, and from there to Redis.

Knows neither what events say nor who waits for them to be durable. Its states are in three places: `Route` (where the next group goes),
`Storing` (the group on its way to the disk) and `Drain` (the rows on their way from the disk to Redis).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from ..core.entries import Entry
from ..histogram import GroupCounts
from ..interfaces import IEvents, Published
from ..log import Logger
from ..spool import FieldUpdate, Spool
from .connection import Connection
from .drain import Drain
from .durable import DurableEntries
from .groups import MAX_EVENTS, Group, QueuedEntry, events_of
from .keys import Keys
from .route import Route
from .storing import State, Storing
from .unwritten import Unwritten
from .writer import Writer

REDIS_TIMEOUT = 1.0
"""Seconds that Redis has for a group before the group goes to the spool, and that the disk has before a group it refused is tried again."""

CHECK_INTERVAL = 0.25
"""Seconds between checks of `REDIS_TIMEOUT`."""

MAX_WAITING = 20_000
"""Most entries in the queue that are durable nowhere; with more there is neither a Redis nor a disk, and the gateway is overloaded."""

MANY_WAITING = 100
"""Entries in the queue with which the gateway is strained: what comes last waits for all of them."""

MUCH_WAITING = 256 << 10
"""Bytes of events that are not durable yet with which it is strained, too."""

DIRECT = Route.DIRECT  # looked up for each message


@implementer(IEvents)
class RedisEvents(Service):
    """Events over a connection of their own. With a ``spool`` they are durable when they are in it; without one they wait here.

    ``acknowledged`` is called with each element whose `Acknowledged` effect was carried out. ``durability`` is the setting of that name.
    """

    _log = Logger()

    def __init__(
        self,
        connection: Connection,
        keys: Keys,
        acknowledged: Callable[[bytes], None] = lambda element: None,
        spool: Spool | None = None,
        durability: str = "redis",
    ) -> None:
        self.overloaded = self.strained = False
        self.tap: Published | None = None
        self.waiting_bytes = self.published = 0
        self.groups = GroupCounts()
        self.route = DIRECT
        self._clock = connection.reactor
        self._acknowledged = acknowledged
        self._keys = keys
        self._spool = spool
        self._writer = Writer(connection, keys, durability, self._cannot_sync)
        self._storing = Storing(spool, keys.incarnation, self._stored, self._advance)
        self._drain = Drain(spool, self._writer, acknowledged, self._drained, self._exhausted)
        self._queue: list[QueuedEntry] = []
        self._unwritten = Unwritten()
        self._durable = DurableEntries(self._unwritten, spool, connection.reactor)
        self._number = 0
        self._flight: Group | None = None  # on its way from the queue to Redis
        self._since = 0.0  # when the latest attempt began: of Redis or the disk with a group, or of Redis with the rest of the spool
        self._scheduled: Any = None
        self._checks = LoopingCall(self._check)
        self._checks.clock = connection.reactor

    @property
    def trouble(self) -> str:
        """Why Redis takes nothing at the moment; "" while all is well."""
        return self._writer.trouble

    @property
    def refusal(self) -> str:
        """Why Redis has refused events since it took some last; "" if it has not."""
        return self._writer.refusal

    @property
    def away(self) -> bool:
        """See `IEvents`."""
        return self.route is not DIRECT or bool(self._writer.trouble)

    @property
    def waiting(self) -> int:
        """How many entries are not durable yet."""
        groups = {self._flight, self._storing.group}
        return len(self._queue) + sum([len(each.entries) for each in groups if each is not None and not each.durable])

    def publish(self, entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """Append the entry with the group of this turn of the reactor (see `IEvents`)."""
        queued = QueuedEntry.of(entry, self._keys, then, value)
        self._queue.append(queued)
        self.waiting_bytes += queued.size
        if queued.effects.updates:
            self._unwritten.add(queued.effects.updates)
        if self._scheduled is None and self.running:
            if (self._flight if self.route is DIRECT else self._storing.group) is None:
                self._scheduled = self._clock.callLater(0, self._turn)
            else:
                self.strained = self.strained or len(self._queue) >= MANY_WAITING or self.waiting_bytes >= MUCH_WAITING
                self.overloaded = self.overloaded or len(self._queue) >= MAX_WAITING

    def events_in(self, entries: bytes) -> list[tuple[str, bytes]]:
        """See `IEvents`."""
        return events_of(entries)

    def flushed(self) -> Deferred[None]:
        """Fires once all that was published so far is durable."""
        waiting = self.waiting
        return self._durable.flushed(waiting) if waiting else succeed(None)

    def caught_up(self) -> Deferred[None]:
        """Fires once nothing is in the spool: then Redis knows all that an earlier run of the gateway has done."""
        if self.route is DIRECT or (self._spool is not None and not self._spool.groups):
            return succeed(None)
        return self._drain.caught_up()

    def pending(self, table: bytes) -> list[FieldUpdate]:
        """What the entries that are not durable yet will do to the table, in order (see `ocpp_tw.spool.applied`)."""
        return self._unwritten.pending(table)

    def startService(self) -> None:
        super().startService()
        if self.route is DIRECT and self._spool is not None and self._spool.groups:
            self.route = self._spool_route()
        self._writer.start()
        self._drain.start()
        self._durable.start()
        if self._spool is not None:
            self._checks.start(CHECK_INTERVAL, now=False)
        self._turn()
        self._advance()

    def stopService(self) -> None:
        """Write no more; what is not durable by now never will be. Await `flushed` before, for a while."""
        super().stopService()
        self._writer.stop()
        self._drain.stop()
        self._durable.stop()
        if self._checks.running:
            self._checks.stop()
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None

    def _turn(self) -> None:
        self._scheduled = None
        if self.route is DIRECT:
            self._send()
        elif self.route is not Route.HELD and self._queue:
            self._store()

    def _load(self) -> Group:
        self._number += 1
        group = Group.load(self._queue, self._keys, self._number)
        self.published += group.events
        self.groups.entries.add(len(group.entries))
        self._since = self._clock.seconds()
        return group

    def _send(self) -> None:
        if self._flight is None and self._queue and not self._writer.busy:
            self._flight = flight = self._load()
            self._writer.write([flight.packed], self._written)

    def _written(self, numbers: list[int]) -> None:
        """Redis has the group that was in flight."""
        flight, self._flight = self._flight, None
        assert flight is not None
        if not flight.diverted:
            self.groups.took.add(self._clock.seconds() - self._since)
        if self.route is DIRECT:
            self._send()  # the next group is in flight before this one's CALLs are answered
        if not flight.diverted:  # or it comes once more from the spool, and Redis recognises it
            for each in flight.acknowledged:
                self._acknowledged(each)
        self._conclude(flight, numbers)
        self._advance()

    def _store(self) -> None:
        """Store the next group, or try once more the one that the disk refused."""
        storing = self._storing
        if self.running and storing.state is State.IDLE and self._queue:
            storing.begin(self._load())
        elif self.running and storing.state is State.STUCK:
            self._since = self._clock.seconds()
            storing.retry()

    def _stored(self, row: int, group: Group) -> None:
        if elements := group.acknowledged:
            self._drain.elements[row] = elements
        if self.route is not Route.HELD:
            self._store()
        self._conclude(group, [])
        self._advance()

    def _conclude(self, group: Group, numbers: list[int]) -> None:
        """The group is durable; ``numbers`` are those of its events, if they are known."""
        if not group.durable:
            self.waiting_bytes -= group.bytes
            if self.tap is not None:
                self.tap(group.packed.data, numbers)
        if self.strained and len(self._queue) < MANY_WAITING // 2 and self.waiting_bytes < MUCH_WAITING // 2:
            self.strained = False
        if self.overloaded and len(self._queue) < MAX_WAITING // 2:
            self.overloaded = False
        self._durable.add(group)

    def _check(self) -> None:
        self._advance()
        if self._clock.seconds() - self._since <= REDIS_TIMEOUT:
            return
        if self._storing.refused:
            self._store()
        elif self.route is DIRECT and self._flight is not None:
            self._divert(self._flight)
        elif self.route is Route.HELD and self._queue:
            self.route = Route.SPOOL
            self._store()

    def _divert(self, flight: Group) -> None:
        """Redis takes too long for the group in flight: that group and all behind it go to the spool."""
        assert self._spool is not None
        why = self._writer.trouble or "it does not answer"
        self._log.error("events go to the spool {directory}: {why}", directory=str(self._spool.directory), why=why)
        self.route, self._since = self._spool_route(), self._clock.seconds()
        flight.diverted = True
        self._storing.begin(flight)

    def _spool_route(self) -> Route:
        return Route.ALWAYS if self._writer.cannot_sync else Route.SPOOL

    def _cannot_sync(self) -> None:
        """Redis cannot sync what it is told to: only the spool makes entries durable, also those that wait for Redis now."""
        if self._spool is not None:
            self.route = Route.ALWAYS
            self._store()
            self._advance()

    def _advance(self) -> None:
        """Drain the spool, unless its events come after a group that is in flight."""
        if self.running and self.route is not DIRECT and self._flight is None:
            self._drain.advance()

    def _drained(self) -> None:
        assert self._spool is not None
        if self.route is Route.SPOOL and self._spool.events <= MAX_EVENTS:
            self.route, self._since = Route.HELD, self._clock.seconds()

    def _exhausted(self) -> None:
        """All that is in the spool is in Redis."""
        state = self._storing.state
        if state not in (State.IDLE, State.STUCK):
            return  # a group is on its way to the disk
        self._drain.clear()  # or a restart would take what Redis has for news, and a full disk would stay full
        if state is State.IDLE:
            self._drain.fire_caught_up()
            if self.route is not Route.ALWAYS:
                self.route = DIRECT
                self._log.info("the spool is empty: events go to Redis again")
                self._send()
        else:  # the disk does not take the group, but Redis may
            self._flight = flight = self._storing.give_up()
            flight.diverted = False
            self.route, self._since = DIRECT, self._clock.seconds()
            self._writer.write([flight.packed], self._written)
            self._drain.fire_caught_up()
