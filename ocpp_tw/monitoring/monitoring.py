"""Puts together what operators see, and answers what other gateways of the fleet ask of this one.

Knows every part of the package by name and does no part's work.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.interfaces import IReactorTime

from .. import __version__
from ..core.stamps import Stamps
from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..gateway.publisher import Publisher
from ..gateway.verdicts import Verdicts
from ..interfaces import Store
from ..settings import Settings
from .absent import Absent
from .away import Away
from .batches import Batches
from .details import Details, Violations
from .energy_today import EnergyToday
from .fleet_chargers import FleetChargers
from .fleet_overview import FleetOverview
from .fleet_transactions import FleetTransactions
from .gateway_reports import GatewayReports
from .given import Asks, GivenCommands
from .health import Backend, Health
from .history_reader import HistoryReader
from .kept_states import KeptStates
from .last_curves import LastCurves
from .listing import COUNTS_HOLD, Listing
from .missing_gateways import MissingGateways
from .observer import Observer
from .query import ChargersQuery
from .rates import Rates
from .rows import Rows, iso
from .transactions import RunningTransactions
from .unheard import Unheard
from .watching import Watching


class Monitoring:
    """One for a gateway. ``backend`` is None where there is none, ``violations`` are those seen so far."""

    def __init__(
        self,
        settings: Settings,
        clock: IReactorTime,
        stamps: Stamps,
        publisher: Publisher,
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
        self.today = EnergyToday(unix)
        self.reports = GatewayReports(name, self.today, gateway.chargers, store.states, clock, unix)
        self.kept = KeptStates(name, store.states, store.records, clock, verdicts.ledger, self.reports.tell)
        self.observer = Observer(gateway.chargers, clock, unix, self.today, self.kept)
        self.rates = Rates(clock, gateway.chargers, store.events)
        self.health = Health(clock, store, backend)
        self.histories = HistoryReader(store.history, clock)
        self.given = GivenCommands(dispatcher, stamps.id)
        self.batches = Batches(self.given, self.histories, clock, stamps.id, stamps.now)
        self.watching = Watching(clock)
        self.fleet = store.fleet
        self.missing = MissingGateways(store.fleet, self.reports, store.register, publisher, clock, stamps)
        self.away = Away(store.records, store.states, clock)
        unheard = Unheard(name, store.orphans, store.states, self.reports, clock)
        absent = Absent(gateway.chargers, store.fleet, self.away, unheard)
        self.fleet_overview = FleetOverview(name, store.fleet, absent, self.reports, self.histories, self.health.redis, clock, unix)
        self.fleet_chargers = FleetChargers(store.fleet, absent, gateway.decisions, clock, unix)
        self.fleet_transactions = FleetTransactions(gateway.chargers, store.fleet, self.away, clock, unix)
        self.rows = rows = Rows(name, gateway, clock, unix)
        running = RunningTransactions(name, gateway, clock, unix)
        self._curves = LastCurves(clock.seconds)
        details = Details(gateway, verdicts, rows, running, violations, self._curves, clock)
        self._listing = listing = Listing(name, gateway, rows, clock)
        incoming.observers.update(self.observer.observers)
        gateway.on_current, gateway.on_departed = self._arrived, self._departed
        publisher.on_away = self.away.left
        answer = store.fleet.answer
        answer("overview", lambda query: self._overview())
        answer("chargers", lambda query: listing.page(msgspec.convert(query, ChargersQuery)))
        answer("rows", lambda query: listing.rows(query["ids"]))
        answer("charger", lambda query: details.of(query["id"]))
        answer("running", running.all)
        answer("command", lambda query: self.given.find(query["id"], query.get("charger", "")))
        answer("batch", lambda query: self.batches.find(query["id"]))
        answer("batches", lambda query: self.batches.all())

    def start(self) -> None:
        """Begin to look."""
        for each in (self.reports, self.missing, self.kept, self.observer, self.rates, self.health):
            each.start()

    def stop(self) -> None:
        """Look no more, and begin no more commands of batches."""
        for each in (self.missing, self.observer, self.kept, self.reports, self.rates, self.health, self.batches, self.watching):
            each.stop()

    def _arrived(self, charger: Charger) -> None:
        self.observer.arrived(charger)
        self.away.arrived(charger.id)
        self._curves.arrived(charger)

    def _departed(self, charger: Charger) -> None:
        self.rates.departed(charger)
        self.observer.departed(charger)
        if self._gateway.chargers.get(charger.id, charger) is charger:  # else it is here by another connection
            self._curves.departed(charger)

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
