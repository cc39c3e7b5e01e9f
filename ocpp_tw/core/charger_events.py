"""The data of events about what a charger reports (docs/contract.md). Field names are part of the contract.

Knows neither where events go nor which OCPP message they come from.
"""

from __future__ import annotations

from typing import Any

from ..facts import Readings, Value
from .event import Data


class BootNotification(Data):
    """The charger has (re)started."""

    vendor: str
    """chargePointVendor; "" when it gave none"""
    model: str
    """chargePointModel; "" when it gave none"""
    serial: str | None
    """its serial number"""
    firmware: str | None
    """its firmware version"""
    status: str
    """the registration status it was given: Accepted, Pending or Rejected"""


class Health(Data):
    """A Heartbeat."""


class Authorize(Data, omit_defaults=True):
    """A tag was presented."""

    tag: str
    """the tag"""
    status: str
    """the authorization status it was given"""
    tag_type: str | None = None
    """2.x: the type of the tag, e.g. ISO14443"""


class ChangeConnectorStatus(Data, omit_defaults=True):
    """A connector's status."""

    conn: int
    """the connector, in 2.x the EVSE; 0 is the charger as a whole"""
    status: str
    """the status"""
    error_code: str | None
    """the error code, NoError included"""
    info: str | None
    """the charger's own remark"""
    vendor_error_code: str | None
    """the vendor's error code"""
    timestamp: str | None
    """when, by the charger's clock"""
    evse: int | None = None
    """2.x: the EVSE"""
    connector: int | None = None
    """2.x: the connector of the EVSE"""


class OfTransaction(Data, kw_only=True, omit_defaults=True):
    """What a TransactionEvent of 2.x says beside what it is; of it there is only ``backend_id`` in 1.6."""

    connector: int | None = None
    """2.x: the connector of the EVSE"""
    seq_no: int | None = None
    """2.x: the number of the message within its transaction; null when the charger gave none"""
    trigger: str | None = None
    """2.x: what made the charger send it"""
    charging_state: str | None = None
    """2.x: the charging state"""
    tag_type: str | None = None
    """2.x: the type of the tag, e.g. ISO14443"""
    remote_start_id: int | None = None
    """2.x: the id of the remote start that began it"""
    backend_id: int | None = None
    """the id that the backend has given the transaction, where that is not `transaction_id`"""


class StartTransaction(OfTransaction):
    """A transaction began."""

    conn: int
    """the connector, in 2.x the EVSE; 0 when it is not known yet"""
    tag: str
    """the tag; "" when nobody has presented one (yet)"""
    meter_start: int | None
    """the meter's reading at the start, in Wh; null when the charger sent none"""
    transaction_id: int | str
    """1.6: the id the transaction was given; 2.x: the charger's own"""
    timestamp: str | None
    """when it began, by the charger's clock; null when the charger gave no time"""
    reservation_id: int | None
    """the reservation it ends"""
    status: str
    """the authorization status it was given"""


class TransactionUpdate(OfTransaction):
    """2.x: something happened in a transaction."""

    conn: int
    """the EVSE; 0 when it is not known yet"""
    transaction_id: str
    """the charger's id of the transaction"""
    timestamp: str | None
    """when, by the charger's clock; null when the charger gave no time"""
    tag: str | None
    """the tag that was presented with it"""
    status: str | None
    """the authorization status the tag was given"""


class StopTransaction(OfTransaction):
    """A transaction ended."""

    transaction_id: int | str
    """the id as the charger sent it; -1 in 1.6 when its start was never delivered"""
    reason: str
    """why; Local when the charger gave none"""
    meter_stop: int | None
    """the meter's reading at the end, in Wh; null when the charger sent none"""
    tag: str | None
    """the idTag that stopped it"""
    timestamp: str | None
    """when it ended, by the charger's clock; null when the charger gave no time"""
    energy_wh: int | None
    """energy delivered, in Wh; null when the start is not known, or the meter has run backwards"""
    duration_s: int | None
    """seconds from start to stop by the charger's clock; null when either is not known"""
    match: str
    """how it was matched with a start: exact, by_connector (the charger's only open transaction), none"""
    missing: list[int] | None = None
    """2.x: the numbers of its messages that have not come yet, at most 200 of them; left out when all have"""


class MeterValue(Data, omit_defaults=True):
    """Meter values."""

    conn: int
    """the connector, in 2.x the EVSE; 0 is the charger as a whole, or not known"""
    transaction_id: int | str
    """the transaction; 0 outside of one"""
    meter_value: Readings
    """OCPP's meterValue array, as it came"""
    values: list[Value]
    """the same, flat and in canonical units"""
    backend_id: int | None = None
    """the id that the backend has given the transaction, where that is not `transaction_id`"""


class DataTransfer(Data):
    """A vendor's own message."""

    vendor_id: str
    """the vendor"""
    message_id: str | None
    """the vendor's name for the message"""
    data: Any
    """what it carries"""
    status: str
    """the answer it was given"""
    vendorId: str = ""
    """the same as vendor_id, under the name that older backends know"""
    messageId: str = ""
    """the same as message_id, likewise; never null"""
