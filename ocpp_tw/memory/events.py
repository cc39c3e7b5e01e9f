"""The in-memory twin of the events driver: for its methods see `IEvents`.

Knows no network; nothing outlives the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..core.entries import (
    Acknowledged,
    Broadcast,
    Departed,
    Entry,
    IdReleased,
    Listed,
    Orphaned,
    PeerMessage,
    Put,
    Record,
    Recorded,
    Reply,
    Unchanged,
    numbered,
)
from ..histogram import GroupCounts
from ..interfaces import IEvents, Published
from ..log import Logger
from .store import MemoryStore

_read_entry = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode


@implementer(IEvents)
class MemoryEvents:
    """Events that are durable at once, unless it is paused.

    ``history`` is how many elements a history has at most. ``paused = True`` stands for an outage: nothing is appended and nobody is called until `resume`.
    """

    _log = Logger()

    def __init__(self, store: MemoryStore, gateway: str = "gw", history: int = 10_000) -> None:
        self.paused = self.overloaded = self.strained = False
        self.tap: Published | None = None
        self._store, self._gateway, self._history = store, gateway, history
        self._writing = False
        self.published = 0
        self.groups = GroupCounts()
        self._held: deque[tuple[Entry, Callable[[Any], None] | None, Any]] = deque()
        self._settling: list[Deferred[None]] = []

    @property
    def waiting(self) -> int:
        """How many entries are not durable yet."""
        return len(self._held)

    @property
    def waiting_bytes(self) -> int:
        """How many bytes their events have."""
        return sum(len(entry.event) for entry, _, _ in self._held)

    def publish(self, entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """See `IEvents`. ``then`` is called before this returns, unless it is paused."""
        self._held.append((entry, then, value))
        self._write()

    def resume(self) -> None:
        """The outage is over: all that waits becomes durable."""
        self.paused = False
        self._write()

    @property
    def away(self) -> bool:
        """See `IEvents`."""
        return self.paused

    def events_in(self, entries: bytes) -> list[tuple[str, bytes]]:
        """See `IEvents`."""
        charger, event = _read_entry(entries)
        return [(charger.decode("utf-8", "surrogatepass"), event)]

    def flushed(self) -> Deferred[None]:
        """Fires once all entries published so far are durable."""
        if not self._held:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._settling.append(waiting)
        return waiting

    def _write(self) -> None:
        # What ``then`` publishes is written by the loop that called it.
        if self._writing:
            return
        self._writing = True
        written = 0
        while self._held and not self.paused:
            written += 1
            entry, then, value = self._held.popleft()
            self._append(entry)
            if then is not None:
                try:
                    then(value)
                except Exception:
                    self._log.failure("events: callback of an event failed")
        self._writing = False
        if written:
            self.groups.entries.add(written)
            self.groups.took.add(0.0)
        while self._settling and not self._held:
            self._settling.pop(0).callback(None)

    def _append(self, entry: Entry) -> None:
        store = self._store
        settled = [effect.element for effect in entry.effects if isinstance(effect, Acknowledged)]
        if self._gateway in store.reclaimed and any(each not in store.processing[self._gateway] for each in settled):
            return  # another gateway has taken it over, and publishes its result
        if any(isinstance(effect, Orphaned) and not self._is_orphan(entry.charger, effect) for effect in entry.effects):
            return  # another gateway has published it, or the charger is back
        if any(isinstance(effect, Departed) and self._is_elsewhere(entry.charger, effect.connection) for effect in entry.effects):
            return
        if entry.event:
            self.published += 1
            store.seq[entry.charger] += 1
            store.events.append(numbered(entry.event, store.seq[entry.charger]))
            if self.tap is not None:
                self.tap(msgspec.msgpack.encode((entry.charger.encode("utf-8", "surrogatepass"), entry.event)), [store.seq[entry.charger]])
        for effect in entry.effects:
            match effect:
                case Unchanged(fields):
                    record = Record.read(store.tables["record", entry.charger])
                    if effect != Unchanged.of(record, *[name for name, _ in fields]):
                        break
                case Put(table, name, None, owner):
                    store.tables[table, entry.charger if owner is None else owner].pop(name, None)
                case Put(table, name, bytes() as value, owner):
                    store.tables[table, entry.charger if owner is None else owner][name] = value
                case Recorded(history, value):
                    store.record(history, value, self._history)
                case Acknowledged(element):
                    store.settle(self._gateway, element)
                case IdReleased(charger, id):
                    store.done.discard((charger, id))
                case PeerMessage(gateway, element):
                    store.push(element, gateway)
                case Broadcast(element):
                    for gateway in sorted(store.living - {self._gateway}):
                        store.push(element, gateway)
                case Reply(list, value):
                    store.replies[list].append(value)
                case Listed(on):
                    (store.registered.add if on else store.registered.discard)(entry.charger)
                case Orphaned():
                    del store.owners[entry.charger], store.connections[entry.charger]

    def _is_elsewhere(self, charger: str, connection: str) -> bool:
        ours = (self._gateway, connection)
        return self._store.owners.get(charger, ours) != ours

    def _is_orphan(self, charger: str, effect: Orphaned) -> bool:
        store = self._store
        gone = effect.gateway == self._gateway or effect.gateway not in store.living
        return gone and store.owners.get(charger) == (effect.gateway, effect.held)
