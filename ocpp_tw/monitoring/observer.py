"""Keeps the state of connected chargers: a message only leaves what it came to behind, and a sweep makes the state of it every few seconds.

Knows neither HTTP nor other gateways. A message costs one entry of a dictionary; of many of one kind between two sweeps the latest counts.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..concealed import text_concealed
from ..core.charger_events import ChangeConnectorStatus, StartTransaction, StopTransaction, TransactionUpdate
from ..core.conclusion import Conclusion
from ..facts import Fact, MeterValues, Started, StatusNotification, Stopped, Updated
from ..gateway.charger import Charger
from ..log import Logger
from ..waiting import cancelled, pause
from .energy_today import EnergyToday
from .kept_states import KeptStates
from .noted import Readings, goes_on, of
from .readings import read
from .state import MAX_TEXT, ChargerState

log = Logger()

INTERVAL = 3.0
"""Seconds between two sweeps."""

SLICE = 0.004
"""Seconds that a sweep works in one turn of the reactor."""

KEPT_FOR = 600.0
"""Seconds for which the state of a charger is kept that has disconnected, and may be back."""

MAX_NOTED = 32
"""Most messages of a charger that wait for the sweep; with more they are looked at at once."""

MAX_KEPT = 10_000
"""Most of those; the ones that left first are dropped."""

MIN_SPAN = 10.0
"""Seconds between two readings of energy from which power is derived, where a charger tells none."""

KEPT_AWAITED_FOR = 10.0
"""Seconds after its arrival in which readings of a charger, and ends of its transactions, wait for what was kept of it."""

Observe = Callable[[Charger, Any, Conclusion], None]


class Observer:
    """One for the ``chargers`` of a gateway, by identity. ``observers`` are what a message calls, by the type of its fact."""

    def __init__(
        self, chargers: Mapping[str, Charger], clock: IReactorTime, unix: Callable[[], float], today: EnergyToday, kept: KeptStates
    ) -> None:
        self._chargers = chargers
        self._clock = clock
        self._unix = unix
        self._today = today
        self._kept = kept
        self._changed: list[Charger] = []
        self._absent: OrderedDict[str, tuple[float, ChargerState]] = OrderedDict()
        self._sweeping: Deferred[None] | None = None
        self.observers: dict[type[Fact], Observe] = {
            MeterValues: self._meter_values,
            StatusNotification: self._status,
            Started: self._transaction,
            Updated: self._transaction,
            Stopped: self._transaction,
        }

    def start(self) -> None:
        """Begin to sweep."""
        self._sweeping = Deferred.fromCoroutine(self._keep_sweeping()).addErrback(cancelled)

    def stop(self) -> None:
        """Sweep a last time."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
            self.sweep()

    # on the way of a message

    def _meter_values(self, charger: Charger, fact: MeterValues, conclusion: Conclusion) -> None:
        id = fact.transaction_id
        if id is None:  # whose they are depends on what came before
            return self._note(charger, fact.conn, conclusion)
        key = fact.conn, id  # those of one transaction may stay where its first were: nothing else of it comes between them but its end
        noted = charger.noted
        if noted is None:
            charger.noted = {key: of(conclusion)}
            self._changed.append(charger)
        else:
            noted[key] = of(conclusion, noted.get(key))
            if len(noted) > MAX_NOTED:
                self._take_safely(charger)
        return None

    def _status(self, charger: Charger, fact: StatusNotification, conclusion: Conclusion) -> None:
        self._note(charger, (fact.conn, fact.connector), conclusion)

    def _transaction(self, charger: Charger, fact: Started | Updated | Stopped, conclusion: Conclusion) -> None:
        if conclusion.events and not conclusion.duplicate:  # else it is a repeat
            info = fact.event_info
            key = (fact.conn, fact.tag, fact.timestamp) if type(fact) is Started and info is None else fact.transaction_id
            # a charging state is told once, when it changes
            self._note(charger, (type(fact), key, info and info.charging_state), conclusion)

    def _note(self, charger: Charger, key: Any, conclusion: Conclusion) -> None:
        noted = charger.noted
        if noted is None:
            noted = charger.noted = {}
            self._changed.append(charger)
        if noted and next(reversed(noted)) == key:
            noted[key] = of(conclusion, noted[key])
        else:  # a transaction may have begun or ended in between
            noted.pop(key, None)  # the order of what is different counts
            noted[key] = of(conclusion)
        if len(noted) > MAX_NOTED:
            self._take_safely(charger)

    # connections

    def arrived(self, charger: Charger) -> None:
        """The connection is its charger's from now on."""
        kept = self._absent.pop(charger.id, None)
        if kept is not None and charger.state is None and self._clock.seconds() - kept[0] < KEPT_FOR:
            charger.state = kept[1]
        self._kept.arrived(charger)

    def departed(self, charger: Charger) -> None:
        """The connection has ended, or another has replaced it."""
        if charger.noted is not None:
            self._take(charger)
        current = self._chargers.get(charger.id, charger)
        if charger.state is not None and current is not charger:
            current.state = charger.state if current.state is None else current.state.joined(charger.state)
            self._kept.changed(charger.id, current.state)
        elif charger.state is not None:
            self._absent.pop(charger.id, None)
            self._absent[charger.id] = self._clock.seconds(), charger.state
            if len(self._absent) > MAX_KEPT:
                self._absent.popitem(last=False)
        if current is charger:
            self._kept.departed(charger)

    # the sweep

    def sweep(self) -> None:
        """Bring the state of all chargers up to date at once."""
        changed, self._changed = self._changed, []
        for charger in changed:
            self._take_safely(charger)

    async def _keep_sweeping(self) -> None:
        while True:
            await pause(INTERVAL, self._clock)
            changed, self._changed = self._changed, []
            end = time.perf_counter() + SLICE
            for charger in changed:
                if self._waits(charger):
                    self._changed.append(charger)
                else:
                    self._take_safely(charger)
                if time.perf_counter() >= end:
                    await pause(0, self._clock)
                    end = time.perf_counter() + SLICE
            while self._absent and next(iter(self._absent.values()))[0] < self._clock.seconds() - KEPT_FOR:
                self._absent.popitem(last=False)

    def _waits(self, charger: Charger) -> bool:
        """Whether that has to be known first which was kept of a charger that has just arrived: else its energy would count again."""
        lately = self._clock.seconds() - charger.connected_at <= KEPT_AWAITED_FOR
        return lately and self._kept.awaits(charger) and goes_on(charger)

    def _take_safely(self, charger: Charger) -> None:
        try:
            self._take(charger)
        except Exception:  # else the sweep would end, for all
            log.failure("state of {charger} cannot be kept", charger=charger.id)

    def _take(self, charger: Charger) -> None:
        """Make the state of what a charger's messages have left behind."""
        noted, charger.noted = charger.noted, None
        if noted is None:
            return
        state = charger.state
        if state is None:
            state = charger.state = ChargerState()
        now = self._unix()
        second = int(now)  # one number for all connectors
        changed = False  # in more than its readings
        for left in noted.values():
            for data in left:
                if isinstance(data, Readings):
                    changed |= self._read(charger, state, data, now)
                elif isinstance(data, ChangeConnectorStatus):
                    evse = data.evse if isinstance(data.evse, int) else None
                    connector = data.conn if evse is None else data.connector if isinstance(data.connector, int) else None
                    told = [each and text_concealed(each) for each in (data.status, data.error_code, data.info)]
                    changed |= state.connector_is(evse, connector, *told, second)
                elif isinstance(data, StartTransaction | TransactionUpdate):
                    changed |= self._goes_on(charger, state, data, now)
                elif isinstance(data, StopTransaction):
                    changed |= self._ended(state, data)
        state.judge()
        if changed or state.running:
            self._kept.changed(charger.id, state, readings=not changed)

    def _goes_on(self, charger: Charger, state: ChargerState, data: StartTransaction | TransactionUpdate, now: float) -> bool:
        known = None if charger.ledger is None else charger.ledger.find(data.transaction_id)
        if known is not None and known.end is not None:
            return False  # a message that comes late
        before = state.running
        transaction = state.begin(data.transaction_id, data.conn, now)
        changed = state.running is not before
        if known is not None and known.meter_start is not None and transaction.first_wh is None:
            transaction.first_wh = known.meter_start
            if isinstance(data, StartTransaction):  # all of it will have been delivered today
                transaction.register_wh = known.meter_start
        if isinstance(data.charging_state, str) and transaction.charging_state != data.charging_state:
            transaction.charging_state = data.charging_state[:MAX_TEXT]
            changed = True
        return changed

    def _read(self, charger: Charger, state: ChargerState, data: Readings, now: float) -> bool:
        """A reading; whether it is of a transaction that was not known."""
        transaction = state.find(data.transaction_id) if data.transaction_id else state.on(data.conn) if data.conn else None
        unknown = transaction is None
        if transaction is None:
            known = charger.ledger.find(data.transaction_id) if charger.ledger is not None and data.transaction_id else None
            if not data.transaction_id or (known is not None and known.end is not None):
                return False
            transaction = state.begin(data.transaction_id, data.conn, now)
            transaction.first_wh = None if known is None else known.meter_start
            self._kept.saw_no_start(charger)
        reading = read(data.values)
        power = reading.power_w
        if reading.register_wh is not None:
            if transaction.register_wh is not None:
                gained, span = reading.register_wh - transaction.register_wh, now - transaction.read_at
                self._today.add(gained)
                if power is None and transaction.read_at and span >= MIN_SPAN and gained >= 0:
                    power = gained * 3600 / span
            if transaction.first_wh is None:
                transaction.first_wh = reading.register_wh
            transaction.register_wh = reading.register_wh
        if power is not None or reading.register_wh is not None:
            transaction.read_at = now
        if power is not None:
            transaction.power_w = power
        if reading.soc is not None:
            transaction.soc = reading.soc
        transaction.curve.add(now, power, transaction.energy_wh, transaction.soc)
        return unknown

    def _ended(self, state: ChargerState, data: StopTransaction) -> bool:
        """The end of a transaction; whether it was known to run."""
        for id in (data.transaction_id, data.matched_id):
            transaction = None if id is None else state.find(id)
            if transaction is not None:
                if data.meter_stop is not None and transaction.register_wh is not None:
                    self._today.add(data.meter_stop - transaction.register_wh)
                state.end(transaction.id)
                return True
        self._today.add(data.energy_wh or 0)  # nothing of it was counted: it began and ended between two sweeps, or before this gateway ran
        return False
