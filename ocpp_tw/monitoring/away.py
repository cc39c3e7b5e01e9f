"""The chargers that are away, as rows, with what was known last of their connectors and transactions; read from the store now and then, and what
has not changed is not read again. Those that have left this gateway since are among them without being read.

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
from ..gateway.publisher import Departing
from ..interfaces import IRecords, IStates, StoreUnavailable
from ..waiting import deferred, in_time, shielded
from .rows import away_row
from .slices import slices
from .state import ChargerState
from .stored_state import decoded, encoded
from .told import ChargerRow
from .transactions import Stay

HOLDS, HOLDS_OF_EACH = 1.0, 1 / 2500
"""Seconds for which what was read counts, at least; and for each row of it: to read ten thousand takes some 20 ms of CPU."""

READ_WITHIN = 1.5
"""Seconds that the store has; then what was read before counts."""

STATE_AWAITED_FOR = 30.0
"""Seconds after a charger was found to be away in which its state may still be written by the gateway that had it."""

WRITTEN_WITHIN = 6.0
"""Seconds after the end of a connection to this gateway was found in the store, in which what this gateway knows of its state is newer than
what the store has."""

MAX_LEFT = 10_000
"""Most chargers that have left this gateway since the store was read; of more the first to leave are not known to be away before it is read."""

STATES_AT_ONCE, LEDGERS_AT_ONCE = 500, 100
"""Chargers whose states, and whose transactions, are read at once."""


class _Known:
    """Of one charger: what is kept of its connection's end, since when that is known here, from when on its state is to be read, and
    its state, as it is stored; ``stay`` is None where no transaction runs."""

    __slots__ = ("kept", "read_from", "row", "since", "stay", "stored")

    def __init__(self, id: str, kept: bytes, since: float) -> None:
        self.kept, self.row, self.since = kept, away_row(id, _decoded(kept)), since
        self.read_from = since
        self.stored = b""
        self.stay: Stay | None = None

    def learn(self, id: str, state: ChargerState, ledger: Ledger | None) -> None:
        """Its state, and its transactions."""
        self.row = away_row(id, _decoded(self.kept), state)
        gateway, ocpp = self.row["gateway"] or "", self.row["ocpp"] or ""
        self.stay = Stay(id, gateway, ocpp, state.running, ledger, away=True) if state.running else None


class _Left:
    """Of a charger that has left this gateway: when, by the reactor's clock, what is kept of its connection's end, its state if any, and the JSON of its
    running transactions."""

    __slots__ = ("at", "kept", "state", "transactions")

    def __init__(self, at: float, charger: Departing, kept: bytes) -> None:
        self.at, self.kept = at, kept
        ledger, state = charger.ledger, charger.state
        self.transactions = [msgspec.json.encode(each) for each in ledger.running] if ledger is not None else []
        self.state: ChargerState | None = None
        if state is not None:
            self.state = ChargerState(state.connectors, tuple([each for each in state.running if not _ended(ledger, each.id)]))

    def known(self, id: str) -> _Known:
        known = _Known(id, self.kept, self.at)
        if self.state is not None:
            known.learn(id, self.state, Ledger(self.transactions))
            # as it will be in the store, unless another connection adds to it
            known.stored = encoded(known.row["gateway"] or "", self.state)
        return known


class Away:
    """One for a gateway. ``trouble`` says why nothing newer is known, "" if it is."""

    def __init__(self, records: IRecords, states: IStates, clock: IReactorTime) -> None:
        self.trouble = ""
        self._records = records
        self._states = states
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._rows: dict[str, ChargerRow] = {}
        self._left: dict[str, _Left] = {}  # since the store was read, and nobody has asked for them
        self._own: dict[str, _Known] = {}  # and those that somebody has asked for, which are among those that are known, too
        self._began = -1.0
        self._until = 0.0
        self._reading: Deferred[None] | None = None

    def left(self, charger: Departing, kept: bytes) -> None:
        """A charger has left this gateway, and that is published, with this to be kept of the end of its connection: as long as the store does not
        answer, only this gateway knows."""
        self.arrived(charger.id)
        self._left[charger.id] = _Left(self._clock.seconds(), charger, kept)
        if len(self._left) + len(self._own) > MAX_LEFT:
            first = next(iter(self._own or self._left))
            if first in self._own and self._known.get(first) is self._own[first]:
                del self._known[first], self._rows[first]
            self.arrived(first)

    def arrived(self, id: str) -> None:
        """A charger is connected to this gateway."""
        self._left.pop(id, None)
        self._own.pop(id, None)

    async def rows(self, *, read: bool = True, since: float = -1.0) -> dict[str, ChargerRow]:
        """By identity; not ``read``: as they were known before, since the store is known not to answer; ``since``: read at that time of the
        reactor's clock or later, if the store answers."""
        await self._add_left()  # of which neither state nor transactions have to be read then
        if read and (self._reading is not None or self._clock.seconds() >= self._until):
            await self._read_once()
        while read and self._began < since and not self.trouble:
            await self._read_once()
        await self._add_left()
        return self._rows

    async def _read_once(self) -> None:
        """Read them, or wait for whoever does."""
        if self._reading is not None:
            await shielded(self._reading)
            return
        self._reading = Deferred.fromCoroutine(self._read())
        try:
            await shielded(self._reading)
        finally:
            self._reading = None

    async def stays(self, *, read: bool = True) -> dict[str, Stay]:
        """Those of them whose transactions have not ended, as far as is known; by identity."""
        await self.rows(read=read)
        return {id: known.stay for id, known in self._known.items() if known.stay is not None}

    async def _add_left(self) -> None:
        async for some in slices(list(self._left.items()), self._clock):
            for id, left in some:
                if self._left.get(id) is left:  # else it is back meanwhile
                    del self._left[id]
                    self._own[id] = self._known[id] = known = left.known(id)
                    self._rows[id] = known.row

    async def _read(self) -> None:
        began = self._clock.seconds()
        try:
            kept = await in_time(self._records.table(FLEET, AWAY), READ_WITHIN, self._clock)
            known = await self._ends(kept)
            await self._read_states(known)
        except (TimeoutError, StoreUnavailable):
            self.trouble = "Redis does not answer"  # until it does: it is asked at the next look
        else:
            self.trouble, self._began = "", began
            self._left = {id: each for id, each in self._left.items() if each.at >= began}
            self._own = {id: each for id, each in self._own.items() if each.since >= began and known.get(id) is not each}
            self._known = known | self._own
            self._rows = {id: each.row for id, each in self._known.items()}
            self._until = self._clock.seconds() + max(HOLDS, len(self._rows) * HOLDS_OF_EACH)

    async def _ends(self, kept: dict[str, bytes]) -> dict[str, _Known]:
        found: dict[str, _Known] = {}
        now = self._clock.seconds()
        async for some in slices(list(kept.items()), self._clock):
            for id, value in some:
                known = self._known.get(id)
                if known is None or known.kept != value:
                    known = _Known(id, value, now)
                elif self._own.get(id) is known:
                    known.since = now
                    known.read_from = now + WRITTEN_WITHIN if known.row["connectors"] or known.stay else now
                found[id] = known
        return found

    async def _read_states(self, known: dict[str, _Known]) -> None:
        """Their states, of those that have one by now which is not known."""
        now = self._clock.seconds()
        lately = [id for id, each in known.items() if each.read_from <= now <= each.since + STATE_AWAITED_FOR]
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
                ledger = ledgers.get(id)
                for running in state.running:  # those run that the ledger knows of, and of no end
                    if ledger is None or ledger.find(running.id) is None or _ended(ledger, running.id):
                        state.end(running.id)
                known[id].stored = stored
                known[id].learn(id, state, ledger)

    async def _transactions(self, chargers: list[str]) -> list[dict[str, bytes]]:
        try:
            return await gatherResults([deferred(self._records.table("transactions", id)) for id in chargers], consumeErrors=True)
        except FirstError as why:
            why.subFailure.raiseException()


def _ended(ledger: Ledger | None, id: int | str) -> bool:
    transaction = None if ledger is None else ledger.find(id)
    return transaction is not None and transaction.end is not None


def _decoded(value: bytes) -> dict[str, Any]:
    try:
        kept = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return {}
    return kept if isinstance(kept, dict) else {}
