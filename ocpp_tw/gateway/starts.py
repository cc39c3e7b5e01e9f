"""How a start comes to its one verdict and its id, however often it is told, and over whichever connection.

Knows neither what the verdict is nor how it is told to the backend.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..core import transaction_events
from ..core.ledger import Ledger
from ..core.provisional import start_key
from ..facts import Authorization, Start, Started
from ..interfaces import IHandlers, Maybe
from .transaction_ids import TransactionIds

if TYPE_CHECKING:
    from .charger import Charger

log = Logger()

Decided = Start | Authorization
"""A verdict on a start; an authorization alone answers a repeat in 2.x."""


class PendingStart(NamedTuple):
    """A start that is being decided on; ``waiting`` are its repeats that came over a later connection meanwhile."""

    charger: Charger
    key: str
    ledger: Ledger
    waiting: list[Deferred[None]]


class Starts:
    """One for all the chargers of a gateway."""

    def __init__(self, handlers: IHandlers, ids: TransactionIds) -> None:
        self._handlers = handlers
        self._ids = ids
        self._pending: dict[str, PendingStart] = {}

    def ask(self, charger: Charger, fact: Started, ledger: Ledger) -> Maybe[Decided]:
        """The verdict: the handlers', unless they have given one on this very start."""
        known = transaction_events.known(ledger, fact) if fact.event_info else _repeated(ledger, fact)
        if known is not None:
            return known
        first = self._pending.get(charger.id)
        if first is not None and first.charger is not charger and first.key == start_key(charger.id, fact):
            return self._after(first, charger, fact, ledger)
        verdict: Maybe[Start] = self._handlers.started(charger, fact)
        if fact.event_info is None:
            verdict = self.with_id(verdict, ledger) if isinstance(verdict, Start) else self._decided(verdict, ledger)
        if not isinstance(verdict, Start):
            self._pending.setdefault(charger.id, PendingStart(charger, start_key(charger.id, fact), ledger, []))
        return verdict

    def concluded(self, charger: Charger) -> None:
        """What this charger had waited for has been published, or has failed."""
        first = self._pending.get(charger.id)
        if first is not None and first.charger is charger:
            del self._pending[charger.id]
            for each in first.waiting:
                each.callback(None)

    def ledger(self, charger: str) -> Ledger | None:
        """The ledger that a start is being decided on with: what it comes to is in no record yet."""
        first = self._pending.get(charger)
        return None if first is None else first.ledger

    def with_id(self, verdict: Start, ledger: Ledger | None) -> Maybe[Start]:
        """The verdict, with an id of the gateway's own when it has none, or one that another transaction is running under."""
        given = verdict.transaction_id
        if given is not None:
            running = None if ledger is None else ledger.find(given)
            if running is None or running.end is not None:
                return verdict
            log.error("the backend has given the id {id} to two transactions that run at once on one charger", id=given)
        verdict = msgspec.structs.replace(verdict, transaction_id=None, backend_id=given)
        id = self._ids.next()
        return msgspec.structs.replace(verdict, transaction_id=id) if isinstance(id, int) else self._leased(verdict, id)

    async def _leased(self, verdict: Start, id: Awaitable[int]) -> Start:
        return msgspec.structs.replace(verdict, transaction_id=await id)

    async def _decided(self, later: Awaitable[Start], ledger: Ledger) -> Start:
        """The slow way: the handlers take their time, and maybe the next lease of ids does."""
        verdict = await later
        if not isinstance(verdict, Start):
            raise TypeError(f"{verdict!r} is no verdict on a start")
        with_id = self.with_id(verdict, ledger)
        return with_id if isinstance(with_id, Start) else await with_id

    async def _after(self, first: PendingStart, charger: Charger, fact: Started, ledger: Ledger) -> Decided:
        """It is being decided on already, for the connection that the charger had before."""
        done: Deferred[None] = Deferred()
        first.waiting.append(done)
        await done
        verdict = self.ask(charger, fact, ledger)
        return verdict if isinstance(verdict, Decided) else await verdict


def _repeated(ledger: Ledger, fact: Started) -> Start | None:
    """What the same start was answered before."""
    known = ledger.repeated(fact)
    return None if known is None else known.verdict
