"""The consumer of events: it reads the list from its beginning to its end as it grows, and changes nothing of it.

Knows nothing of what events say.
"""

from __future__ import annotations

from contextlib import suppress

from twisted.internet.defer import DeferredLock

from chaos.ledger import Ledger
from chaos.store import Refused, Store, Unsure
from fleets import pause

SLICE = 1000


class Reader:
    """``events`` has all elements so far, ``came`` the time at which each was seen."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self.events: list[bytes] = []
        self.came: list[float] = []
        self.running = True
        self._turn = DeferredLock()

    async def run(self) -> None:
        """Read for as long as it is `running`."""
        while self.running:
            with suppress(Refused, Unsure):
                await self.catch_up()
            await pause(0.1)

    async def catch_up(self) -> None:
        """Read what there is now. Raises what the store does."""
        await self._turn.acquire()
        try:
            await self._catch_up()
        finally:
            self._turn.release()

    async def _catch_up(self) -> None:
        while True:
            known = len(self.events)
            # The last one known is read again: a list that was cut or rewritten would show it.
            begin = max(0, known - 1)
            new = await self._store.ask("LRANGE", "events", begin, begin + SLICE, within=5.0)
            if known and (not new or new[0] != self.events[-1]):
                self._ledger.complain(f"the list of events lost what had been in it: element {known - 1} was {self.events[-1][:200]!r}")
                self.running = False
                return
            fresh = new[1:] if known else new
            self.events += fresh
            self.came += [self._ledger.now] * len(fresh)
            if len(fresh) < SLICE:
                return
