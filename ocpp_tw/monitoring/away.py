"""The chargers that are away, as rows, with what was known last of their connectors and transactions; read from the store now and then, and what
has not changed is not read again.

Knows neither pages nor who asks.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, FirstError, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime

from ..core.entries import AWAY, FLEET
from ..core.ledger import Ledger
from ..interfaces import IRecords, IStates, StoreUnavailable
from ..waiting import deferred, in_time, shielded
from .rows import away_row
from .slices import slices
from .state import ChargerState
from .stored_state import decoded
from .told import ChargerRow
from .transactions import Stay

HOLDS, HOLDS_OF_EACH = 1.0, 1 / 2500
"""Seconds for which what was read counts, at least; and for each row of it: to read ten thousand takes some 20 ms of CPU."""

READ_WITHIN = 1.5
"""Seconds that the store has; then what was read before counts."""

STATE_AWAITED_FOR = 30.0
"""Seconds after a charger was found to be away in which its state may still be written by the gateway that had it."""

STATES_AT_ONCE, LEDGERS_AT_ONCE = 500, 100
"""Chargers whose states, and whose transactions, are read at once."""


class _Known:
    """Of one charger: what is kept of its connection's end, since when that is known here, and
    its state, as it is stored; ``stay`` is None where no transaction runs."""

    __slots__ = ("kept", "row", "since", "stay", "stored")

    def __init__(self, kept: bytes, row: ChargerRow, since: float) -> None:
        self.kept, self.row, self.since = kept, row, since
        self.stored = b""
        self.stay: Stay | None = None

    def learn(self, id: str, stored: bytes, state: ChargerState, ledger: Ledger | None) -> None:
        """Its state; of the transactions in it those run that the ledger knows of no end of."""
        for each in state.running:
            transaction = None if ledger is None else ledger.find(each.id)
            if transaction is None or transaction.end is not None:
                state.end(each.id)
        self.stored, self.row = stored, away_row(id, _decoded(self.kept), state)
        gateway, ocpp = self.row["gateway"] or "", self.row["ocpp"] or ""
        self.stay = Stay(id, gateway, ocpp, state.running, ledger, away=True) if state.running else None


class Away:
    """One for a gateway. ``trouble`` says why nothing newer is known, "" if it is."""

    def __init__(self, records: IRecords, states: IStates, clock: IReactorTime) -> None:
        self.trouble = ""
        self._records = records
        self._states = states
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._rows: dict[str, ChargerRow] = {}
        self._until = 0.0
        self._reading: Deferred[None] | None = None

    async def rows(self, *, read: bool = True) -> dict[str, ChargerRow]:
        """By identity; not ``read``: as they were known before, since the store is known not to answer."""
        if self._reading is not None and read:
            await shielded(self._reading)
        elif read and self._clock.seconds() >= self._until:
            self._reading = Deferred.fromCoroutine(self._read())
            try:
                await shielded(self._reading)
            finally:
                self._reading = None
        return self._rows

    async def stays(self, *, read: bool = True) -> dict[str, Stay]:
        """Those of them whose transactions have not ended, as far as is known; by identity."""
        await self.rows(read=read)
        return {id: known.stay for id, known in self._known.items() if known.stay is not None}

    async def _read(self) -> None:
        try:
            kept = await in_time(self._records.table(FLEET, AWAY), READ_WITHIN, self._clock)
            known = await self._ends(kept)
            await self._read_states(known)
        except (TimeoutError, StoreUnavailable):
            self.trouble = "Redis does not answer"
        else:
            self.trouble = ""
            self._known, self._rows = known, {id: each.row for id, each in known.items()}
        self._until = self._clock.seconds() + max(HOLDS, len(self._rows) * HOLDS_OF_EACH)

    async def _ends(self, kept: dict[str, bytes]) -> dict[str, _Known]:
        found: dict[str, _Known] = {}
        now = self._clock.seconds()
        async for some in slices(list(kept.items()), self._clock):
            for id, value in some:
                before = self._known.get(id)
                same = before is not None and before.kept == value
                found[id] = before if before is not None and same else _Known(value, away_row(id, _decoded(value)), now)
        return found

    async def _read_states(self, known: dict[str, _Known]) -> None:
        """Their states, of those that have one by now which is not known."""
        now = self._clock.seconds()
        lately = [id for id, each in known.items() if now - each.since <= STATE_AWAITED_FOR]
        told: dict[str, tuple[bytes, ChargerState]] = {}
        for start in range(0, len(lately), STATES_AT_ONCE):
            found = await in_time(self._states.read(lately[start : start + STATES_AT_ONCE]), READ_WITHIN, self._clock)
            async for some in slices(list(found.items()), self._clock):
                for id, stored in some:
                    written = decoded(stored) if stored != known[id].stored else None
                    if written is not None:
                        told[id] = stored, written[1]
        waiting = iter([id for id, (_, state) in told.items() if state.running])
        ledgers: dict[str, Ledger] = {}
        while chargers := list(islice(waiting, LEDGERS_AT_ONCE)):
            tables = await in_time(self._transactions(chargers), READ_WITHIN, self._clock)
            ledgers |= {id: Ledger(list(table.values())) for id, table in zip(chargers, tables, strict=True)}
        async for each in slices(list(told.items()), self._clock):
            for id, (stored, state) in each:
                known[id].learn(id, stored, state, ledgers.get(id))

    async def _transactions(self, chargers: list[str]) -> list[dict[str, bytes]]:
        try:
            return await gatherResults([deferred(self._records.table("transactions", id)) for id in chargers], consumeErrors=True)
        except FirstError as why:
            why.subFailure.raiseException()


def _decoded(value: bytes) -> dict[str, Any]:
    try:
        kept = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return {}
    return kept if isinstance(kept, dict) else {}
