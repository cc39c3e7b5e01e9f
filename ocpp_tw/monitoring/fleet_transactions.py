"""The running transactions of the fleet: each gateway is asked, and their answers become one page.

Knows neither HTTP nor how gateways are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..gateway.charger import Charger
from ..interfaces import IFleet
from .away import Away
from .slices import slices
from .told import RunningTransaction
from .transactions import MAX_TOLD, Position, RunningQuery, position


class Running(NamedTuple):
    """Running transactions; ``after`` is the one behind which to go on, None if there are no more; ``missing`` are gateways that have not told
    theirs, ``trouble`` says why none but this one has."""

    rows: list[dict[str, Any]]
    after: Position | None
    missing: list[str]
    trouble: str


class FleetTransactions:
    """One for a gateway, which has the ``chargers``, by identity."""

    def __init__(self, chargers: Mapping[str, Charger], fleet: IFleet, away: Away, clock: IReactorTime, unix: Callable[[], float]) -> None:
        self._chargers = chargers
        self._fleet = fleet
        self._away = away
        self._clock = clock
        self._unix = unix

    async def running(self, query: RunningQuery) -> Running:
        """A page of the running transactions, the latest first: those too of chargers that are away and have not told of their end."""
        limit = min(query.limit, MAX_TOLD)
        asked: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(query, limit=limit + 1))
        answers = await self._fleet.ask("running", asked)
        found = [(position(msgspec.convert(row, RunningTransaction)), row) for part in answers.answers.values() for row in part]
        back = {row["charger"] for _, row in found}
        if answers.trouble:  # what was read is old
            back |= self._chargers.keys()
        stays = await self._away.stays(read=not self._fleet.trouble)
        async for some in slices(list(stays.items()), self._clock):
            for id, stay in some:
                if id not in back and query.charger in ("", id):
                    found += [(position(row), msgspec.to_builtins(row)) for row in stay.rows(self._unix()) if query.lets_through(row)]
        found.sort(key=itemgetter(0), reverse=True)
        rows = [row for _, row in found[:limit]]
        return Running(rows, found[limit - 1][0] if len(found) > limit else None, answers.missing, answers.trouble)
