"""Pages of this gateway's chargers, and counts of them: thousands are looked at for each, in slices.

Knows no other gateway.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from ..ocpp.tolerance.evidence import Model
from ..waiting import pause
from .query import ChargersQuery, First, Place, place
from .rows import Rows
from .slices import slices
from .state import MAX_CONNECTORS
from .told import ChargerRow

MAX_NAMES = 500
"""Most models and firmware versions that are told."""

MAX_CONNECTORS_TOLD = 20_000
"""Most connectors that the rows of an answer have together, which has to fit into a message between gateways: of a page full of large sites, each
tells those that matter most."""

COUNTS_HOLD = 1.0
"""Seconds for which counts are taken to be right."""

ARRIVED_FOR, MAX_ARRIVED = 10.0, 2000
"""Seconds for which pages and counts name the chargers that have arrived, and how many of them at most: as long as others may take them to be away,
from what they have read before."""


class Listing:
    """One for a gateway of that ``name``."""

    def __init__(self, name: str, gateway: Gateway, rows: Rows, clock: IReactorTime) -> None:
        self._name = name
        self._gateway = gateway
        self._rows = rows
        self._clock = clock

    async def page(self, query: ChargersQuery) -> dict[str, Any]:
        """The first of them that the query asks for, and what there is to ask for."""
        states: Counter[str] = Counter()
        models: set[Model] = set()
        found = First[Charger](query)
        total = 0
        arrived: list[str] = []
        lately = self._clock.seconds() - ARRIVED_FOR
        here = not query.gateway or self._name in query.gateway
        state_of, value_of, column, descending = self._rows.state, self._rows.columns[query.column], query.column, query.descending
        filtered = bool(query.search or query.ocpp or query.model or query.firmware or query.violations)
        async for some in slices(list(self._gateway.chargers.values()), self._clock):
            models.update([charger.model for charger in some])
            arrived += [charger.id for charger in some if charger.connected_at >= lately]
            matching: list[tuple[Place, Charger]] = []
            for charger in some if here else ():
                if filtered and not query.lets_through(
                    charger.id, charger.ocpp, charger.model, (charger.serial, charger.address), charger.violations
                ):
                    continue
                state = state_of(charger)
                states[state] += 1
                if not query.state or state in query.state:
                    matching.append((place(column, descending, value_of(charger), charger.id), charger))
            total += len(matching)
            found.add(matching)
        if found.many:
            await pause(0, self._clock)
        first = found.sort()
        answer: dict[str, Any] = {
            "total": total,
            "states": dict(states),
            "models": sorted({model for _, model, _ in models if model})[:MAX_NAMES],
            "firmwares": sorted({firmware for _, _, firmware in models if firmware})[:MAX_NAMES],
            "arrived": arrived[-MAX_ARRIVED:],
        }
        if query.full:
            answer["rows"] = await self._told([charger for _, charger in first])
        else:
            answer["places"] = [at for at, _ in first]
        return answer

    async def rows(self, ids: list[str]) -> list[ChargerRow]:
        """The rows of those that are connected here."""
        return await self._told([charger for id in ids if (charger := self._gateway.chargers.get(id)) is not None])

    async def _told(self, chargers: list[Charger]) -> list[ChargerRow]:
        rows: list[ChargerRow] = []
        numbers = [len(charger.state.connectors) for charger in chargers if charger.state is not None]
        most = MAX_CONNECTORS
        while sum(numbers) > MAX_CONNECTORS_TOLD:
            most //= 2
            numbers = [min(each, most) for each in numbers]
        async for some in slices(chargers, self._clock):
            rows += [self._rows.row(charger, most) for charger in some]
        return rows

    async def counts(self, now: float) -> dict[str, Any]:
        """How many are in which state, their power, and which of them have arrived lately."""
        states: Counter[str] = Counter()
        arrived: list[str] = []
        lately = self._clock.seconds() - ARRIVED_FOR
        power, state_of = 0.0, self._rows.state
        async for some in slices(list(self._gateway.chargers.values()), self._clock):
            for charger in some:
                states[state_of(charger)] += 1
                if charger.connected_at >= lately:
                    arrived.append(charger.id)
                if charger.state is not None and charger.state.running:
                    power += charger.state.power(now)
        return {"states": dict(states), "power_w": round(power), "arrived": arrived[-MAX_ARRIVED:]}
