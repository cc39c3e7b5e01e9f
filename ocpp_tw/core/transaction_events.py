"""What a TransactionEvent of 2.x comes to: its place among the messages of its transaction, and the events to publish.

Knows neither payloads nor handlers. Messages are ordered by seqNo, not by when they arrive (2.0.1 part 2 §E 1.3.2).
"""

from __future__ import annotations

from typing import Any, Protocol

from ..facts import Authorization, Start, Started, Stopped, TransactionEventInfo, Updated, Value
from ..ocpp.meter_values import energy, values_of
from . import charger_events, gateway_events
from .conclusion import Conclusion, Events
from .event import Data
from .ledger import Ledger
from .transaction import Transaction, count, named


class Charger(Protocol):
    """What has to be known of the charger; its ledger is open."""

    id: str
    ledger: Ledger | None


def repeated(ledger: Ledger, fact: Started | Updated | Stopped) -> Authorization | None:
    """What a repeat of this message is answered: what was said of its own token before.

    None when the message is new, or when that is not known: then the handlers are asked, for a repeat too, of which nothing is published.
    """
    transaction, info = ledger.find(fact.transaction_id or ""), fact.event_info
    if transaction is None or info is None or not transaction.repeats(info.seq_no, info.digest, fact.timestamp):
        return None
    return transaction.verdict_on(fact.tag or "", info.tag_type)


def started(charger: Charger, fact: Started, verdict: Start | Authorization) -> Conclusion:
    """The first message of a transaction, though others may have arrived before it.

    A start of another time, tag or reading than the one before under the same id begins another transaction: the charger has lost its memory.
    """
    info = fact.event_info
    assert info is not None and fact.transaction_id is not None and charger.ledger is not None
    transaction = charger.ledger.enter(fact.transaction_id)
    if transaction.repeats(info.seq_no, info.digest, fact.timestamp):
        return Conclusion(verdict, ())
    conflict = transaction.has_begun or transaction.conflicts(info.seq_no)
    is_another = transaction.has_begun and not transaction.began_as(fact.timestamp, fact.tag, fact.meter_start)
    if is_another:
        transaction = charger.ledger.renew(fact.transaction_id)
    start = verdict if isinstance(verdict, Start) else Start(verdict)
    transaction.started, transaction.tag = fact.timestamp or "", fact.tag or transaction.tag
    transaction.note_verdict(fact.tag, info.tag_type, start.authorization)
    transaction.backend_id, transaction.provisional, transaction.begun = start.transaction_id, start.provisional, info.digest
    if fact.meter_start is not None:
        transaction.meter_start = fact.meter_start
    further, gap, looked_at = _enter(charger.id, transaction, info, fact, conflict and not is_another)
    data = charger_events.StartTransaction(
        charger.id, transaction.conn, fact.tag, fact.meter_start, fact.transaction_id, fact.timestamp, fact.reservation_id,
        start.authorization.status, **_members(info, transaction),
    )  # fmt: skip
    return Conclusion(
        start,
        (("start_transaction", data), *further),
        charger.ledger.kept(transaction),
        provisional=start.provisional,
        offline=info.offline,
        gap=gap,
        conflict=conflict,
        looked_at=looked_at,
    )


def updated(charger: Charger, fact: Updated, verdict: Authorization | None) -> Conclusion:
    """A message in the middle of a transaction."""
    assert charger.ledger is not None
    info, transaction = fact.event_info, charger.ledger.enter(fact.transaction_id)
    if transaction.repeats(info.seq_no, info.digest, fact.timestamp):
        return Conclusion(verdict, ())
    conflict = transaction.conflicts(info.seq_no)
    if verdict is not None:
        transaction.note_verdict(fact.tag or "", info.tag_type, verdict)
        transaction.tag = transaction.tag or fact.tag or ""
    further, gap, looked_at = _enter(charger.id, transaction, info, fact, conflict)
    status = None if verdict is None or fact.tag is None else verdict.status
    data = charger_events.TransactionUpdate(
        charger.id, transaction.conn, fact.transaction_id, fact.timestamp, fact.tag, status,
        connector=info.connector, seq_no=info.seq_no, trigger=info.trigger, charging_state=info.charging_state,
        tag_type=info.tag_type or None, remote_start_id=info.remote_start_id, backend_id=transaction.backend_id,
    )  # fmt: skip
    published = (("transaction_update", data), *further)
    return Conclusion(
        verdict, published, charger.ledger.kept(transaction), offline=info.offline, gap=gap, conflict=conflict, looked_at=looked_at
    )


def stopped(charger: Charger, fact: Stopped, verdict: Authorization | None, now: float = 0.0) -> Conclusion:
    """The last message of a transaction, though others may arrive after it; ``now`` is Unix time."""
    assert fact.event_info is not None and isinstance(fact.transaction_id, str) and charger.ledger is not None
    info, transaction = fact.event_info, charger.ledger.enter(fact.transaction_id)
    if transaction.repeats(info.seq_no, info.digest, fact.timestamp):
        return Conclusion(verdict, ())
    conflict = transaction.conflicts(info.seq_no)
    if verdict is not None:
        transaction.note_verdict(fact.tag or "", info.tag_type, verdict)
    further, gap, looked_at = _enter(charger.id, transaction, info, fact, conflict)
    closing = charger.ledger.end(transaction, fact, now)
    if transaction.ended is None:
        transaction.ended = info.digest
    data = charger_events.StopTransaction(
        charger.id, fact.transaction_id, fact.reason, fact.meter_stop, fact.tag, fact.timestamp, closing.energy_wh, closing.duration_s,
        closing.match, fact.transaction_id if closing.match == "exact" else None, named(transaction.gaps) or None,
        **_members(info, transaction),
    )  # fmt: skip
    return Conclusion(
        verdict,
        (*further, ("stop_transaction", data)),
        charger.ledger.kept(transaction),
        duplicate=closing.duplicate,
        offline=info.offline,
        gap=gap,
        conflict=conflict,
        looked_at=looked_at,
    )


def _enter(
    charger: str, transaction: Transaction, info: TransactionEventInfo, fact: Started | Updated | Stopped, conflict: bool
) -> tuple[Events, str | None, list[Value]]:
    """Enter the message into its transaction: further events that it leads to, the transaction if messages of it are missing, and the values in it that the
    gateway itself looks at."""
    transaction.conn = info.conn or transaction.conn
    transaction.renumbered = transaction.renumbered or conflict
    published: list[tuple[str, Data]] = []
    looked_at: list[Value] = []
    if fact.raw:
        values = values_of(fact)
        looked_at = values.looked_at
        meter_value = charger_events.MeterValue(charger, transaction.conn, transaction.id, fact.raw, values.all, transaction.backend_id)
        published.append(("meter_value", meter_value))
        begin = [value for value in looked_at if value.context == "Transaction.Begin"]
        later = [value for value in looked_at if value.context != "Transaction.Begin"] if begin else looked_at
        transaction.note_meter(info.seq_no, fact.timestamp, energy(later))
        if begin and transaction.meter_start is None:  # plugged in first: energy flows, and is counted, later
            transaction.meter_start = energy(begin)
    gap = transaction.note(info.seq_no, info.digest)
    if gap is None:
        return tuple(published), None, looked_at
    published.append(("seq_gap", gateway_events.SeqGap(charger, str(transaction.id), named([gap]), count([gap]))))
    return tuple(published), str(transaction.id), looked_at


def _members(info: TransactionEventInfo, transaction: Transaction) -> dict[str, Any]:
    """The members of `charger_events.OfTransaction`; `updated`, of which there are most, has them by name, which takes half of the time."""
    return {
        "connector": info.connector,
        "seq_no": info.seq_no,
        "trigger": info.trigger,
        "charging_state": info.charging_state,
        "tag_type": info.tag_type or None,
        "remote_start_id": info.remote_start_id,
        "backend_id": transaction.backend_id,
    }
