"""What each fact comes to: the handler is asked for its verdict, and the verdict told to the backend.

Knows neither frames nor payloads; a fact of OCPP 1.6 and one of 2.x are the same here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from . import events, steps
from .facts import (
    Answer,
    Authorisation,
    Beat,
    Booted,
    Fact,
    Metered,
    Other,
    Presented,
    Registration,
    Start,
    Started,
    Status,
    Stopped,
    Transfer,
    Transferred,
    Updated,
    Verdict,
)
from .ids import TransactionIds
from .interfaces import IHandlers, IRecords, Maybe
from .meter import energy, normalise
from .served import Served
from .store import Keep
from .transactions import Ledger

if TYPE_CHECKING:
    from .charger import Charger

VERDICTS = frozenset({Registration, Authorisation, Start, Transferred, Answer, type(None)})
"""What a handler may return at once; anything else is awaited."""


F = TypeVar("F", bound=Fact)


class NoAnswer(Exception):
    """There is no verdict to answer with: the charger is told InternalError and will ask again."""


class Desk:
    """One for all the chargers of a gateway: for each fact a way to `ask` for the verdict and to `tell` of it."""

    def __init__(self, handlers: IHandlers, records: IRecords, ids: TransactionIds) -> None:
        self._handlers = handlers
        self._records = records
        self._ids = ids
        self.ask: dict[type, Callable[[Charger, Any], Maybe[Verdict]]] = {
            Booted: handlers.booted,
            Beat: handlers.beat,
            Presented: handlers.presented,
            Status: handlers.status,
            Started: self._with_ledger(self._ask_started),
            Updated: self._with_ledger(self._ask_updated),
            Stopped: self._with_ledger(self._ask_stopped),
            Metered: handlers.metered,
            Transfer: handlers.transfer,
            Other: handlers.other,
        }
        self.tell: dict[type, Callable[[Charger, Any, Any], Served]] = {
            Booted: _booted,
            Beat: lambda charger, fact, verdict: Served(verdict, (("health", events.Health(charger.id)),)),
            Presented: _presented,
            Status: _status,
            Started: _started,
            Updated: steps.updated,
            Stopped: _stopped,
            Metered: _metered,
            Transfer: _transfer,
            Other: _other,
        }

    def without(self, charger: Charger, fact: Fact) -> Maybe[Verdict]:
        """The verdict when the handler has failed: a transaction goes on (OCPP 1.6 §4.8: the answer must come), the rest has none.

        Raises:
            NoAnswer: the charger has to be told that we failed.
        """
        if isinstance(fact, Started):
            provisional = Start(provisional=True)
            return provisional if fact.step else self._with_id(provisional)
        if isinstance(fact, Booted | Presented | Transfer):
            raise NoAnswer
        return Answer() if isinstance(fact, Other) else None

    async def ledger(self, charger: Charger) -> Ledger:
        """The charger's ledger, opened when it is first needed: most connections never need it."""
        if charger.ledger is None:
            ledger = Ledger(await self._records.transactions(charger.id))
            if charger.ledger is None:  # nobody else has opened it meanwhile
                charger.ledger = ledger
        return charger.ledger

    def _with_ledger(self, ask: Callable[[Charger, F, Ledger], Maybe[Verdict]]) -> Callable[[Charger, F], Maybe[Verdict]]:
        """Ask when the ledger is open; it nearly always is."""

        async def later(charger: Charger, fact: F) -> Verdict:
            verdict = ask(charger, fact, await self.ledger(charger))
            return verdict if isinstance(verdict, Verdict) else await verdict

        def now(charger: Charger, fact: F) -> Maybe[Verdict]:
            return later(charger, fact) if charger.ledger is None else ask(charger, fact, charger.ledger)

        return now

    def _ask_started(self, charger: Charger, fact: Started, ledger: Ledger) -> Maybe[Verdict]:
        if fact.step is not None:
            return steps.known(ledger, fact) or self._handlers.started(charger, fact)
        known = ledger.repeated(fact)
        if known is not None:
            return known.verdict
        verdict = self._handlers.started(charger, fact)
        return self._with_id(verdict) if isinstance(verdict, Start) else self._await_id(verdict)

    def _ask_updated(self, charger: Charger, fact: Updated, ledger: Ledger) -> Maybe[Verdict]:
        return steps.known(ledger, fact) or self._handlers.updated(charger, fact)

    def _ask_stopped(self, charger: Charger, fact: Stopped, ledger: Ledger) -> Maybe[Verdict]:
        return steps.known(ledger, fact) or self._handlers.stopped(charger, fact)

    def _with_id(self, verdict: Start) -> Maybe[Start]:
        if verdict.transaction_id is not None:
            return verdict
        id = self._ids.next()
        return Start(verdict.authorisation, id, verdict.provisional) if isinstance(id, int) else self._await_id(verdict)

    async def _await_id(self, verdict: Maybe[Start]) -> Start:
        """The slow way: the handler takes its time, or the next lease of ids does."""
        decided = verdict if isinstance(verdict, Start) else await verdict
        if not isinstance(decided, Start):
            raise TypeError(f"{decided!r} is no verdict on a start")
        if decided.transaction_id is not None:
            return decided
        id = self._ids.next()
        return Start(decided.authorisation, id if isinstance(id, int) else await id, decided.provisional)


def _booted(charger: Charger, fact: Booted, verdict: Registration) -> Served:
    effects = []
    if charger.registration != verdict.status:
        charger.registration = verdict.status
        effects.append(Keep("record", "boot", verdict.status.encode()))
    told = (fact.vendor or None, fact.model or None, fact.firmware or None)
    if charger.model != told:
        charger.model = told
        effects += [Keep("record", name, (said or "").encode()) for name, said in zip(("vendor", "model", "firmware"), told, strict=True)]
    data = events.BootNotification(charger.id, fact.vendor, fact.model, fact.serial, fact.firmware, verdict.status)
    return Served(verdict, (("boot_notification", data),), tuple(effects))


def _presented(charger: Charger, fact: Presented, verdict: Authorisation) -> Served:
    return Served(verdict, (("authorize", events.Authorize(charger.id, fact.tag, verdict.status, fact.kind or None)),))


def _status(charger: Charger, fact: Status, verdict: None) -> Served:
    evse = None if fact.connector is None else fact.conn
    data = events.ChangeConnectorStatus(
        charger.id, fact.conn, fact.status, fact.error_code, fact.info, fact.vendor_error_code, fact.timestamp, evse, fact.connector
    )
    return Served(verdict, (("change_connector_status", data),))


def _started(charger: Charger, fact: Started, verdict: Start) -> Served:
    ledger = charger.ledger = charger.ledger or Ledger()
    if fact.step is not None:
        return steps.started(charger, fact, verdict)
    if ledger.repeated(fact) is not None:
        return Served(verdict, ())
    assert verdict.transaction_id is not None
    data = events.StartTransaction(
        charger.id,
        fact.conn,
        fact.tag,
        fact.meter_start,
        verdict.transaction_id,
        fact.timestamp,
        fact.reservation_id,
        verdict.authorisation.status,
    )
    return Served(verdict, (("start_transaction", data),), ledger.begin(fact, verdict), provisional=verdict.provisional)


def _stopped(charger: Charger, fact: Stopped, verdict: Authorisation | None) -> Served:
    ledger = charger.ledger = charger.ledger or Ledger()
    if fact.step is not None:
        return steps.stopped(charger, fact, verdict)
    known = ledger.find(fact.transaction_id)
    closing = ledger.close(fact)
    if closing.repeat:
        return Served(verdict, ())
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
    )
    told: tuple[tuple[str, events.Data], ...] = (("stop_transaction", data),)
    if fact.readings:
        values = normalise(fact.readings)
        metered = events.MeterValue(charger.id, known.conn if known else 0, fact.transaction_id, fact.readings, values)
        told = (("meter_value", metered), *told)
    return Served(verdict, told, closing.effects, duplicate=closing.duplicate)


def _metered(charger: Charger, fact: Metered, verdict: None) -> Served:
    values = normalise(fact.said) if fact.values is None else fact.values
    if charger.ledger is not None and fact.transaction_id is not None:
        wh = energy(values)
        if wh is not None:
            charger.ledger.meter(fact.transaction_id, wh)
    # 0, not null, outside a transaction: the field is a number to backends that have it in a typed model
    return Served(verdict, (("meter_value", events.MeterValue(charger.id, fact.conn, fact.transaction_id or 0, fact.said, values)),))


def _transfer(charger: Charger, fact: Transfer, verdict: Transferred) -> Served:
    data = events.DataTransfer(
        charger.id, fact.vendor_id, fact.message_id, fact.data, verdict.status, fact.vendor_id, fact.message_id or ""
    )
    return Served(verdict, (("data_transfer", data),))


def _other(charger: Charger, fact: Other, verdict: Answer) -> Served:
    return Served(verdict, ((_names.get(fact.action) or _name(fact.action), events.Data(charger.id)),))


_names: dict[str, str] = {}


def _name(action: str) -> str:
    _names[action] = events.snake_case(action)  # actions are few: a version's own
    return _names[action]
