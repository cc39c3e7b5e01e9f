"""Makes a start idempotent: one verdict and one transaction id, across repeats and reconnects.

Knows neither what the verdict is nor what is published of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from twisted.internet.defer import Deferred

from ..core import transaction_events
from ..core.ledger import Ledger
from ..core.provisional import start_key
from ..facts import Authorization, Start, Started
from ..interfaces import ICharger, IHandlers, Maybe
from ..log import Logger
from .transaction_ids import TransactionIds

log = Logger()

StartVerdict = Start | Authorization
"""A verdict on a start; an authorization alone answers a repeat in 2.x."""


class PendingStart(NamedTuple):
    """A start that is being decided; ``waiting`` are its repeats that arrived on a later connection meanwhile."""

    charger: ICharger
    key: str
    ledger: Ledger
    waiting: list[Deferred[None]]


class Starts:
    """One for all chargers of a gateway."""

    def __init__(self, handlers: IHandlers, ids: TransactionIds, unix: Callable[[], float]) -> None:
        self._handlers = handlers
        self._ids = ids
        self._unix = unix
        self._pending: dict[str, PendingStart] = {}

    def decide(self, charger: ICharger, fact: Started, ledger: Ledger) -> Maybe[StartVerdict]:
        """The handlers' verdict, unless they have given, or are about to give, one on this very start."""
        repeat = transaction_events.repeated(ledger, fact) if fact.event_info else _repeated(ledger, fact, self._unix())
        if repeat is not None:
            return repeat
        pending = self._pending.get(charger.id)
        if pending is not None and pending.charger is not charger and pending.key == start_key(charger.id, fact):
            return self._after(pending, charger, fact, ledger)
        verdict: Maybe[Start] = self._handlers.started(charger, fact)
        if fact.event_info is None:
            verdict = self.with_id(verdict, ledger) if isinstance(verdict, Start) else self._awaited(verdict, ledger)
        if not isinstance(verdict, Start):
            self._pending.setdefault(charger.id, PendingStart(charger, start_key(charger.id, fact), ledger, []))
        return verdict

    def concluded(self, charger: ICharger) -> None:
        """The start that this connection waited for has been published, or has failed."""
        pending = self._pending.get(charger.id)
        if pending is not None and pending.charger is charger:
            del self._pending[charger.id]
            for waiting in pending.waiting:
                waiting.callback(None)

    def deciding(self, charger: ICharger) -> bool:
        """Whether a start of this connection is being decided."""
        pending = self._pending.get(charger.id)
        return pending is not None and pending.charger is charger

    def ledger(self, charger: str) -> Ledger | None:
        """The ledger of a start that is being decided, since its conclusion is in no record yet."""
        pending = self._pending.get(charger)
        return None if pending is None else pending.ledger

    def with_id(self, verdict: Start, ledger: Ledger | None) -> Maybe[Start]:
        """The verdict with an id of the gateway's own when it has none, or the id of another transaction that is running."""
        given = verdict.transaction_id
        if given is not None:
            running = None if ledger is None else ledger.find(given)
            if running is None or running.end is not None:
                return verdict
            log.error("transaction id {id} given by the backend to two transactions running at once on one charger", id=given)
        verdict = msgspec.structs.replace(verdict, transaction_id=None, backend_id=given)
        id = self._ids.next()
        return msgspec.structs.replace(verdict, transaction_id=id) if isinstance(id, int) else self._leased(verdict, id)

    async def _leased(self, verdict: Start, id: Awaitable[int]) -> Start:
        return msgspec.structs.replace(verdict, transaction_id=await id)

    async def _awaited(self, later: Awaitable[Start], ledger: Ledger) -> Start:
        """The handlers' verdict has to be awaited, and then perhaps an id."""
        verdict = await later
        if not isinstance(verdict, Start):
            raise TypeError(f"{type(verdict).__name__} is no verdict on a start")
        with_id = self.with_id(verdict, ledger)
        return with_id if isinstance(with_id, Start) else await with_id

    async def _after(self, pending: PendingStart, charger: ICharger, fact: Started, ledger: Ledger) -> StartVerdict:
        """It is being decided already, on the charger's connection before this one."""
        done: Deferred[None] = Deferred()
        pending.waiting.append(done)
        await done
        verdict = self.decide(charger, fact, ledger)
        return verdict if isinstance(verdict, StartVerdict) else await verdict


def _repeated(ledger: Ledger, fact: Started, now: float) -> Start | None:
    """What the same start was answered before."""
    transaction = ledger.repeated(fact, now)
    return None if transaction is None else transaction.verdict
