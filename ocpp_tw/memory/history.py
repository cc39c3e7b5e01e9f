"""The in-memory twin of the fleet's histories: for its methods see `IHistory`.

Knows no network; nothing outlives the process.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from ..interfaces import IHistory
from .store import MemoryStore


@implementer(IHistory)
class MemoryHistory:
    """A cursor is the place in the whole history, counted from 1."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def recent(self, history: str, count: int, before: str = "") -> Deferred[list[tuple[str, bytes]]]:
        if before and not before.isdecimal():
            return fail(ValueError(f"{before!r} is no cursor"))
        dropped, kept = self._store.dropped[history], self._store.recent[history]
        end = min(len(kept), int(before) - 1 - dropped) if before else len(kept)
        places = range(end - 1, max(-1, end - 1 - count), -1)
        return succeed([(str(place + 1 + dropped), kept[place]) for place in places])
