"""Pages of this gateway's chargers, and counts of them: thousands are looked at for each, in slices.

Knows no other gateway.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from .query import ChargersQuery, Placed, first
from .rows import Rows, sort_key
from .slices import slices

MAX_NAMES = 500
"""Most models and firmware versions that are told."""


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
        names: Counter[tuple[Any, Any]] = Counter()
        found: list[tuple[Placed, Charger]] = []
        here = not query.gateway or self._name in query.gateway
        state_of, value_of, column = self._rows.state, self._rows.columns[query.column], query.column
        filtered = bool(query.search or query.ocpp or query.model or query.firmware or query.violations)
        async for some in slices(list(self._gateway.chargers.values()), self._clock):
            names.update([charger.model[1:] for charger in some])
            if not here:
                continue
            for charger in some:
                if filtered and not query.lets_through(
                    charger.id, charger.ocpp, charger.model, (charger.serial, charger.address), charger.violations
                ):
                    continue
                state = state_of(charger)
                states[state] += 1
                if not query.state or state in query.state:
                    found.append((Placed(*sort_key(column, value_of(charger)), charger.id), charger))
        placed = first(found, query.want, query.sort)
        answer: dict[str, Any] = {
            "total": len(found),
            "states": dict(states),
            "models": sorted({model for model, _ in names if model})[:MAX_NAMES],
            "firmwares": sorted({firmware for _, firmware in names if firmware})[:MAX_NAMES],
        }
        if query.full:
            answer["rows"] = [self._rows.row(charger) for _, charger in placed]
        else:
            answer["places"] = [place for place, _ in placed]
        return answer

    def rows(self, ids: list[str]) -> list[dict[str, Any]]:
        """The rows of those that are connected here."""
        found = [self._gateway.chargers.get(id) for id in ids]
        return [self._rows.row(charger) for charger in found if charger is not None]

    async def counts(self, now: float) -> dict[str, Any]:
        """How many are in which state, and their power."""
        states: Counter[str] = Counter()
        power, state_of = 0.0, self._rows.state
        async for some in slices(list(self._gateway.chargers.values()), self._clock):
            for charger in some:
                states[state_of(charger)] += 1
                if charger.state is not None and charger.state.running:
                    power += charger.state.power(now)
        return {"states": dict(states), "power_w": round(power)}
