"""Events go to Redis in groups, one at a time and in order; while Redis cannot take them, to the spool, and from there to Redis.

Knows neither what events say nor who waits for them to be safe.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core.entries import Acknowledged, Entry
from ..interfaces import IEvents
from ..spool.spool import Row, Spool
from .batch import MAX_EVENTS, Group, QueuedEntry, load
from .connection import Connection
from .keys import Keys
from .protocol import Packed
from .unwritten import Unwritten
from .writer import Writer

REDIS_TIMEOUT = 1.0
"""Seconds that Redis has for a group; then it goes to the spool."""

CHECK_INTERVAL = 0.25
"""Seconds between looks at how long Redis or the disk has been trying one's patience."""

MIRROR_INTERVAL = 2.0
"""Seconds between times that what is known of shelves goes to where it can be found: what comes to one name meanwhile is written once."""

OVERLOADED = 20_000
"""With so many entries that are safe nowhere nothing more should be taken in: there is no Redis and no disk."""


class Batch:
    """Entries that are made safe together. ``told``: whoever waits for them knows that they are."""

    __slots__ = ("chosen", "group", "told")

    def __init__(self, chosen: list[QueuedEntry], group: Group) -> None:
        self.chosen, self.group, self.told = chosen, group, False


@implementer(IEvents)
class RedisEvents(Service):
    """Events over a connection of their own. With a ``spool`` they are safe when they are in it; without one they wait here.

    ``let_go`` is told of each element whose `Settled` effect was carried out. ``durability`` is the setting of that name.
    """

    _log = Logger()

    def __init__(
        self,
        connection: Connection,
        names: Keys,
        let_go: Callable[[bytes], None] | None = None,
        spool: Spool | None = None,
        durability: str = "redis",
    ) -> None:
        self.overloaded = False
        self._clock = connection.reactor
        self._let_go = let_go
        self._names = names
        self._spool = spool
        self._writer = Writer(connection, names, durability, self._never_direct)
        self._queue: list[QueuedEntry] = []
        self._unwritten = Unwritten()
        self._number = 0
        self._flight: Batch | None = None  # on its way to Redis
        self._storing: Batch | None = None  # on its way to the disk
        self._since = 0.0  # when either began
        self._appending = False  # the disk is at work on it
        self._stuck = False  # the disk did not take it
        self._soon: Any = None
        self._spooling = False
        self._holding = False  # the spool is all but empty: what comes now waits for Redis
        self._always = False
        self._reading = self._unreadable = False
        self._ahead: list[Row] = []  # read, and not yet on their way to Redis
        self._fetched = 0  # the id of the last group that was read
        self._elements: dict[int, list[bytes]] = {}
        self._safe = 0
        self._settling: list[tuple[int, Deferred[None]]] = []
        self._caught_up: list[Deferred[None]] = []
        self._wheels = [] if spool is None else [(CHECK_INTERVAL, LoopingCall(self._look)), (MIRROR_INTERVAL, LoopingCall(spool.mirror))]

    @property
    def trouble(self) -> str:
        """Why Redis takes nothing at the moment; "" while all is well."""
        return self._writer.trouble

    @property
    def waiting(self) -> int:
        """How many entries are not safe yet."""
        batches = {self._flight, self._storing}
        return len(self._queue) + sum([len(each.chosen) for each in batches if each is not None and not each.told])

    def publish(self, entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """Append the entry with the group of this turn of the reactor (see `IEvents`)."""
        waiting = QueuedEntry.of(entry, self._names, then, value)
        self._queue.append(waiting)
        if waiting.kept:
            self._unwritten.add(waiting.kept)
        if self._soon is None and self.running:
            if (self._storing if self._spooling else self._flight) is None:
                self._soon = self._clock.callLater(0, self._turn)
            elif len(self._queue) >= OVERLOADED:
                self.overloaded = True

    def flushed(self) -> Deferred[None]:
        """Fires once all that was published so far is safe."""
        waiting = self.waiting
        if not waiting:
            return succeed(None)
        settled: Deferred[None] = Deferred()
        self._settling.append((self._safe + waiting, settled))
        return settled

    def caught_up(self) -> Deferred[None]:
        """Fires once nothing is in the spool: then Redis knows all that an earlier run of the gateway has done."""
        if not self._spooling or (self._spool is not None and not self._spool.groups):
            return succeed(None)
        waiting: Deferred[None] = Deferred(lambda gone: self._caught_up.remove(gone))
        self._caught_up.append(waiting)
        return waiting

    def pending(self, shelf: bytes) -> dict[bytes, bytes | None]:
        """What the entries that are not safe yet will do to a shelf, by name; None: it is taken off."""
        return self._unwritten.on(shelf)

    def startService(self) -> None:
        super().startService()
        self._spooling = self._spooling or (self._spool is not None and bool(self._spool.groups))
        self._writer.start()
        for interval, wheel in self._wheels:
            wheel.clock = self._clock
            wheel.start(interval, now=False)
        self._turn()
        self._drain()

    def stopService(self) -> None:
        """Write no more; what is not safe by now never will be. Await `settled` before, for a while."""
        super().stopService()
        self._writer.stop()
        for _, wheel in self._wheels:
            if wheel.running:
                wheel.stop()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        for each in self._caught_up[:]:
            each.cancel()

    # to Redis, or to the disk

    def _turn(self) -> None:
        self._soon = None
        if not self.running or not self._queue:
            return
        if not self._spooling:
            self._send()
        elif not self._holding:
            self._store()

    def _load(self) -> Batch:
        self._number += 1
        batch = Batch(*load(self._queue, self._names, self._number))
        self._since = self._clock.seconds()
        return batch

    def _send(self) -> None:
        if self._flight is None and self._queue and not self._writer.busy:
            self._flight = flight = self._load()
            self._writer.write([flight.group.packed], self._written)

    def _written(self, dropped: list[bytes]) -> None:
        flight, self._flight = self._flight, None
        assert flight is not None
        if self._spooling:  # it went to the spool meanwhile, where Redis will know it again
            self._tell(flight)
            self._pour()
            self._drain()
            return
        self._send()  # the next group is under way before this one's answers are given
        self._release(_elements(flight))
        self._tell(flight)

    def _tell(self, batch: Batch) -> None:
        """The batch is safe."""
        if batch.told:
            return
        batch.told = True
        self._safe += len(batch.chosen)
        # Not before: whoever took a message for known that is safe nowhere would answer it, and lose it. Not later either.
        if kept := [kept for each in batch.chosen for kept in each.kept]:
            self._unwritten.drop(kept)
            if self._spool is not None:
                self._spool.note(kept)
        if self.overloaded and len(self._queue) < OVERLOADED // 2:
            self.overloaded = False
        for each in batch.chosen:
            if each.then is not None:
                try:
                    each.then(each.value)
                except Exception:
                    self._log.failure("events: what follows upon an event failed")
        while self._settling and self._settling[0][0] <= self._safe:
            self._settling.pop(0)[1].callback(None)

    def _release(self, elements: list[bytes]) -> None:
        if self._let_go is not None:
            for each in elements:
                self._let_go(each)

    # the spool

    def _look(self) -> None:
        if self._spooling:
            self._drain()
        if self._clock.seconds() - self._since <= REDIS_TIMEOUT:
            return
        if self._stuck:
            self._store()
        elif self._flight is not None and not self._spooling:
            self._divert()
        elif self._holding and self._queue:
            self._holding = False
            self._store()

    def _divert(self) -> None:
        """Redis takes too long: from now on events go to the spool, first of all what is on its way to Redis."""
        assert self._spool is not None
        why = self._writer.trouble or "it does not answer"
        self._log.error("events go to the spool {directory}: {why}", directory=str(self._spool.directory), why=why)
        self._spooling, self._holding = True, False
        self._storing = self._flight
        self._store()

    def _never_direct(self) -> None:
        if self._spool is not None:
            self._always = self._spooling = True
            self._drain()

    def _store(self) -> None:
        spool = self._spool
        if self._appending or spool is None:
            return
        if self._storing is None:
            if not self._queue:
                return
            self._storing = self._load()
        batch, self._appending, self._since = self._storing, True, self._clock.seconds()
        group = batch.group
        stored = spool.append(self._names.incarnation, group.number, group.events, group.packed.number, group.packed.data)
        stored.addCallbacks(self._stored, self._unstored, callbackArgs=(batch,))
        stored.addErrback(lambda why: self._log.failure("events: a group's end failed", why))

    def _stored(self, row: int, batch: Batch) -> None:
        self._storing, self._appending = None, False
        if self._stuck:
            self._stuck = False
            self._log.info("the spool takes events again")
        if elements := _elements(batch):
            self._elements[row] = elements
        if self.running and not self._holding:
            self._store()
        self._tell(batch)
        self._drain()

    def _unstored(self, why: Failure) -> None:
        """The disk is full, or broken: nobody is told that the group is safe, and it is tried again."""
        self._appending = False
        if not self._stuck:
            self._stuck = True
            self._log.error("the spool takes no events, and nobody is answered: {why}", why=why.getErrorMessage())
        self._drain()

    # from the spool to Redis

    def _drain(self) -> None:
        """Read the next groups, be it while Redis is at work on those before."""
        if self._spooling and self.running and not self._reading and not self._ahead and self._flight is None:
            assert self._spool is not None
            self._reading = True
            self._spool.read(self._fetched, MAX_EVENTS).addCallbacks(self._read, self._unread)

    def _unread(self, why: Failure) -> None:
        self._reading = False
        if not self._unreadable:
            self._unreadable = True
            self._log.error("the spool cannot be read: {why}", why=why.getErrorMessage())

    def _read(self, rows: list[Row]) -> None:
        self._reading = self._unreadable = False
        if not self.running:
            return
        if rows:
            self._ahead, self._fetched = rows, rows[-1].id
            self._pour()
        elif self._writer.busy:
            pass  # what comes of that is read for again
        elif self._storing is None:
            self._emptied()
        elif self._stuck and not self._appending:  # the disk does not take it, but Redis may
            self._flight, self._storing, self._stuck = self._storing, None, False
            self._since = self._clock.seconds()
            self._spooling = self._holding = False
            self._writer.write([self._flight.group.packed], self._written)
            self._tell_caught_up()

    def _pour(self) -> None:
        if not self._ahead or self._writer.busy or self._flight is not None:
            return
        rows, self._ahead = self._ahead, []
        self._writer.write([Packed(each.arguments, each.data) for each in rows], lambda dropped: self._poured(rows), rows[0].boot)
        self._drain()

    def _poured(self, rows: list[Row]) -> None:
        assert self._spool is not None
        self._spool.forget(rows)
        for each in rows:
            self._release(self._elements.pop(each.id, []))
        if self._spool.events <= MAX_EVENTS and not self._always and not self._holding:
            self._holding, self._since = True, self._clock.seconds()
        self._pour()
        self._drain()

    def _tell_caught_up(self) -> None:
        waiting, self._caught_up = self._caught_up, []
        for each in waiting:
            each.callback(None)

    def _emptied(self) -> None:
        if self._spool is not None and (self._fetched or self._spool.groups):
            self._spool.emptied(self._fetched)
        self._tell_caught_up()
        if self._always:
            return
        self._spooling = self._holding = False
        self._log.info("the spool is empty: events go to Redis again")
        self._send()


def _elements(batch: Batch) -> list[bytes]:
    return [effect.element for each in batch.chosen if each.effects for effect in each.effects if isinstance(effect, Acknowledged)]
