"""Asks the backend about provisional starts once it answers again, oldest first.

Knows nothing of how a start is served. Provisional starts stand in a table of this gateway, so that they survive the end of the charger's
connection and of this process; another gateway may add to the table at any time.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from ..core.entries import Put
from ..core.gateway_events import TransactionReconciled
from ..core.ledger import Ledger
from ..core.provisional import TABLE, Provisional, decode, encode
from ..facts import Authorization
from ..interfaces import BackendFailed, Store
from ..log import Logger
from ..settings import Settings
from ..waiting import deferred, pause
from .breaker import Breaker
from .gateway import Gateway
from .publisher import Publisher
from .start_query import StartAnswer, ask
from .verdicts import Verdicts

log = Logger()

CHECK_INTERVAL = 60.0
"""Seconds between checks of the table."""

MAX_IN_FLIGHT = 4
"""Most queries in flight: live traffic comes first. Must stay below `breaker.FAILURES`, or one failed batch opens the breaker."""

PAUSE = 0.1
"""Seconds between one batch of queries and the next."""

GIVE_UP_AFTER = 2
"""Failures in a row, each of a query asked alone, after which the others wait for the next check."""

MAX_RETRY_INTERVAL = 3600.0
"""Longest interval, in seconds, at which a start is asked about that the backend fails on again and again."""


class Reconciler:
    """One for a gateway with a backend."""

    def __init__(
        self,
        settings: Settings,
        backend: Breaker,
        clock: IReactorTime,
        gateway: Gateway,
        verdicts: Verdicts,
        publisher: Publisher,
        store: Store,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._gateway = gateway
        self._verdicts = verdicts
        self._publisher = publisher
        self._roster = store.roster
        self._records = store.records
        self._name = settings.name
        self._verify = settings.authorize == "backend"
        self._settled: set[str] = set()  # keys that are done with, though the table may still show them
        self._backoff: dict[str, tuple[float, float]] = {}  # key -> the interval after its last failure, and when that ends
        self._run: Deferred[None] | None = None
        self._running = False
        self._timer = LoopingCall(self.check)
        self._timer.clock = clock

    def start(self) -> None:
        """Check the table now, at intervals, and whenever the backend has recovered."""
        self._backend.on_recovery = self.check
        self._timer.start(CHECK_INTERVAL)

    def stop(self) -> None:
        """Ask no more; what is in the table stays there."""
        self._backend.on_recovery = lambda: None
        if self._timer.running:
            self._timer.stop()
        if self._run is not None:
            self._run.cancel()

    def check(self) -> None:
        """Begin to ask, unless that is under way or the backend is left alone."""
        if not self._running and self._backend.allows_requests:
            self._running = True
            self._run = Deferred.fromCoroutine(self._ask_all()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if self._timer.running:  # else it was cancelled by `stop`
            log.failure("reconciliation of provisional transactions failed and will be retried", failure)

    async def _ask_all(self) -> None:
        try:
            due, failures, in_flight = await self._due(), 0, 1  # the first alone: it finds out whether the backend is well
            while due and failures < GIVE_UP_AFTER and self._backend.allows_requests:
                batch, due = due[:in_flight], due[in_flight:]
                for answered in await gatherResults([deferred(self._reconcile(key, start)) for key, start in batch], consumeErrors=True):
                    failures = 0 if answered else failures + 1
                in_flight = 1 if failures else MAX_IN_FLIGHT // 2 if self._verify else MAX_IN_FLIGHT
                if due:
                    await pause(PAUSE, self._clock)
        finally:
            self._running = False

    async def _due(self) -> list[tuple[str, Provisional]]:
        """What is to be asked about now, in order; those that failed before come last, the latest failure at the very end."""
        table = await self._records.table(TABLE, self._name)
        self._settled &= table.keys()
        self._backoff = {key: until for key, until in self._backoff.items() if key in table}
        now, due = self._clock.seconds(), []
        for key, text in table.items():
            if key in self._settled or (key in self._backoff and now < self._backoff[key][1]):
                continue
            try:
                due.append((key, decode(text)))
            except ValueError:
                continue  # written by another version of this program, which will find it
        return sorted(due, key=lambda item: (self._backoff.get(item[0], (0.0, 0.0))[1], item[1].since))

    async def _reconcile(self, key: str, start: Provisional) -> bool:
        """Ask about one; whether the backend gave a usable answer."""
        charger = self._gateway.chargers.get(start.query.charger)
        elsewhere = None if charger else await self._roster.locate(start.query.charger)
        if elsewhere and elsewhere != self._name:
            await self._forward(key, start, elsewhere)
            return True
        answer = await ask(self._backend, start.query, self._verify)
        if isinstance(answer.transaction_id, BackendFailed) or isinstance(answer.authorization, BackendFailed):
            interval = self._backoff.get(key, (CHECK_INTERVAL / 2, 0.0))[0]
            if self._backend.allows_requests:  # else the backend is down, which is not this start's fault; another goes first next time
                interval = min(2 * interval, MAX_RETRY_INTERVAL)
            self._backoff[key] = (interval, self._clock.seconds() + (interval if self._backend.allows_requests else 0.0))
            return False
        await self._publish(key, start, answer)
        return True

    async def _publish(self, key: str, start: Provisional, answer: StartAnswer) -> None:
        """Publish the answer, enter it in the ledger, and delete the start from the table: all of it in one entry."""
        id = start.query.charger
        charger = self._gateway.chargers.get(id)
        ledger = await self._verdicts.ledger(charger) if charger else Ledger(await self._records.transactions(id))
        assert isinstance(answer.authorization, Authorization) and not isinstance(answer.transaction_id, BackendFailed)
        data = TransactionReconciled(id, start.transaction_id, answer.transaction_id, answer.authorization.status)
        effects = (*ledger.reconcile(start.transaction_id, answer.transaction_id), Put(TABLE, key, None, owner=self._name))
        durable: Deferred[None] = Deferred()
        self._settled.add(key)
        self._publisher.publish_about(id, start.domain, "transaction_reconciled", data, start.ocpp, effects, durable.callback)
        await durable
        log.info("provisional transaction of {charger} reconciled: {status}", charger=id, status=data.status)

    async def _forward(self, key: str, start: Provisional, gateway: str) -> None:
        """The charger is at another gateway of the fleet, which has its ledger."""
        durable: Deferred[None] = Deferred()
        effects = (Put(TABLE, key, None, owner=self._name), Put(TABLE, key, encode(start), owner=gateway))
        self._settled.add(key)
        self._publisher.carry_out(start.query.charger, effects, durable.callback)
        await durable
