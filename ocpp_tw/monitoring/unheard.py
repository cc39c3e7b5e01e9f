"""The chargers of gateways that do not answer, as rows: as they were known last, until it is published that they are away. So each charger of the
fleet is in one state at any moment, also in the seconds after its gateway has died.

Knows neither pages nor how gateways are asked. Read from the store only while a gateway does not answer or has just been lost, and not again for a
while.
"""

from __future__ import annotations

from collections.abc import Set

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core.entries import Orphan
from ..interfaces import Answers, IOrphans, IStates, StoreUnavailable
from ..waiting import in_time, shielded
from .gateway_reports import GatewayReports
from .rows import iso, unheard_row
from .slices import slices
from .stored_state import decoded
from .told import ChargerRow

HOLDS, HOLDS_OF_EACH = 1.0, 1 / 2500
"""Seconds for which what was read counts, at least; and for each row of it."""

READ_WITHIN = 3.0
"""Seconds that the store has; then what was read before counts."""

STATES_AT_ONCE = 500
"""Chargers whose states are read at once."""

MOVED_FOR = 3.0
"""Seconds for which one counts that the store has at another gateway now: that may have counted its own before it came."""

LOST_FOR = 120.0
"""Seconds for which chargers of a gateway that is gone are looked for: until then others have published that they are away."""

LOOKED_FOR = 30.0
"""Seconds for which they are looked for after all gateways have answered again, or the store has."""

LOOKED_FOR_AT_FIRST = 90.0
"""And after the start of this gateway: chargers of its earlier run have a minute to come back."""


class Unheard:
    """One for a gateway of that ``name``. ``read_at`` is when what is known was read, by the reactor's clock; -1 where it is not looked for."""

    def __init__(self, name: str, orphans: IOrphans, states: IStates, reports: GatewayReports, clock: IReactorTime) -> None:
        self.read_at = -1.0
        self._name = name
        self._orphans = orphans
        self._states = states
        self._reports = reports
        self._clock = clock
        self._looked_until = clock.seconds() + LOOKED_FOR_AT_FIRST
        self._answering: Set[str] = frozenset()
        self._known: dict[str, tuple[str, ChargerRow]] = {}
        self._moved: dict[str, tuple[float, ChargerRow]] = {}
        self._until = 0.0
        self._reading: Deferred[None] | None = None

    async def rows(self, answers: Answers) -> dict[str, ChargerRow]:
        """By identity, of the gateways that have not answered: none while others cannot be asked."""
        now = self._clock.seconds()
        if answers.missing or answers.trouble or self._reports.has_lost(LOST_FOR, {*answers.answers}):
            self._looked_until = max(self._looked_until, now + LOOKED_FOR)
        if answers.trouble or now >= self._looked_until:
            self._known, self._moved, self._until, self.read_at = {}, {}, 0.0, -1.0
            return {}
        answering = frozenset(answers.answers)
        while self._reading is not None:
            await shielded(self._reading)
        if answering != self._answering or self._clock.seconds() >= self._until:
            self._reading = Deferred.fromCoroutine(self._read(answering))
            try:
                await shielded(self._reading)
            finally:
                self._reading = None
        # what was read before, where the store has not answered now, may be of a gateway that answers again
        return {id: row for id, (_, row) in self._known.items() if row["gateway"] == self._name or row["gateway"] not in answering}

    def moved(self) -> dict[str, ChargerRow]:
        """Those that were among them a moment ago, and may not be counted yet where they are now."""
        now = self._clock.seconds()
        return {id: row for id, (since, row) in self._moved.items() if now - since < MOVED_FOR}

    async def _read(self, answering: Set[str]) -> None:
        try:
            left = await in_time(self._orphans.left_behind(answering), READ_WITHIN, self._clock)
            read_at = self._clock.seconds()
            known = {each.charger: before[1] for each in left if (before := self._known.get(each.charger)) and before[0] == each.held}
            known |= await self._rows([each for each in left if each.charger not in known])
        except (TimeoutError, StoreUnavailable):
            return
        gone = {id: (read_at, row) for id, (_, row) in self._known.items()}
        # those of a gateway that answers again are counted there
        self._moved = {
            id: (since, row)
            for id, (since, row) in (gone | self._moved).items()
            if id not in known and read_at - since < MOVED_FOR and (row["gateway"] == self._name or row["gateway"] not in answering)
        }
        self._known = {each.charger: (each.held, known[each.charger]) for each in left}
        self._answering, self.read_at = answering, read_at
        self._until = self._clock.seconds() + max(HOLDS, len(known) * HOLDS_OF_EACH)

    async def _rows(self, chargers: list[Orphan]) -> dict[str, ChargerRow]:
        rows: dict[str, ChargerRow] = {}
        for start in range(0, len(chargers), STATES_AT_ONCE):
            some = chargers[start : start + STATES_AT_ONCE]
            stored = await in_time(self._states.read([each.charger for each in some]), READ_WITHIN, self._clock)
            async for each in slices(some, self._clock):
                rows |= {orphan.charger: _row(orphan, stored.get(orphan.charger)) for orphan in each}
        return rows


def _row(orphan: Orphan, stored: bytes | None) -> ChargerRow:
    known = None if stored is None else decoded(stored)
    state = None if known is None else known[1]
    vendor, model, firmware, serial = orphan.known
    told = {"gateway": orphan.gateway, "ocpp": orphan.ocpp, "vendor": vendor, "model": model, "firmware": firmware, "serial": serial}
    if state is not None:
        state.judge()
    return unheard_row(orphan.charger, iso(orphan.since) if orphan.since else "", told, state)
