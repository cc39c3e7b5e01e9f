"""For each fact, who is asked for the verdict on it: the handlers, once the charger's ledger is open where it has to be.

Knows neither frames nor payloads, nor what a verdict leads to (`ocpp_tw.core.conclude`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from ..core import transaction_events
from ..core.ledger import Ledger
from ..facts import (
    Answer,
    Authorization,
    Authorize,
    BootNotification,
    DataTransfer,
    DataTransferResult,
    Fact,
    Heartbeat,
    MeterValues,
    Other,
    Registration,
    Start,
    Started,
    StatusNotification,
    Stopped,
    Updated,
    Verdict,
)
from ..interfaces import IHandlers, IRecords, Maybe
from .charger import Charger
from .signing import Signing
from .starts import Starts
from .transaction_ids import TransactionIds

VERDICT_TYPES = frozenset({Registration, Authorization, Start, DataTransferResult, Answer, type(None)})
"""What a handler may return at once; anything else is awaited."""

F = TypeVar("F", bound=Fact)


class NoVerdict(Exception):
    """There is no verdict to answer with: the charger is answered InternalError and will retry."""


class ConnectionGone(Exception):
    """The connection closed before a handler was asked; the charger still has the message and will resend it."""


class Verdicts:
    """One for all chargers of a gateway. ``decide`` has the function for each type of fact; it takes the charger and the fact.

    ``unix`` is the time of day; ``with_backend``: a backend may have its own ids for transactions, which only the ledger knows.
    ``signing``: what chargers ask to have signed is signed here.
    """

    def __init__(
        self,
        handlers: IHandlers,
        records: IRecords,
        ids: TransactionIds,
        unix: Callable[[], float],
        *,
        with_backend: bool,
        signing: Signing | None = None,
    ) -> None:
        self._handlers = handlers
        self._records = records
        self._with_backend = with_backend
        self._opening: dict[str, list[Deferred[Ledger]]] = {}
        self._starts = Starts(handlers, ids, unix)
        self.decide: dict[type[Fact], Callable[[Charger, Any], Maybe[Verdict]]] = {
            BootNotification: handlers.boot_notification,
            Heartbeat: handlers.heartbeat,
            Authorize: handlers.authorize,
            StatusNotification: handlers.status_notification,
            Started: self._with_ledger(self._started),
            Updated: self._with_ledger(self._updated),
            Stopped: self._with_ledger(self._stopped),
            MeterValues: self._meter_values,
            DataTransfer: handlers.data_transfer,
            Other: handlers.other if signing is None else partial(self._signed, signing),
        }

    def without_handler(self, charger: Charger, fact: Fact) -> Maybe[Verdict]:
        """The verdict when the handler has failed: a transaction goes on (OCPP 1.6 §4.8: the answer must come), the rest has none.

        Raises:
            NoVerdict: the charger has to be answered InternalError.
        """
        if isinstance(fact, Started):
            provisional = Start(provisional=True)
            return provisional if fact.event_info else self._starts.with_id(provisional, charger.ledger)
        if isinstance(fact, BootNotification | Authorize | DataTransfer):
            raise NoVerdict
        return Answer() if isinstance(fact, Other) else None

    def concluded(self, charger: Charger) -> None:
        """A fact of this charger's that had to be awaited has been published, or has failed."""
        self._starts.concluded(charger)

    def deciding(self, charger: Charger) -> bool:
        """Whether a start of this connection is held, so that its repeat on another waits for it."""
        return self._starts.deciding(charger)

    async def ledger(self, charger: Charger) -> Ledger:
        """The charger's ledger, opened when it is first needed: most connections never need it.

        It is the one of an earlier connection if a start is still being decided there, since its conclusion is in no record yet.
        """
        if charger.ledger is None:
            ledger = self._starts.ledger(charger.id) or await self._opened(charger.id)
            if charger.ledger is None:  # it was not opened meanwhile
                charger.ledger = ledger
        return charger.ledger

    async def _opened(self, id: str) -> Ledger:
        """The charger's ledger, one for all of its connections that wait for it: what one of them enters the others must find."""
        if id in self._opening:
            waiting: Deferred[Ledger] = Deferred()
            self._opening[id].append(waiting)
            return await waiting
        self._opening[id] = []
        try:
            ledger = Ledger(await self._records.transactions(id))
        except BaseException as why:
            for waiting in self._opening.pop(id):
                waiting.errback(why)
            raise
        for waiting in self._opening.pop(id):
            waiting.callback(ledger)
        return ledger

    def _with_ledger(self, decide: Callable[[Charger, F, Ledger], Maybe[Verdict]]) -> Callable[[Charger, F], Maybe[Verdict]]:
        """Decide once the ledger is open, which it nearly always is."""

        async def later(charger: Charger, fact: F) -> Verdict:
            ledger = await self.ledger(charger)
            if charger.gone:
                raise ConnectionGone
            verdict = decide(charger, fact, ledger)
            return verdict if isinstance(verdict, Verdict) else await verdict

        def now(charger: Charger, fact: F) -> Maybe[Verdict]:
            return later(charger, fact) if charger.ledger is None else decide(charger, fact, charger.ledger)

        return now

    def _started(self, charger: Charger, fact: Started, ledger: Ledger) -> Maybe[Verdict]:
        return self._starts.decide(charger, fact, ledger)

    def _updated(self, charger: Charger, fact: Updated, ledger: Ledger) -> Maybe[Verdict]:
        return transaction_events.repeated(ledger, fact) or self._handlers.updated(charger, fact)

    def _stopped(self, charger: Charger, fact: Stopped, ledger: Ledger) -> Maybe[Verdict]:
        return transaction_events.repeated(ledger, fact) or self._handlers.stopped(charger, fact)

    def _meter_values(self, charger: Charger, fact: MeterValues) -> Maybe[Verdict]:
        # only the ledger knows the backend's id of a transaction that began without the backend
        if charger.ledger is None and fact.transaction_id is not None and self._with_backend:
            return self._meter_values_later(charger, fact)
        return self._handlers.meter_values(charger, fact)

    def _signed(self, signing: Signing, charger: Charger, fact: Other) -> Maybe[Verdict]:
        return signing.decide(charger, fact) if signing.takes(fact) else self._handlers.other(charger, fact)

    async def _meter_values_later(self, charger: Charger, fact: MeterValues) -> None:
        await self.ledger(charger)
        verdict = self._handlers.meter_values(charger, fact)
        if verdict is not None:
            await verdict
