"""Keeps in the store what is known of the state of chargers, for the gateway that has them next: most of them tell it again only when they boot.

Knows neither messages nor how the state comes about. Nothing waits for it, and what is lost costs no more than that a charger is shown for a
while as it was: a state is written some seconds after it has changed, or within a minute if only readings have. When a charger arrives what was
kept of it is read soon, and when one leaves its state is written sooner: it may be elsewhere next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..core.ledger import Ledger
from ..core.transaction import Transaction
from ..core.transaction_key import stored_key
from ..gateway.charger import Charger
from ..interfaces import IRecords, IStates, StoreUnavailable
from ..log import Logger
from ..waiting import cancelled, deferred, in_time
from .looks import Looks
from .noted import ends
from .slices import slices
from .state import ChargerState
from .stored_state import NOTHING, decoded, encoded

log = Logger()

INTERVAL = 3.0
"""Seconds between two looks for chargers that have arrived, and for states that have changed."""

READ_AFTER, WRITTEN_AFTER = 0.5, 0.2
"""Seconds after which there is a look because a charger has arrived, and because one has left; all that come or go meanwhile share it. The gateway
that it comes from has written its state by then, if it could."""

READINGS_AFTER = 20
"""Intervals after which states are written of which only readings have changed."""

AT_ONCE = 500
"""Chargers that are read or written with one command."""

WITHIN = 1.5
"""Seconds that the store has for one; then it is tried again at the next interval."""

MAX_WAITING = 20_000
"""Most states that wait to be written while the store is away; beyond that the oldest are not."""


class KeptStates:
    """One for a gateway of that ``name``. Of a charger that has arrived nothing is written before it has been read what others have written,
    also if it has left by then.

    ``open_ledger`` opens a charger's ledger. ``written`` is called once a minute, when all states have been written, and as soon as that is possible again; it may fail as `IStates` does.
    """

    def __init__(
        self,
        name: str,
        states: IStates,
        records: IRecords,
        clock: IReactorTime,
        open_ledger: Callable[[Charger], Awaitable[Ledger]],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self._name = name
        self._states = states
        self._records = records
        self._clock = clock
        self._open_ledger = open_ledger
        self._written = written
        self._arrived: dict[str, Charger] = {}
        self._inherited: dict[str, ChargerState] = {}
        self._changed: dict[str, ChargerState] = {}
        self._read: dict[str, ChargerState] = {}
        self._without_start: dict[str, Charger] = {}
        self._intervals = 0
        self._overdue = False
        self._trouble = ""
        self._loop: Deferred[None] | None = None
        self._looks = Looks(INTERVAL, clock)

    def start(self) -> None:
        """Begin to read and write."""
        self._loop = Deferred.fromCoroutine(self._keep_on()).addErrback(cancelled)

    def stop(self) -> None:
        """Do so no more; what has changed is written a last time, if the store is there."""
        if self._loop is not None:
            self._loop.cancel()
            self._loop = None
            waiting = list(self._due(everything=True).items())
            for start in range(0, len(waiting), AT_ONCE):
                last = {id: self._encoded(id, state) for id, state in waiting[start : start + AT_ONCE]}
                deferred(self._states.write(last)).addErrback(_lost)

    def arrived(self, charger: Charger) -> None:
        """A connection is its charger's; it may have the state that the charger had when it was here before."""
        is_whole = charger.id not in self._arrived or charger.id in self._inherited
        self._arrived[charger.id] = charger
        if charger.state is not None and is_whole:
            self._inherited[charger.id] = charger.state
        self._hurry(READ_AFTER)

    def awaits(self, charger: Charger) -> bool:
        """Whether it has not been read yet what was kept of that charger."""
        return self._arrived.get(charger.id) is charger

    def departed(self, charger: Charger) -> None:
        """A connection is its charger's no more."""
        id = charger.id
        self._without_start.pop(id, None)
        if id in self._read:
            self._changed[id] = self._read.pop(id)
        if id in self._arrived and (id not in self._changed or len(self._arrived) > MAX_WAITING):  # it has told nothing
            del self._arrived[id]
            self._changed.pop(id, None)
        if id not in self._arrived:
            self._inherited.pop(id, None)
        if id in self._changed:
            self._hurry(WRITTEN_AFTER)

    def saw_no_start(self, charger: Charger) -> None:
        """A transaction runs that began on another connection: what its meter said then is learnt from the ledger."""
        if charger.ledger is None:
            self._without_start[charger.id] = charger

    def changed(self, id: str, state: ChargerState, *, readings: bool = False) -> None:
        """A charger has this state; ``readings``: nothing is new but those."""
        if self._inherited:
            self._inherited.pop(id, None)
        if not readings or id in self._changed:
            self._changed[id] = state
            self._read.pop(id, None)
        else:
            self._read[id] = state

    async def _keep_on(self) -> None:
        while True:
            regular = await self._looks.next()
            try:
                await self._read_arrived()
                await self._learn_starts()
                await self._write_changed(regular=regular)
                if self._overdue:
                    await self._written()
                    self._overdue = False
                self._trouble = ""
            except (TimeoutError, StoreUnavailable) as why:
                if str(why) != self._trouble:  # it may last
                    self._trouble = str(why)
                    log.info("states of chargers are neither read nor kept at the moment: {why}", why=self._trouble)
            while len(self._changed) > MAX_WAITING:
                del self._changed[next(iter(self._changed))]

    def _hurry(self, seconds: float) -> None:
        """Look in so many seconds at the latest, unless the store did not answer the last time."""
        if not self._trouble:
            self._looks.hurry(seconds)

    # writing

    def _due(self, *, everything: bool = False, regular: bool = True) -> dict[str, ChargerState]:
        """What is to be written now."""
        self._intervals += regular
        if everything or self._overdue or self._intervals >= READINGS_AFTER:
            self._intervals, self._overdue = 0, True  # until all of them are written, and that was told
            self._changed = self._read | self._changed
            self._read = {}
        due = {id: state for id, state in self._changed.items() if id not in self._arrived} if self._arrived else self._changed
        self._changed = {id: state for id, state in self._changed.items() if id in self._arrived} if self._arrived else {}
        return due

    async def _write_changed(self, *, regular: bool) -> None:
        due = self._due(regular=regular)
        try:
            while due:
                some = list(islice(due.items(), AT_ONCE))
                written: dict[str, bytes] = {}
                async for each in slices(some, self._clock):
                    written |= {id: self._encoded(id, state) for id, state in each}
                await in_time(self._states.write(written), WITHIN, self._clock)
                for id in written:
                    del due[id]
        finally:
            if due:
                self._changed = due | self._changed

    def _encoded(self, id: str, state: ChargerState) -> bytes:
        try:
            return encoded(self._name, state)
        except Exception:  # else nobody's would be written
            log.failure("state of {charger} cannot be written", charger=id)
            return NOTHING

    # reading

    async def _read_arrived(self) -> None:
        while self._arrived:
            chargers = list(islice(self._arrived.values(), AT_ONCE))
            found = await in_time(self._states.read([each.id for each in chargers]), WITHIN, self._clock)
            async for some in slices(chargers, self._clock):
                for charger in some:
                    if charger.id in found:
                        await self._restore_safely(charger, found[charger.id])
                    if self._arrived.get(charger.id) is charger:
                        del self._arrived[charger.id]
                        self._inherited.pop(charger.id, None)

    async def _learn_starts(self) -> None:
        while self._without_start:
            id, charger = next(iter(self._without_start.items()))
            ledger = await in_time(deferred(self._open_ledger(charger)), WITHIN, self._clock)
            self._without_start.pop(id, None)
            for each in charger.state.running if charger.state is not None else ():
                known = ledger.find(each.id)
                if known is not None and known.meter_start is not None:
                    each.first_wh = known.meter_start

    async def _restore_safely(self, charger: Charger, kept: bytes) -> None:
        try:
            await self._restore(charger, kept)
        except (TimeoutError, StoreUnavailable, CancelledError):
            raise
        except Exception:  # else nobody's would be read
            log.failure("state of {charger} cannot be read", charger=charger.id)

    async def _restore(self, charger: Charger, kept: bytes) -> None:
        """Give the charger the state that was kept of it."""
        known = decoded(kept)
        if known is None:
            return
        gateway, state = known
        if state.running:
            await self._drop_ended(charger, state)
        if self._arrived.get(charger.id) is not charger:
            return  # meanwhile it has gone
        own: ChargerState | None = charger.state
        if own is None:
            charger.state = state
        elif gateway != self._name and self._inherited.get(charger.id) is own:  # it was elsewhere since
            state.take_curves(own)
            charger.state = state
        else:
            own.joined(state)
        charger.state.judge()
        if gateway != self._name or own is not None:
            self.changed(charger.id, charger.state, readings=True)

    async def _drop_ended(self, charger: Charger, state: ChargerState) -> None:
        """Of transactions that were running those are left that have not ended since, as far as is known: by whichever gateway. Those
        too whose end the next sweep looks at, which takes them away."""
        ledger = charger.ledger
        if ledger is None:
            table = await in_time(self._records.table("transactions", charger.id), WITHIN, self._clock)
            ledger = charger.ledger
        ending = ends(charger)
        for each in state.running:
            if each.id in ending:
                continue
            found = ledger.find(each.id) if ledger is not None else _transaction(table.get(stored_key(each.id)))
            if found is None or found.end is not None:
                state.end(each.id)


def _lost(why: Failure) -> None:
    """An errback for a last attempt."""
    why.trap(StoreUnavailable, CancelledError)  # type: ignore[no-untyped-call]


_transaction_of = msgspec.json.Decoder(Transaction).decode


def _transaction(kept: bytes | None) -> Any:
    try:
        return None if kept is None else _transaction_of(kept)
    except ValueError:  # written by another release
        return None
