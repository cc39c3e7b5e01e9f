"""The in-memory twins of the roster, the register and the records: for their methods see `IRoster`, `IOrphans`, `IRegister` and `IRecords`.

Knows no network; nothing outlives the process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Set

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ..core.entries import FLEET, GUARDED, SECURITY, Held, Orphan, Page, Record, Seated
from ..interfaces import IOrphans, IRecords, IRegister, IRoster, StoreUnavailable
from .store import MemoryStore

FIRST_ID = 1_000_000_001
"""First of the gateway's own range of transaction ids."""


@implementer(IRoster, IOrphans)
class MemoryRoster:
    """The roster; its gateway has a lease until a test takes it out of ``store.living``."""

    def __init__(self, store: MemoryStore, gateway: str = "gw") -> None:
        self.on_forgotten: Callable[[str], None] = lambda charger: None
        self._store, self._gateway = store, gateway
        self._ours: dict[str, tuple[str, tuple[str, str, str, int]]] = {}
        store.living.add(gateway)

    def arrive(
        self,
        charger: str,
        connection: str,
        domain: str = "",
        ocpp: str = "",
        network: str = "",
        security_profile: int = 0,
        dead: str = "",
    ) -> Deferred[Seated | Held]:
        store = self._store
        gateway, old = store.owners.get(charger, (self._gateway, ""))
        elsewhere = gateway != self._gateway and gateway in store.living
        if elsewhere and old != dead and network and not security_profile:
            *_, where, profile = store.connections[charger]
            if where and (where != network or profile):
                self._ours.pop(charger, None)
                return succeed(Held(gateway, old))
        self._seat(charger, connection, (domain, ocpp, network, security_profile))
        kept = store.tables["record", charger]
        record = Record.read(kept)
        return succeed(Seated(record, old if elsewhere else ""))

    def _seat(self, charger: str, connection: str, described: tuple[str, str, str, int]) -> None:
        store = self._store
        self._ours[charger] = connection, described
        gateway, old = store.owners.get(charger, (self._gateway, ""))
        store.owners[charger], store.connections[charger] = (self._gateway, connection), described
        store.arrived[charger] = time.time()
        if gateway != self._gateway and gateway in store.living:
            told = {"evict": charger, "connection": old}
            store.push(msgspec.json.encode(told | {"by": described[2]} if described[2] else told), gateway)

    def leave(self, charger: str, connection: str) -> Deferred[bool]:
        if self._ours.get(charger, ("",))[0] == connection:
            del self._ours[charger]
        if self._store.owners.get(charger) != (self._gateway, connection):
            return succeed(False)
        del self._store.owners[charger], self._store.connections[charger]
        return succeed(True)

    def locate(self, charger: str) -> Deferred[str | None]:
        gateway, _ = self._store.owners.get(charger, ("", ""))
        return succeed(gateway if gateway in self._store.living else None)

    def found(self) -> Deferred[list[Orphan]]:
        found = []
        for charger, (gateway, connection) in self._store.owners.items():
            ours = gateway == self._gateway
            if (connection != self._ours.get(charger, ("",))[0]) if ours else gateway not in self._store.living:
                found.append(self._orphan(charger, gateway, connection))
        return succeed(found)

    def left_behind(self, answering: Set[str]) -> Deferred[list[Orphan]]:
        found = []
        for charger, (gateway, connection) in self._store.owners.items():
            ours = gateway == self._gateway
            if (connection != self._ours.get(charger, ("",))[0]) if ours else gateway not in answering:
                found.append(self._orphan(charger, gateway, connection))
        return succeed(found)

    def _orphan(self, charger: str, gateway: str, connection: str) -> Orphan:
        domain, ocpp, *_ = self._store.connections[charger]
        record = Record.read(self._store.tables["record", charger])
        return Orphan(charger, gateway, connection, domain, ocpp, 0.0, record.known, self._store.arrived.get(charger, 0.0))

    def renew(self) -> None:
        """What a gateway does that was not heard of for a while: it has a lease again, and announces its chargers."""
        self._store.living.add(self._gateway)
        for charger, (connection, described) in list(self._ours.items()):
            forgotten = charger not in self._store.owners
            self._seat(charger, connection, described)
            if forgotten:
                self.on_forgotten(charger)


@implementer(IRegister)
class MemoryRegister:
    """The register; a test sets ``available`` to False for a store that does not answer, of which nothing is mirrored."""

    def __init__(self, store: MemoryStore, seconds: Callable[[], float] = time.monotonic) -> None:
        self.available = True
        self._store = store
        self._seconds = seconds

    @property
    def guarded(self) -> bool:
        return GUARDED in self._store.tables[FLEET, SECURITY]

    @guarded.setter
    def guarded(self, value: bool) -> None:
        """It is what the store says in any case."""

    def find(self, charger: str) -> Record:
        if not self.available:
            if self.guarded:
                raise StoreUnavailable("the store does not answer")
            return Record()
        kept = self._store.tables["record", charger]
        return Record.read(kept)

    def registered(self, cursor: str, limit: int) -> Deferred[Page]:
        if limit < 1:
            raise ValueError("a page has at least one charger")
        if not self.available:
            return fail(StoreUnavailable("the store does not answer"))
        ids = sorted((id for id in self._store.registered if id.encode() > cursor.encode()), key=str.encode)[:limit]
        page = [(id, Record.read(self._store.tables["record", id])) for id in ids]
        return succeed(Page(page, ids[-1] if len(ids) == limit else ""))

    def once(self, name: str, seconds: int) -> bool:
        if not self.available:
            raise StoreUnavailable("the store does not answer")
        now = self._seconds()
        first = self._store.once.get(name, now) <= now
        if first:
            self._store.once[name] = now + seconds
        return first


@implementer(IRecords)
class MemoryRecords:
    """Records."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def transactions(self, charger: str) -> Deferred[list[bytes]]:
        return succeed(list(self._store.tables["transactions", charger].values()))

    def record(self, charger: str) -> Deferred[Record]:
        kept = self._store.tables["record", charger]
        return succeed(Record.read(kept))

    def table(self, name: str, owner: str, remembered: bool = False) -> Deferred[dict[str, bytes]]:
        return succeed(dict(self._store.tables[name, owner]))

    def lease(self, count: int) -> Deferred[int]:
        if count < 1:
            raise ValueError("at least one id must be leased")
        self._store.leased += count
        return succeed(FIRST_ID + self._store.leased - count)
