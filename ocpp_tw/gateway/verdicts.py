"""What each fact comes to: the handler is asked for its verdict, and the verdict told to the backend.

Knows neither frames nor payloads; a fact of OCPP 1.6 and one of 2.x are the same here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred

from ..core import events, transaction_events
from ..core.conclusions import Conclusion
from ..core.entries import Put
from ..core.ledger import Ledger
from ..core.provisional import keep_provisional
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
from ..ocpp.actions import snake_case
from ..ocpp.meter_values import energy, normalise
from .starts import Starts
from .transaction_ids import TransactionIds

if TYPE_CHECKING:
    from .charger import Charger

VERDICT_TYPES = frozenset({Registration, Authorization, Start, DataTransferResult, Answer, type(None)})
"""What a handler may return at once; anything else is awaited."""


F = TypeVar("F", bound=Fact)


class NoVerdict(Exception):
    """There is no verdict to answer with: the charger is told InternalError and will ask again."""


class ConnectionGone(Exception):
    """The connection has ended before anybody was asked: the charger has its message still, and will say it again."""


class Verdicts:
    """One for all the chargers of a gateway: for each fact a way to `ask` for the verdict and to `tell` of it."""

    def __init__(self, handlers: IHandlers, records: IRecords, ids: TransactionIds) -> None:
        self._handlers = handlers
        self._records = records
        self._opening: dict[str, list[Deferred[Ledger]]] = {}
        self._starts = Starts(handlers, ids)
        self.ask: dict[type, Callable[[Charger, Any], Maybe[Verdict]]] = {
            BootNotification: handlers.boot_notification,
            Heartbeat: handlers.heartbeat,
            Authorize: handlers.authorize,
            StatusNotification: handlers.status_notification,
            Started: self._with_ledger(self._starts.ask),
            Updated: self._with_ledger(self._ask_updated),
            Stopped: self._with_ledger(self._ask_stopped),
            MeterValues: self._ask_metered,
            DataTransfer: handlers.data_transfer,
            Other: handlers.other,
        }
        self.tell: dict[type, Callable[[Charger, Any, Any], Conclusion]] = {
            BootNotification: _booted,
            Heartbeat: lambda charger, fact, verdict: Conclusion(verdict, (("health", events.Health(charger.id)),)),
            Authorize: _presented,
            StatusNotification: _status,
            **_TRANSACTIONS,
            MeterValues: _metered,
            DataTransfer: _transfer,
            Other: _other,
        }

    def overhear(self, heard: Callable[[Charger, Any, Conclusion], None] | None) -> None:
        """Tell ``heard`` as well of what comes of transactions, or nobody any more: then it costs nothing."""
        for kind, tell in _TRANSACTIONS.items():
            self.tell[kind] = tell if heard is None else _overheard(tell, heard)

    def without(self, charger: Charger, fact: Fact) -> Maybe[Verdict]:
        """The verdict when the handler has failed: a transaction goes on (OCPP 1.6 §4.8: the answer must come), the rest has none.

        Raises:
            NoAnswer: the charger has to be told that we failed.
        """
        if isinstance(fact, Started):
            provisional = Start(provisional=True)
            return provisional if fact.event_info else self._starts.with_id(provisional, charger.ledger)
        if isinstance(fact, BootNotification | Authorize | DataTransfer):
            raise NoVerdict
        return Answer() if isinstance(fact, Other) else None

    async def ledger(self, charger: Charger) -> Ledger:
        """The charger's ledger, opened when it is first needed: most connections never need it.

        It is the one of an earlier connection if a start of that is still being decided on: what that comes to is in no record yet.
        """
        if charger.ledger is None:
            ledger = self._starts.ledger(charger.id) or await self._opened(charger.id)
            if charger.ledger is None:  # nobody else has opened it meanwhile
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
            for each in self._opening.pop(id):
                each.errback(why)
            raise
        for each in self._opening.pop(id):
            each.callback(ledger)
        return ledger

    def _with_ledger(self, ask: Callable[[Charger, F, Ledger], Maybe[Verdict]]) -> Callable[[Charger, F], Maybe[Verdict]]:
        """Ask when the ledger is open; it nearly always is."""

        async def later(charger: Charger, fact: F) -> Verdict:
            ledger = await self.ledger(charger)
            if charger.gone:
                raise ConnectionGone
            verdict = ask(charger, fact, ledger)
            return verdict if isinstance(verdict, Verdict) else await verdict

        def now(charger: Charger, fact: F) -> Maybe[Verdict]:
            return later(charger, fact) if charger.ledger is None else ask(charger, fact, charger.ledger)

        return now

    def concluded(self, charger: Charger) -> None:
        """What took its time for this charger has been published, or has failed."""
        self._starts.concluded(charger)

    def _ask_updated(self, charger: Charger, fact: Updated, ledger: Ledger) -> Maybe[Verdict]:
        return transaction_events.known(ledger, fact) or self._handlers.updated(charger, fact)

    def _ask_stopped(self, charger: Charger, fact: Stopped, ledger: Ledger) -> Maybe[Verdict]:
        return transaction_events.known(ledger, fact) or self._handlers.stopped(charger, fact)

    def _ask_metered(self, charger: Charger, fact: MeterValues) -> Maybe[Verdict]:
        # only the ledger knows what the backend calls a transaction that began without it
        if charger.ledger is None and fact.transaction_id is not None and charger.incoming.settings.base_url:
            return self._metered_later(charger, fact)
        return self._handlers.meter_values(charger, fact)

    async def _metered_later(self, charger: Charger, fact: MeterValues) -> None:
        await self.ledger(charger)
        verdict = self._handlers.meter_values(charger, fact)
        if verdict is not None:
            await verdict


def _booted(charger: Charger, fact: BootNotification, verdict: Registration) -> Conclusion:
    charger.interval, effects = verdict.interval, []
    if charger.registration != verdict.status:
        charger.registration = verdict.status
        effects.append(Put("record", "boot", verdict.status.encode()))
    told = (fact.vendor or None, fact.model or None, fact.firmware or None)
    if charger.model != told:
        charger.model = told
        effects += [Put("record", name, (said or "").encode()) for name, said in zip(("vendor", "model", "firmware"), told, strict=True)]
    data = events.BootNotification(charger.id, fact.vendor, fact.model, fact.serial, fact.firmware, verdict.status)
    return Conclusion(verdict, (("boot_notification", data),), tuple(effects))


def _presented(charger: Charger, fact: Authorize, verdict: Authorization) -> Conclusion:
    return Conclusion(verdict, (("authorize", events.Authorize(charger.id, fact.tag, verdict.status, fact.tag_type or None)),))


def _status(charger: Charger, fact: StatusNotification, verdict: None) -> Conclusion:
    if fact.timestamp:
        charger.reported_time = fact.timestamp, charger.incoming.clock.seconds()
    evse = None if fact.connector is None else fact.conn
    data = events.ChangeConnectorStatus(
        charger.id, fact.conn, fact.status, fact.error_code, fact.info, fact.vendor_error_code, fact.timestamp, evse, fact.connector
    )
    return Conclusion(verdict, (("change_connector_status", data),))


def _started(charger: Charger, fact: Started, verdict: Start) -> Conclusion:
    ledger = charger.ledger = charger.ledger or Ledger()
    if fact.event_info is not None:
        served = transaction_events.started(charger, fact, verdict)
    elif ledger.repeated(fact) is not None:
        served = Conclusion(verdict, ())
    else:
        assert verdict.transaction_id is not None
        data = events.StartTransaction(
            charger.id, fact.conn, fact.tag, fact.meter_start, verdict.transaction_id, fact.timestamp, fact.reservation_id,
            verdict.authorization.status, backend_id=verdict.backend_id,
        )  # fmt: skip
        served = Conclusion(verdict, (("start_transaction", data),), ledger.begin(fact, verdict), provisional=verdict.provisional)
    if served.events and not served.offline:
        charger.reported_time = fact.timestamp, charger.incoming.clock.seconds()
    if served.provisional:
        incoming = charger.incoming
        return msgspec.structs.replace(
            served,
            effects=(
                *served.effects,
                *keep_provisional(incoming.settings, charger.id, charger.domain, charger.ocpp, fact, verdict, incoming.unix()),
            ),
        )
    return served


def _stopped(charger: Charger, fact: Stopped, verdict: Authorization | None) -> Conclusion:
    ledger = charger.ledger = charger.ledger or Ledger()
    if fact.event_info is not None:
        return transaction_events.stopped(charger, fact, verdict)
    known = ledger.find(fact.transaction_id)
    closing = ledger.close(fact)
    if closing.repeat:
        return Conclusion(verdict, ())
    data = events.StopTransaction(
        charger.id,
        fact.transaction_id,
        fact.reason,
        fact.meter_stop,
        fact.tag,
        fact.timestamp,
        closing.energy_wh,
        closing.duration_s,
        closing.match,
        backend_id=known.backend_id if known else None,
    )
    told: tuple[tuple[str, events.Data], ...] = (("stop_transaction", data),)
    if fact.readings:
        values = normalise(fact.readings)
        metered = events.MeterValue(charger.id, known.conn if known else 0, fact.transaction_id, fact.readings, values, data.backend_id)
        told = (("meter_value", metered), *told)
    return Conclusion(verdict, told, closing.effects, duplicate=closing.duplicate)


def _metered(charger: Charger, fact: MeterValues, verdict: None) -> Conclusion:
    values, backend_id = normalise(fact.raw) if fact.values is None else fact.values, None
    if charger.ledger is not None and fact.transaction_id is not None:
        transaction = charger.ledger.find(fact.transaction_id)
        if transaction is not None:
            backend_id = transaction.backend_id
            wh = energy(values)
            if wh is not None:
                transaction.meter = wh  # not kept over a restart: the next reading is soon there
    # 0, not null, outside a transaction: the field is a number to backends that have it in a typed model
    data = events.MeterValue(charger.id, fact.conn, fact.transaction_id or 0, fact.raw, values, backend_id)
    return Conclusion(verdict, (("meter_value", data),))


def _transfer(charger: Charger, fact: DataTransfer, verdict: DataTransferResult) -> Conclusion:
    data = events.DataTransfer(
        charger.id, fact.vendor_id, fact.message_id, fact.data, verdict.status, fact.vendor_id, fact.message_id or ""
    )
    return Conclusion(verdict, (("data_transfer", data),))


def _other(charger: Charger, fact: Other, verdict: Answer) -> Conclusion:
    return Conclusion(verdict, ((_names.get(fact.action) or _name(fact.action), events.Data(charger.id)),))


_TRANSACTIONS: dict[type, Callable[[Charger, Any, Any], Conclusion]] = {
    Started: _started,
    Updated: transaction_events.updated,
    Stopped: _stopped,
}


def _overheard(
    tell: Callable[[Charger, Any, Any], Conclusion], heard: Callable[[Charger, Any, Conclusion], None]
) -> Callable[[Charger, Any, Any], Conclusion]:
    def told(charger: Charger, fact: Any, verdict: Any) -> Conclusion:
        served = tell(charger, fact, verdict)
        heard(charger, fact, served)
        return served

    return told


_names: dict[str, str] = {}


def _name(action: str) -> str:
    _names[action] = snake_case(action)  # actions are few: a version's own
    return _names[action]
