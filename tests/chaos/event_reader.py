"""The consumer of events: it reads the list from beginning to end as it grows, without changing it.

Knows nothing of the events' content.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import DeferredLock

from chaos.ledger import Ledger
from chaos.store import Refused, Store, Unsure
from fleets import pause

SLICE = 1000
"""Most elements read by one command."""


class EventReader:
    """``events`` has all elements so far, ``seen_at`` the time at which each was read."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self.events: list[bytes] = []
        self.seen_at: list[float] = []
        self.running = True
        self._lock = DeferredLock()

    async def run(self) -> None:
        """Read for as long as it is `running`."""
        while self.running:
            with suppress(Refused, Unsure):
                await self.catch_up()
            await pause(0.1)

    async def catch_up(self) -> None:
        """Read all elements that are there now. Raises what the store raises."""
        await self._lock.acquire()
        try:
            await self._catch_up()
        finally:
            self._lock.release()

    async def _catch_up(self) -> None:
        while True:
            known = len(self.events)
            # The last known element is read again, to detect a list that was truncated or rewritten.
            begin = max(0, known - 1)
            new = await self._store.execute("LRANGE", "events", begin, begin + SLICE, within=5.0)
            if known and (not new or new[0] != self.events[-1]):
                self._ledger.report_failure(f"the list of events has lost elements: element {known - 1} was {self.events[-1][:200]!r}")
                self.running = False
                return
            fresh = new[1:] if known else new
            self.events += fresh
            self.seen_at += [self._ledger.now] * len(fresh)
            if len(fresh) < SLICE:
                return
