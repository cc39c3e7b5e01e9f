"""What a charger tells us and what it is answered, in words that hold for every version of OCPP.

A *fact* is what a message says (`Started`), a *verdict* what a handler decides about it (`Start`).
Knows nothing of the wire: `ocpp_tw.versions` reads facts out of payloads and puts verdicts into answers.
Timestamps are the charger's own text; energies are integers in Wh.
"""

from __future__ import annotations

from typing import Any

import msgspec

Readings = list[dict[str, Any]]
"""OCPP's ``meterValue`` array, as it came."""


class Booted(msgspec.Struct, frozen=True):
    """BootNotification: the charger has (re)started."""

    vendor: str
    model: str
    serial: str | None = None
    firmware: str | None = None


class Beat(msgspec.Struct, frozen=True):
    """Heartbeat: the charger is alive and asks for the time."""


class Presented(msgspec.Struct, frozen=True):
    """Authorize: somebody presented a tag."""

    tag: str


class Status(msgspec.Struct, frozen=True):
    """StatusNotification. ``conn`` 0 is the charger as a whole."""

    conn: int
    status: str
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None
    timestamp: str | None = None


class Started(msgspec.Struct, frozen=True):
    """StartTransaction. ``meter_start`` in Wh."""

    conn: int
    tag: str
    meter_start: int
    timestamp: str
    reservation_id: int | None = None


class Stopped(msgspec.Struct, frozen=True):
    """StopTransaction. ``meter_stop`` in Wh; ``readings`` is its transactionData."""

    transaction_id: int
    meter_stop: int
    timestamp: str
    reason: str = "Local"
    tag: str | None = None
    readings: Readings = []


class Metered(msgspec.Struct, frozen=True):
    """MeterValues. ``transaction_id`` is None outside a transaction."""

    conn: int
    transaction_id: int | None
    readings: Readings


class Transfer(msgspec.Struct, frozen=True):
    """DataTransfer of a vendor."""

    vendor_id: str
    message_id: str | None = None
    data: Any = None


class Other(msgspec.Struct, frozen=True):
    """Any action without a meaning of its own to the gateway."""

    action: str
    payload: dict[str, Any]


Fact = Booted | Beat | Presented | Status | Started | Stopped | Metered | Transfer | Other


class Registration(msgspec.Struct, frozen=True):
    """The verdict on `Booted`: Accepted, Pending or Rejected, and the heartbeat or retry interval in seconds."""

    status: str = "Accepted"
    interval: int = 300


class Authorisation(msgspec.Struct, frozen=True):
    """The verdict on a tag: OCPP's AuthorizationStatus, until when it holds, and the tag's group."""

    status: str = "Accepted"
    expiry_date: str | None = None
    parent_tag: str | None = None


class Start(msgspec.Struct, frozen=True):
    """The verdict on `Started`.

    ``transaction_id`` is a positive integer, or None to let the gateway give one out.
    ``provisional`` says that the backend has not been heard on it.
    """

    authorisation: Authorisation = Authorisation()
    transaction_id: int | None = None
    provisional: bool = False


class Transferred(msgspec.Struct, frozen=True):
    """The verdict on `Transfer`: Accepted, Rejected, UnknownMessageId or UnknownVendorId, and data for the charger."""

    status: str = "Accepted"
    data: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """The verdict on `Other`: members to set in the answer."""

    members: dict[str, Any] = {}


Verdict = Registration | Authorisation | Start | Transferred | Answer | None
