"""What a charger reports and what it is answered, in terms that hold for every version of OCPP.

A *fact* is what a message says (`Started`), a *verdict* what a handler decides about it (`Start`).
Knows no payload: `ocpp_tw.ocpp` reads facts from payloads and makes answers from verdicts. Timestamps are the charger's own text; energies
are integers in Wh.
"""

from __future__ import annotations

from typing import Any

import msgspec

Readings = list[dict[str, Any]]
"""OCPP's ``meterValue`` array, as received."""


class BootNotification(msgspec.Struct, frozen=True, gc=False):
    """BootNotification: the charger has (re)started."""

    vendor: str
    model: str
    serial: str | None = None
    firmware: str | None = None


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """Heartbeat."""


class Authorize(msgspec.Struct, frozen=True, gc=False):
    """Authorize: a tag was presented; ``tag_type`` is its type in 2.x (ISO14443, eMAID, …), "" in 1.6."""

    tag: str
    tag_type: str = ""


class StatusNotification(msgspec.Struct, frozen=True, gc=False):
    """StatusNotification. ``conn`` 0 is the charger as a whole; in 2.x it is the EVSE, and ``connector`` one of its connectors."""

    conn: int
    status: str
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None
    timestamp: str | None = None
    connector: int | None = None


class TransactionEventInfo(msgspec.Struct, frozen=True, gc=False):
    """What every TransactionEvent of 2.x has, whatever its type; 1.6 has none of it.

    ``seq_no`` orders the messages of a transaction, in whatever order they arrive; None where the charger gave none. ``conn`` is the EVSE, None where the message names none.
    ``digest`` is equal for a message and its repeats: it is of everything in the payload but ``offline``, which a repeat may say where the
    first did not.
    """

    seq_no: int | None
    trigger: str
    offline: bool = False
    charging_state: str | None = None
    conn: int | None = None
    connector: int | None = None
    tag_type: str = ""
    remote_start_id: int | None = None
    digest: int = 0


class _WithReadings(msgspec.Struct, frozen=True, gc=False):
    """What may have readings: a field ``raw`` has them as received, or their JSON where that was not decoded, ``values`` the same in canonical
    units where they were read in one pass."""

    @property
    def readings(self) -> Readings:
        """OCPP's ``meterValue`` array, as received."""
        raw: Any = self.raw  # type: ignore[attr-defined]
        readings: Readings = msgspec.json.decode(raw) if isinstance(raw, msgspec.Raw) else raw
        return readings


class Started(_WithReadings, frozen=True, gc=False):
    """StartTransaction, or TransactionEvent Started. ``meter_start`` in Wh.

    What a charger has left out is 0 for the connector, "" for the tag, else None (docs/tolerance.md). In 2.x ``transaction_id`` is the charger's own, and tag and meter may be unknown yet ("" and None).
    """

    conn: int
    tag: str
    meter_start: int | None
    timestamp: str | None
    reservation_id: int | None = None
    transaction_id: str | None = None
    raw: Any = []
    event_info: TransactionEventInfo | None = None
    values: Values | None = None


class Updated(_WithReadings, frozen=True, gc=False):
    """TransactionEvent Updated. ``tag`` is the one presented with it, if any."""

    transaction_id: str
    timestamp: str | None
    event_info: TransactionEventInfo
    tag: str | None = None
    raw: Any = []
    values: Values | None = None


class Stopped(_WithReadings, frozen=True, gc=False):
    """StopTransaction, or TransactionEvent Ended. ``meter_stop`` in Wh; ``readings`` is its transactionData or meterValue."""

    transaction_id: int | str
    meter_stop: int | None
    timestamp: str | None
    reason: str = "Local"
    tag: str | None = None
    raw: Any = []
    event_info: TransactionEventInfo | None = None
    values: Values | None = None


class Value(msgspec.Struct, omit_defaults=True, gc=False):
    """One sampled value, normalised."""

    measurand: str
    """what was measured, e.g. Energy.Active.Import.Register"""
    value: str
    """the value in `unit`, a decimal number as a string"""
    unit: str | None
    """Wh, W, A, V, Percent, Celsius, varh, var, VAh, VA, Hz, RPM; null for a ratio"""
    timestamp: str | None
    """when, by the charger's clock"""
    context: str | None = None
    """only when the charger gives it: the context, e.g. Sample.Periodic"""
    phase: str | None = None
    """only when the charger gives it: the phase, e.g. L1"""
    location: str | None = None
    """only when the charger gives it: where it was measured, e.g. Outlet"""
    signed: bool = False
    """only when true: `value` is signed data, not a number"""


class Values(msgspec.Struct, frozen=True, gc=False):
    """The sampled values of a message: ``all`` of them as a list, or as its JSON; and those that the gateway itself looks at
    (`ocpp_tw.ocpp.meter_values.LOOKED_AT`), in their order."""

    all: Any
    looked_at: list[Value]


class MeterValues(_WithReadings, frozen=True, gc=False):
    """MeterValues. ``transaction_id`` is None outside a transaction."""

    conn: int
    transaction_id: int | None
    raw: Any
    values: Values | None = None


class DataTransfer(msgspec.Struct, frozen=True, gc=False):
    """DataTransfer of a vendor."""

    vendor_id: str
    message_id: str | None = None
    data: Any = None


class Other(msgspec.Struct, frozen=True, gc=False):
    """Any action without a meaning of its own to the gateway; ``raw`` is its payload, or the JSON of that where it was not decoded."""

    action: str
    raw: Any

    @property
    def payload(self) -> dict[str, Any]:
        """The payload, which is decoded now if it was not."""
        payload: dict[str, Any] = msgspec.json.decode(self.raw) if isinstance(self.raw, msgspec.Raw) else self.raw
        return payload


Fact = BootNotification | Heartbeat | Authorize | StatusNotification | Started | Updated | Stopped | MeterValues | DataTransfer | Other


class Registration(msgspec.Struct, frozen=True, gc=False):
    """The verdict on `BootNotification`: Accepted, Pending or Rejected, and the heartbeat or retry interval in seconds."""

    status: str = "Accepted"
    interval: int = 300


class Authorization(msgspec.Struct, frozen=True, gc=False):
    """The verdict on a tag: OCPP's AuthorizationStatus, when it expires, and the tag's group."""

    status: str = "Accepted"
    expiry_date: str | None = None
    parent_tag: str | None = None


class Admission(msgspec.Struct, frozen=True, gc=False):
    """The backend's verdict on a charger that wants to connect: accept, pending (its BootNotification is answered so) or refuse; and the least
    security profile that it must have, None for none of its own."""

    verdict: str
    security_profile: int | None = None


class Start(msgspec.Struct, frozen=True, gc=False):
    """The verdict on `Started`.

    ``transaction_id`` is a positive integer, or None to let the gateway give one out.
    ``provisional``: the backend could not be asked about it. ``backend_id`` is the backend's id where another one is in use.
    """

    authorization: Authorization = Authorization()
    transaction_id: int | None = None
    provisional: bool = False
    backend_id: int | None = None


class DataTransferResult(msgspec.Struct, frozen=True, gc=False):
    """The verdict on `DataTransfer`: Accepted, Rejected, UnknownMessageId or UnknownVendorId, and data for the charger."""

    status: str = "Accepted"
    data: str | None = None


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The verdict on `Other`: members to set in the answer."""

    members: dict[str, Any] = {}


Verdict = Registration | Authorization | Start | DataTransferResult | Answer | None
