"""The chargers that are away, as rows; read from the store now and then, and what has not changed is not read again.

Knows neither pages nor who asks.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core.entries import AWAY, FLEET
from ..interfaces import IRecords, StoreUnavailable
from ..waiting import in_time, shielded
from .rows import away_row
from .slices import slices
from .told import ChargerRow

HOLDS, HOLDS_OF_EACH = 1.0, 1 / 2500
"""Seconds for which what was read counts, at least; and for each row of it: to read ten thousand takes some 20 ms of CPU."""

READ_WITHIN = 1.5
"""Seconds that the store has; then what was read before counts."""


class Away:
    """One for a gateway. ``trouble`` says why nothing newer is known, "" if it is."""

    def __init__(self, records: IRecords, clock: IReactorTime) -> None:
        self.trouble = ""
        self._records = records
        self._clock = clock
        self._rows: dict[str, ChargerRow] = {}
        self._kept: dict[str, bytes] = {}
        self._until = 0.0
        self._reading: Deferred[None] | None = None

    async def rows(self) -> dict[str, ChargerRow]:
        """By identity."""
        if self._reading is not None:
            await shielded(self._reading)
        elif self._clock.seconds() >= self._until:
            self._reading = Deferred.fromCoroutine(self._read())
            try:
                await shielded(self._reading)
            finally:
                self._reading = None
        return self._rows

    async def _read(self) -> None:
        try:
            kept = await in_time(self._records.table(FLEET, AWAY), READ_WITHIN, self._clock)
        except (TimeoutError, StoreUnavailable):
            self.trouble = "Redis does not answer"
        else:
            self.trouble, before = "", self._kept
            rows: dict[str, ChargerRow] = {}
            async for some in slices(list(kept.items()), self._clock):
                for id, value in some:
                    known = self._rows.get(id) if before.get(id) == value else None
                    rows[id] = known or away_row(id, _decoded(value))
            self._rows, self._kept = rows, kept
        self._until = self._clock.seconds() + max(HOLDS, len(self._rows) * HOLDS_OF_EACH)


def _decoded(value: bytes) -> dict[str, Any]:
    try:
        kept = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return {}
    return kept if isinstance(kept, dict) else {}
