"""The data of events about what a charger reports (docs/contract.md). Field names are part of the contract.

Knows neither where events go nor which OCPP message they come from. What has no default is always there, null if nothing is known;
what is `UNSET` in events of OCPP 1.6 is left out there.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from ..facts import Value
from .event import Data, one_of
from .registration import REGISTRATIONS

MATCHES = ("exact", "by_connector", "none")
"""How a stop is matched with a start."""


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
    status: Annotated[str, one_of(REGISTRATIONS)]
    """the registration status it was given: Accepted, Pending or Rejected"""


class Health(Data):
    """A Heartbeat."""


class Authorize(Data):
    """A tag was presented."""

    tag: str
    """the tag"""
    status: str
    """the authorization status it was given"""
    tag_type: str | UnsetType | None = UNSET
    """2.x only: the type of the tag, e.g. ISO14443"""


class ChangeConnectorStatus(Data):
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
    evse: int | UnsetType = UNSET
    """2.x only: the EVSE"""
    connector: int | UnsetType | None = UNSET
    """2.x only: the connector of the EVSE"""


class OfTransaction(Data, kw_only=True, omit_defaults=True):
    """What a TransactionEvent of 2.x says beside what it is; of it there is only ``backend_id`` in 1.6."""

    connector: int | UnsetType | None = UNSET
    """2.x only: the connector of the EVSE"""
    seq_no: int | UnsetType | None = UNSET
    """2.x only: the number of the message within its transaction; null when the charger gave none"""
    trigger: str | UnsetType = UNSET
    """2.x only: what made the charger send it"""
    charging_state: str | UnsetType | None = UNSET
    """2.x only: the charging state"""
    tag_type: str | UnsetType | None = UNSET
    """2.x only: the type of the tag, e.g. ISO14443"""
    remote_start_id: int | UnsetType | None = UNSET
    """2.x only: the id of the remote start that began it"""
    backend_id: int | None
    """the id that the backend has given the transaction, where that is not `transaction_id`; else null"""


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
    match: Annotated[str, one_of(MATCHES)]
    """how it was matched with a start: exact, by_connector (the charger's only open transaction, which it ends), none"""
    matched_id: int | str | None
    """the id of the transaction that it ends, as in `start_transaction`; null when none was found"""
    missing: list[int] | None = None
    """only when messages of it have not come yet (2.x): their numbers, at most 200 of them"""


class MeterValue(Data):
    """Meter values."""

    conn: int
    """the connector, in 2.x the EVSE; 0 is the charger as a whole, or not known"""
    transaction_id: int | str
    """the transaction; 0 outside of one"""
    meter_value: list[Any]
    """OCPP's meterValue array, as it came"""
    values: list[Value]
    """the same, flat and in canonical units"""
    backend_id: int | None
    """the id that the backend has given the transaction, where that is not `transaction_id`; else null"""


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
