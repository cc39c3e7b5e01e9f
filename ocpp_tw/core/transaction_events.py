"""What a TransactionEvent of 2.x comes to: its place among the others of its transaction, and what is told of it.

Knows neither payloads nor handlers. Messages are ordered by seqNo, not by when they arrive (2.0.1 part 2 §E 1.3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..facts import Authorization, Readings, Start, Started, Stopped, TransactionEventInfo, Updated
from ..ocpp.meter_values import energy, normalise
from . import events
from .conclusions import Conclusion, Events
from .ledger import Ledger, Transaction

if TYPE_CHECKING:
    from ..gateway.charger import Charger


def known(ledger: Ledger, fact: Started | Updated | Stopped) -> Authorization | None:
    """What a repeat of this message is answered; None when it is new, or has no tag to answer for."""
    transaction = ledger.find(fact.transaction_id or "")
    step = fact.event_info
    if transaction is None or step is None or not transaction.has(step.seq_no):
        return None
    return transaction.authorization


def started(charger: Charger, fact: Started, verdict: Start | Authorization) -> Conclusion:
    """The first message of a transaction, though others may have come before it."""
    step = fact.event_info
    assert step is not None and fact.transaction_id is not None and charger.ledger is not None
    transaction = charger.ledger.enter(fact.transaction_id)
    if transaction.has(step.seq_no):
        return Conclusion(verdict, ())
    start = verdict if isinstance(verdict, Start) else Start(verdict)
    transaction.started, transaction.tag, transaction.authorization = fact.timestamp, fact.tag, start.authorization
    transaction.backend_id, transaction.provisional = start.transaction_id, start.provisional
    if fact.meter_start is not None:
        transaction.meter_start = fact.meter_start
    after = _go_on(charger, transaction, step, fact.readings)
    data = events.StartTransaction(
        charger.id, transaction.conn, fact.tag, fact.meter_start, fact.transaction_id, fact.timestamp, fact.reservation_id,
        start.authorization.status, **_told(step, transaction),
    )  # fmt: skip
    told = (("start_transaction", data), *after)
    return Conclusion(start, told, charger.ledger.kept(transaction), provisional=start.provisional, offline=step.offline)


def updated(charger: Charger, fact: Updated, verdict: Authorization | None) -> Conclusion:
    """A message in the middle of it."""
    assert charger.ledger is not None
    step, transaction = fact.event_info, charger.ledger.enter(fact.transaction_id)
    if transaction.has(step.seq_no):
        return Conclusion(verdict, ())
    if verdict is not None:
        transaction.authorization = verdict
        transaction.tag = transaction.tag or fact.tag or ""
    after = _go_on(charger, transaction, step, fact.readings)
    data = events.TransactionUpdate(
        charger.id, transaction.conn, fact.transaction_id, fact.timestamp, fact.tag, verdict.status if verdict and fact.tag else None,
        **_told(step, transaction),
    )  # fmt: skip
    return Conclusion(verdict, (("transaction_update", data), *after), charger.ledger.kept(transaction), offline=step.offline)


def stopped(charger: Charger, fact: Stopped, verdict: Authorization | None) -> Conclusion:
    """The last message of it, though others may come after it."""
    assert fact.event_info is not None and isinstance(fact.transaction_id, str) and charger.ledger is not None
    step, transaction = fact.event_info, charger.ledger.enter(fact.transaction_id)
    if transaction.has(step.seq_no):
        return Conclusion(verdict, ())
    before = _go_on(charger, transaction, step, fact.readings)
    closing = charger.ledger.end(transaction, fact)
    data = events.StopTransaction(
        charger.id, fact.transaction_id, fact.reason, fact.meter_stop, fact.tag, fact.timestamp, closing.energy_wh, closing.duration_s,
        closing.match, transaction.missing or None, **_told(step, transaction),
    )  # fmt: skip
    effects = charger.ledger.kept(transaction)
    return Conclusion(verdict, (*before, ("stop_transaction", data)), effects, duplicate=closing.duplicate, offline=step.offline)


def _go_on(charger: Charger, transaction: Transaction, step: TransactionEventInfo, readings: Readings) -> Events:
    """Take the message into its transaction; what else is to be told: its readings, and a gap that it shows."""
    transaction.conn = step.conn or transaction.conn
    told: list[tuple[str, events.Data]] = []
    if readings:
        values = normalise(readings)
        told.append(
            ("meter_value", events.MeterValue(charger.id, transaction.conn, transaction.id, readings, values, transaction.backend_id))
        )
        wh = energy(values)
        transaction.meter = transaction.meter if wh is None else wh
        if transaction.meter_start is None:  # plugged in first: the energy flows, and is counted, later
            transaction.meter_start = energy([value for value in values if value.context == "Transaction.Begin"])
    gap = transaction.note(step.seq_no)
    if gap:
        told.append(("seq_gap", events.SeqGap(charger.id, str(transaction.id), gap)))
        charger.outgoing.ask_status_of(str(transaction.id))
    return tuple(told)


def _told(step: TransactionEventInfo, transaction: Transaction) -> dict[str, Any]:
    return {
        "connector": step.connector,
        "seq_no": step.seq_no,
        "trigger": step.trigger,
        "charging_state": step.charging_state,
        "tag_type": step.tag_type or None,
        "remote_start_id": step.remote_start_id,
        "backend_id": transaction.backend_id,
    }
