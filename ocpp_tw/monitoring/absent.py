"""The chargers of which no gateway tells that has answered: those that are away, and those whose gateway does not answer. Each charger of the
fleet is among them or among the connected ones, never both.

Knows neither pages nor how gateways are asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..gateway.charger import Charger
from ..interfaces import Answers, IFleet
from .away import Away
from .told import ChargerRow
from .transactions import Stay
from .unheard import Unheard


class Absent:
    """One for a gateway, which has the ``chargers``, by identity."""

    def __init__(self, chargers: Mapping[str, Charger], fleet: IFleet, away: Away, unheard: Unheard) -> None:
        self._chargers = chargers
        self._fleet = fleet
        self._away = away
        self._unheard = unheard

    @property
    def trouble(self) -> str:
        """Why nothing newer is known of those that are away; "" if it is."""
        return self._away.trouble

    async def rows(self, answers: Answers, counted: float) -> dict[str, ChargerRow]:
        """By identity, all but those that are counted among the connected ones in these answers; this gateway's own were counted at ``counted`` at the
        earliest, by the reactor's clock."""
        absent = await self._read(answers)
        # gateways of older releases name none that have arrived
        back = {id for part in answers.answers.values() for id in part.get("arrived", ()) if id in absent}
        # of this gateway's own also those that came long ago: while the store does not answer, nothing newer is read; one that has just come may
        # not be counted as connected yet
        back |= {id for id in absent.keys() & self._chargers.keys() if self._chargers[id].connected_at <= counted}
        return {id: row for id, row in absent.items() if id not in back} if back else absent

    async def row(self, id: str, answers: Answers) -> ChargerRow | None:
        """That of one; None if it is not among them."""
        return (await self._read(answers)).get(id)

    async def transactions(self, id: str) -> Stay | None:
        """What is known of those of one that is away, as was read with its row; None if none runs."""
        return (await self._away.stays(read=False)).get(id)

    async def look(self) -> None:
        """Read those that are away, if they are not known: whoever needs them next does not wait as long."""
        await self._away.rows(read=not self._fleet.trouble)

    async def _read(self, answers: Answers) -> dict[str, ChargerRow]:
        unheard = await self._unheard.rows(answers)
        # read last: who leaves the former for these meanwhile is in one of them
        away = await self._away.rows(read=not self._fleet.trouble, since=self._unheard.read_at)
        moved = self._unheard.moved()
        return {**moved, **unheard, **away} if moved or unheard else away
