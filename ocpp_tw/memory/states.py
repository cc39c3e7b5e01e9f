"""The in-memory twin of what was known last of the state of chargers and of gateways: for its methods see `IStates`.

Knows no network; nothing outlives the process.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ..core.entries import FLEET, GATEWAYS, STATES
from ..interfaces import IStates, StoreUnavailable
from .store import MemoryStore


@implementer(IStates)
class MemoryStates:
    """States; a test sets ``available`` to False for a store that does not answer."""

    def __init__(self, store: MemoryStore) -> None:
        self.available = True
        self._store = store

    def read(self, chargers: Sequence[str]) -> Deferred[dict[str, bytes]]:
        if not self.available:
            return fail(StoreUnavailable("the store does not answer"))
        kept = self._store.tables[FLEET, STATES]
        return succeed({charger: kept[charger] for charger in chargers if charger in kept})

    def write(self, states: dict[str, bytes]) -> Deferred[None]:
        if not self.available:
            return fail(StoreUnavailable("the store does not answer"))
        self._store.tables[FLEET, STATES] |= states
        return succeed(None)

    def gateways(self) -> Deferred[dict[str, bytes]]:
        if not self.available:
            return fail(StoreUnavailable("the store does not answer"))
        return succeed(dict(self._store.tables[FLEET, GATEWAYS]))

    def tell(self, gateways: dict[str, bytes | None]) -> Deferred[None]:
        if not self.available:
            return fail(StoreUnavailable("the store does not answer"))
        kept = self._store.tables[FLEET, GATEWAYS]
        for name, value in gateways.items():
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value
        return succeed(None)
