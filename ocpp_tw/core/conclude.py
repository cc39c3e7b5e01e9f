"""What a fact and the verdict on it come to: the answer's verdict, the events to publish, and the effects that go with them.

Knows neither handlers nor frames. A fact of OCPP 1.6 and one of 2.x are the same here, but for transactions (`transaction_events`).
"""

from __future__ import annotations

from collections.abc import Callable
from time import gmtime, strftime
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from ..concealed import concealed
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
)
from ..ocpp.actions import snake_case
from ..ocpp.meter_values import energy, values_of
from ..settings import Settings
from . import charger_events, history, transaction_events
from .conclusion import Conclusion
from .entries import Put
from .event import Data
from .ledger import Ledger
from .provisional import keep_provisional
from .registration import RegistrationState
from .transaction import Transaction


class Charger(Protocol):
    """What is known of a charger on its connection, and changed by what it reports."""

    id: str
    domain: str
    ocpp: str
    ledger: Ledger | None
    model: tuple[str | None, str | None, str | None]
    """Vendor, model and firmware."""
    serial: str
    """The serial number that it has reported, "" if none."""
    interval: int
    """Seconds between heartbeats, or between attempts to register; 0 until a BootNotification was answered."""
    reported_time: tuple[str, float] | None
    """The latest time that the charger reported as now, and when that was in seconds of the reactor's clock."""

    @property
    def registration_state(self) -> RegistrationState: ...


def is_2x(charger: Charger) -> bool:
    """Whether its events have what only 2.x knows."""
    return charger.ocpp.startswith("2")


Conclude = Callable[[Any, Any, Any], Conclusion]

encode = msgspec.json.Encoder().encode
"""Raises for a verdict that no event can contain, before the ledger is changed: what is entered there counts as published."""


class Conclusions:
    """One for all chargers of a gateway. ``seconds`` is the reactor's clock, ``unix`` the time of day.

    ``of`` has the function for each type of fact; it takes the charger, the fact and the verdict.
    """

    def __init__(self, settings: Settings, seconds: Callable[[], float], unix: Callable[[], float]) -> None:
        self._settings = settings
        self._seconds = seconds
        self._unix = unix
        self.of: dict[type[Fact], Conclude] = {
            BootNotification: _boot_notification,
            Heartbeat: _heartbeat,
            Authorize: _authorize,
            StatusNotification: self._status_notification,
            Started: self._started,
            Updated: _updated,
            Stopped: self._stopped,
            MeterValues: _meter_values,
            DataTransfer: _data_transfer,
            Other: _other,
        }

    def _status_notification(self, charger: Charger, fact: StatusNotification, verdict: None) -> Conclusion:
        if fact.timestamp:
            charger.reported_time = fact.timestamp, self._seconds()
        data = charger_events.ChangeConnectorStatus(
            charger.id, fact.conn, fact.status, fact.error_code, fact.info, fact.vendor_error_code, fact.timestamp
        )
        if is_2x(charger):
            data.evse, data.connector = fact.conn, fact.connector
        return Conclusion(verdict, (("change_connector_status", data),))

    def _started(self, charger: Charger, fact: Started, verdict: Start | Authorization) -> Conclusion:
        encode(verdict)
        ledger = charger.ledger = charger.ledger or Ledger()
        if fact.event_info is not None:
            conclusion = transaction_events.started(charger, fact, verdict)
        elif ledger.repeated(fact, self._unix()) is not None:
            conclusion = Conclusion(verdict, ())
        else:
            assert isinstance(verdict, Start) and verdict.transaction_id is not None
            data = charger_events.StartTransaction(
                charger.id, fact.conn, fact.tag, fact.meter_start, verdict.transaction_id, fact.timestamp, fact.reservation_id,
                verdict.authorization.status, backend_id=verdict.backend_id,
            )  # fmt: skip
            effects = ledger.begin(fact, verdict)
            conclusion = Conclusion(verdict, (("start_transaction", data),), effects, provisional=verdict.provisional)
        if conclusion.events and not conclusion.offline and fact.timestamp:
            charger.reported_time = fact.timestamp, self._seconds()
        if conclusion.provisional and isinstance(verdict, Start):
            kept = keep_provisional(self._settings, charger.id, charger.domain, charger.ocpp, fact, verdict, self._unix())
            return msgspec.structs.replace(conclusion, effects=(*conclusion.effects, *kept))
        return conclusion

    def _stopped(self, charger: Charger, fact: Stopped, verdict: Authorization | None) -> Conclusion:
        encode(verdict)
        ledger = charger.ledger = charger.ledger or Ledger()
        if fact.event_info is not None:
            conclusion = transaction_events.stopped(charger, fact, verdict, self._unix())
            return self._recorded(charger, fact, conclusion, ledger.find(fact.transaction_id))
        closing = ledger.close(fact, self._unix())
        if closing.repeat:
            return Conclusion(verdict, ())
        transaction = closing.matched
        data = charger_events.StopTransaction(
            charger.id,
            fact.transaction_id,
            fact.reason,
            fact.meter_stop,
            fact.tag,
            fact.timestamp,
            closing.energy_wh,
            closing.duration_s,
            closing.match,
            matched_id=transaction.id if transaction else None,
            backend_id=transaction.backend_id if transaction else None,
        )
        published: tuple[tuple[str, Data], ...] = (("stop_transaction", data),)
        values = values_of(fact)
        if fact.readings:
            conn = transaction.conn if transaction else 0
            readings = charger_events.MeterValue(charger.id, conn, fact.transaction_id, fact.readings, values.all, data.backend_id)
            published = (("meter_value", readings), *published)
        conclusion = Conclusion(verdict, published, closing.effects, duplicate=closing.duplicate, looked_at=values.looked_at)
        return self._recorded(charger, fact, conclusion, transaction)

    def _recorded(self, charger: Charger, fact: Stopped, conclusion: Conclusion, transaction: Transaction | None) -> Conclusion:
        """With what is kept of an end that is told for the first time."""
        if not conclusion.events or conclusion.duplicate:
            return conclusion
        data = next(data for _, data in conclusion.events if isinstance(data, charger_events.StopTransaction))
        time = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(self._unix()))
        row = history.ended(data, transaction, fact, time, self._settings.name, charger.ocpp)
        return msgspec.structs.replace(conclusion, effects=(*conclusion.effects, row))


def _boot_notification(charger: Charger, fact: BootNotification, verdict: Registration) -> Conclusion:
    charger.interval, effects = verdict.interval, []
    if charger.registration_state.answered(verdict.status):
        effects.append(Put("record", "boot", verdict.status.encode()))
    vendor, model, firmware, serial = map(concealed, (fact.vendor, fact.model, fact.firmware, fact.serial or ""))
    reported = (vendor or None, model or None, firmware or None)  # they are kept, and shown to whoever may read
    if charger.model != reported:
        charger.model = reported
        effects += [
            Put("record", name, (text or "").encode()) for name, text in zip(("vendor", "model", "firmware"), reported, strict=True)
        ]
    if charger.serial != serial:
        charger.serial = serial
        effects.append(Put("record", "serial", charger.serial.encode()))
    data = charger_events.BootNotification(charger.id, fact.vendor, fact.model, fact.serial, fact.firmware, verdict.status)
    return Conclusion(verdict, (("boot_notification", data),), tuple(effects))


def _heartbeat(charger: Charger, fact: Heartbeat, verdict: None) -> Conclusion:
    return Conclusion(verdict, (("health", charger_events.Health(charger.id)),))


def _authorize(charger: Charger, fact: Authorize, verdict: Authorization) -> Conclusion:
    tag_type = (fact.tag_type or None) if is_2x(charger) else UNSET
    return Conclusion(verdict, (("authorize", charger_events.Authorize(charger.id, fact.tag, verdict.status, tag_type)),))


def _updated(charger: Charger, fact: Updated, verdict: Authorization | None) -> Conclusion:
    if verdict is not None:
        encode(verdict)
    return transaction_events.updated(charger, fact, verdict)


def _meter_values(charger: Charger, fact: MeterValues, verdict: None) -> Conclusion:
    values, backend_id = values_of(fact), None
    if charger.ledger is not None and fact.transaction_id is not None:
        transaction = charger.ledger.find(fact.transaction_id)
        if transaction is not None:
            backend_id = transaction.backend_id
            wh = energy(values.looked_at)
            if wh is not None:
                transaction.meter = wh  # not stored: after a restart the next reading soon arrives
    # 0, not null, outside a transaction: the field is a number to backends that have it in a typed model
    data = charger_events.MeterValue(charger.id, fact.conn, fact.transaction_id or 0, fact.raw, values.all, backend_id)
    return Conclusion(verdict, (("meter_value", data),), looked_at=values.looked_at)


def _data_transfer(charger: Charger, fact: DataTransfer, verdict: DataTransferResult) -> Conclusion:
    data = charger_events.DataTransfer(
        charger.id, fact.vendor_id, fact.message_id, fact.data, verdict.status, fact.vendor_id, fact.message_id or ""
    )
    return Conclusion(verdict, (("data_transfer", data),))


_event_names: dict[str, str] = {}


def _other(charger: Charger, fact: Other, verdict: Answer) -> Conclusion:
    name = _event_names.get(fact.action)
    if name is None:
        name = _event_names[fact.action] = snake_case(fact.action)  # bounded: only actions of a version get here
    return Conclusion(verdict, ((name, Data(charger.id)),))
