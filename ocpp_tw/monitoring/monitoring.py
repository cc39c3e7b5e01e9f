"""Puts together what operators see, and answers what other gateways of the fleet ask of this one.

Knows every part of the package by name and does no part's work.
"""

from __future__ import annotations

import calendar
import time
from typing import Any

import msgspec
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from .. import __version__
from ..core import history
from ..core.stamps import Stamps
from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..gateway.verdicts import Verdicts
from ..interfaces import Store, StoreUnavailable
from ..log import Logger
from ..settings import Settings
from ..waiting import cancelled, deferred
from .away import Away
from .batches import Batches
from .details import Details, Violations
from .energy_today import EnergyToday, midnight
from .fleet_view import FleetView
from .given import Asks, GivenCommands
from .health import Backend, Health
from .history_reader import HistoryReader
from .kept_states import KeptStates
from .listing import Listing
from .observer import Observer
from .query import ChargersQuery
from .rates import Rates
from .rows import Rows, iso
from .transactions import RunningTransactions
from .watching import Watching

log = Logger()

COUNTS_HOLD = 1.0
"""Seconds for which the counts of this gateway's chargers are taken to be right."""


class Monitoring:
    """One for a gateway. ``backend`` is None where there is none, ``violations`` are those seen so far."""

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        stamps: Stamps,
        gateway: Gateway,
        incoming: IncomingCalls,
        verdicts: Verdicts,
        violations: Violations,
        dispatcher: Asks,
        store: Store,
        backend: Backend | None,
    ) -> None:
        name, unix = settings.name, stamps.unix
        self._name, self._clock, self._unix = name, clock, unix
        self._gateway = gateway
        self.started = unix()
        self._counts: tuple[float, dict[str, Any]] = (-1.0, {})
        self._beginning: Any = None
        self.today = EnergyToday(unix)
        self.kept = KeptStates(name, store.states, store.records, clock)
        self.observer = Observer(gateway.chargers, clock, unix, self.today, self.kept)
        self.rates = Rates(clock, gateway.chargers, store.events)
        self.health = Health(clock, store, backend)
        self.histories = HistoryReader(store.history, clock)
        self.given = GivenCommands(dispatcher, stamps.id)
        self.batches = Batches(self.given, clock, stamps.id, stamps.now)
        self.watching = Watching(clock)
        self.fleet = store.fleet
        self.view = FleetView(name, store.fleet, Away(store.records, clock), self.histories, gateway.decisions, clock, unix)
        self.rows = rows = Rows(name, gateway, clock, unix)
        running = RunningTransactions(name, gateway, clock, unix)
        details = Details(gateway, verdicts, rows, running, violations, clock)
        self._listing = listing = Listing(name, gateway, rows, clock)
        incoming.observers.update(self.observer.observers)
        gateway.on_current, gateway.on_departed = self.observer.arrived, self._departed
        answer = store.fleet.answer
        answer("overview", lambda query: self._overview())
        answer("chargers", lambda query: listing.page(msgspec.convert(query, ChargersQuery)))
        answer("rows", lambda query: listing.rows(query["ids"]))
        answer("charger", lambda query: details.of(query["id"]))
        answer("running", running.all)
        answer("command", lambda query: self.given.find(query["id"]))
        answer("batch", lambda query: self.batches.find(query["id"]))
        answer("batches", lambda query: self.batches.all())

    def start(self) -> None:
        """Begin to look."""
        for each in (self.observer, self.kept, self.rates, self.health):
            each.start()
        self._beginning = deferred(self._begin_the_day()).addErrback(cancelled)

    def stop(self) -> None:
        """Look no more, and begin no more commands of batches."""
        if self._beginning is not None:
            self._beginning.cancel()
        for each in (self.observer, self.kept, self.rates, self.health, self.batches, self.watching):
            each.stop()

    def _departed(self, charger: Charger) -> None:
        self.rates.departed(charger)
        self.observer.departed(charger)

    async def _overview(self) -> dict[str, Any]:
        """This gateway's part of the overview."""
        at, counts = self._counts
        if at < 0 or self._clock.seconds() - at >= COUNTS_HOLD:
            counts = await self._listing.counts(self._unix())
            self._counts = self._clock.seconds(), counts
        rates = self.rates
        gateway = {
            "name": self._name,
            "chargers": len(self._gateway.chargers),
            "messages_per_second": rates.messages.lately,
            "events_per_second": rates.events.lately,
            "started": iso(self.started),
            "version": __version__,
            **self.health.report(),
        }
        minutes = {"messages": list(rates.messages.minutes), "events": list(rates.events.minutes)}
        return {**counts, "energy_today_wh": self.today.wh, **minutes, "gateway": gateway}

    async def _begin_the_day(self) -> None:
        """Count what this gateway's chargers have delivered today in transactions that ended before it was started again."""
        began, day = self.started, midnight(self.started)
        start, end = iso(day), iso(began)

        def ended_today(row: dict[str, Any]) -> bool:
            return row.get("gateway") == self._name and start <= str(row.get("time")) < end

        try:
            page = await self.histories.page(history.TRANSACTIONS, 100_000, "", ended_today)
        except (TimeoutError, StoreUnavailable) as why:
            log.info("energy of today is counted from now: {why}", why=repr(why))
            return
        for row in page.rows:
            energy, seconds = row.get("energy_wh"), row.get("duration_s")
            if isinstance(energy, int) and isinstance(seconds, int):
                ended = calendar.timegm(time.strptime(str(row["time"])[:19], "%Y-%m-%dT%H:%M:%S"))
                part = 1.0 if seconds <= 0 else min(1.0, max(0.0, ended - day) / seconds)
                self.today.add(round(energy * part))
