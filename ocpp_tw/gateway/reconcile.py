"""Starts that the backend could not be asked about: set aside with their event, and asked about when it answers again, oldest first.

Knows nothing of how a start is served. What it knows of one stands on this gateway's shelf, so that neither the charger's end nor ours
loses it; another gateway's may be put there any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..core.entries import Entry, Put
from ..core.events import TransactionReconciled
from ..core.ledger import Ledger
from ..core.provisional import TABLE, Provisional, decode, encode
from ..facts import Authorization
from ..interfaces import BackendFailed, IRecords, IRoster
from ..waiting import deferred, pause
from .start_query import StartAnswer, ask

if TYPE_CHECKING:
    from .breaker import Breaker
    from .gateway import Gateway
    from .incoming import IncomingCalls
    from .verdicts import Verdicts

log = Logger()

INTERVAL = 60.0
"""Seconds between looks at the shelf."""

CONCURRENCY = 4
"""So many questions are asked at once: chargers at work come first. They are fewer than have the breaker believe that all is in vain."""

PAUSE = 0.1
"""Seconds before the next ones."""

GIVE_UP_AFTER = 2
"""After so many failures in a row, each asked alone, the others wait for the next look."""

MAX_RETRY = 3600.0
"""One that the backend fails on again and again is asked about once an hour at last."""


class Reconciler:
    """One for a gateway with a backend."""

    def __init__(
        self,
        backend: Breaker,
        clock: IReactorTime,
        gateway: Gateway,
        desk: Verdicts,
        intake: IncomingCalls,
        roster: IRoster,
        records: IRecords,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._gateway = gateway
        self._desk = desk
        self._intake = intake
        self._roster = roster
        self._records = records
        self._name = gateway.settings.name
        self._verify = gateway.settings.authorize == "backend"
        self._settled: set[str] = set()  # what is settled, though the shelf may still show it
        self._retry_at: dict[str, tuple[float, float]] = {}  # the pause after the last failure, and its end
        self._run: Deferred[None] | None = None
        self._working = False
        self._timer = LoopingCall(self.check)
        self._timer.clock = clock

    def start(self) -> None:
        """Look at the shelf now, again and again, and whenever the backend is back."""
        self._backend.on_recovery = self.check
        self._timer.start(INTERVAL)

    def stop(self) -> None:
        """Ask no more; what is on the shelf stays there."""
        self._backend.on_recovery = lambda: None
        if self._timer.running:
            self._timer.stop()
        if self._run is not None:
            self._run.cancel()

    def check(self) -> None:
        """Begin to work the shelf off, unless that is being done, or is no use."""
        if not self._working and self._backend.allows_requests:
            self._working = True
            self._run = Deferred.fromCoroutine(self._work()).addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        if self._timer.running:  # else it is we who ended it
            log.failure("provisional transactions could not be reconciled; they will be tried again", failure)

    async def _work(self) -> None:
        try:
            waiting, failures, at_once = await self._due(), 0, 1  # one finds out whether the backend is well
            while waiting and failures < GIVE_UP_AFTER and self._backend.allows_requests:
                chosen, waiting = waiting[:at_once], waiting[at_once:]
                for well in await gatherResults([deferred(self._settle(name, each)) for name, each in chosen], consumeErrors=True):
                    failures = 0 if well else failures + 1
                at_once = 1 if failures else CONCURRENCY // 2 if self._verify else CONCURRENCY
                if waiting:
                    await pause(PAUSE, self._clock)
        finally:
            self._working = False

    async def _due(self) -> list[tuple[str, Provisional]]:
        """What is to be asked about now, in this order; those that have failed before come last, the latest at the very end."""
        shelf = await self._records.table(TABLE, self._name)
        self._settled &= shelf.keys()
        self._retry_at = {name: until for name, until in self._retry_at.items() if name in shelf}
        now, found = self._clock.seconds(), []
        for name, text in shelf.items():
            if name in self._settled or (name in self._retry_at and now < self._retry_at[name][1]):
                continue
            try:
                found.append((name, decode(text)))
            except ValueError:
                continue  # written by another version of this program, which will find it
        return sorted(found, key=lambda each: (self._retry_at.get(each[0], (0.0, 0.0))[1], each[1].since))

    async def _settle(self, name: str, start: Provisional) -> bool:
        """Ask about one; whether the backend was of use."""
        charger = self._gateway.chargers.get(start.query.charger)
        elsewhere = None if charger else await self._roster.locate(start.query.charger)
        if elsewhere and elsewhere != self._name:
            await self._forward(name, start, elsewhere)
            return True
        said = await ask(self._backend, start.query, self._verify)
        if isinstance(said.transaction_id, BackendFailed) or isinstance(said.authorization, BackendFailed):
            length = self._retry_at.get(name, (INTERVAL / 2, 0.0))[0]
            if self._backend.allows_requests:  # else it is no fault of this one's, and another tries next time
                length = min(2 * length, MAX_RETRY)
            self._retry_at[name] = (length, self._clock.seconds() + (length if self._backend.allows_requests else 0.0))
            return False
        await self._conclude(name, start, said)
        return True

    async def _conclude(self, name: str, start: Provisional, said: StartAnswer) -> None:
        """Tell of it, note it in the ledger, and take it off the shelf, in one piece."""
        id = start.query.charger
        charger = self._gateway.chargers.get(id)
        ledger = await self._desk.ledger(charger) if charger else Ledger(await self._records.transactions(id))
        assert isinstance(said.authorization, Authorization) and not isinstance(said.transaction_id, BackendFailed)
        data = TransactionReconciled(id, start.transaction_id, said.transaction_id, said.authorization.status)
        effects = (*ledger.reconcile(start.transaction_id, said.transaction_id), Put(TABLE, name, None, owner=self._name))
        safe: Deferred[None] = Deferred()
        self._settled.add(name)
        self._intake.publish_event_of(id, start.domain, "transaction_reconciled", data, start.ocpp, effects, safe.callback)
        await safe
        log.info("a provisional transaction of {charger} is reconciled: {status}", charger=id, status=data.status)

    async def _forward(self, name: str, start: Provisional, gateway: str) -> None:
        """The charger is at another gateway of the fleet, which has its ledger."""
        safe: Deferred[None] = Deferred()
        effects = (Put(TABLE, name, None, owner=self._name), Put(TABLE, name, encode(start), owner=gateway))
        self._settled.add(name)
        self._intake.publish_effects(Entry(start.query.charger, effects=effects), safe.callback)
        await safe
