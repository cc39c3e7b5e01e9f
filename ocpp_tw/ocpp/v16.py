"""OCPP 1.6J and its security extension (the security whitepaper, edition 3): facts from chargers' messages, and answers to them.

Knows no connections. Error codes are spelled as 1.6 spells them.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ..facts import Answer, Authorization, Authorize, BootNotification, MeterValues, Other, Start, Started, StatusNotification, Stopped
from . import common
from .actions import CHARGER_ACTIONS_V16, csms_actions
from .common import DATA_TRANSFER, HEARTBEAT, heartbeat, listed, number, registration, text
from .frames import Payload
from .neutral.v16 import COMMANDS, TAG_STATUSES
from .schemas import load
from .v16_meter_values import compiled_reader, meter_values
from .v16_one_pass import status_notification
from .version import Translation, UnreadablePayload, Version

CODES: Mapping[str, str] = {
    **common.CODES,
    "syntax": "FormationViolation",
    "structure": "FormationViolation",
    "other": "FormationViolation",
    "required": "ProtocolError",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
}
"""OCPP-J 1.6 table 7: FormationViolation, and Occurence with one r (the errata keep both)."""


def _boot_notification(payload: Payload) -> BootNotification:
    serial = text(payload, "chargePointSerialNumber") or text(payload, "chargeBoxSerialNumber")
    vendor, model = text(payload, "chargePointVendor"), text(payload, "chargePointModel")
    return BootNotification(vendor or "", model or "", serial, text(payload, "firmwareVersion"))


def _status_notification(payload: Payload) -> StatusNotification:
    return StatusNotification(
        payload["connectorId"],
        payload["status"],
        text(payload, "errorCode"),
        text(payload, "info"),
        text(payload, "vendorErrorCode"),
        text(payload, "timestamp"),
    )


def _start_transaction(payload: Payload) -> Started:
    conn, tag, meter = number(payload, "connectorId"), text(payload, "idTag"), number(payload, "meterStart")
    timestamp = text(payload, "timestamp")
    if [conn, tag, meter, timestamp].count(None) > 2:  # it cannot be told from another start
        raise UnreadablePayload("two of connectorId, idTag, meterStart and timestamp")
    return Started(conn or 0, tag or "", meter, timestamp, number(payload, "reservationId"))


def _stop_transaction(payload: Payload) -> Stopped:
    return Stopped(
        payload["transactionId"],
        number(payload, "meterStop"),
        text(payload, "timestamp"),
        text(payload, "reason") or "Local",  # omitted means Local (OCPP 1.6 §6.49)
        text(payload, "idTag"),
        listed(payload, "transactionData"),
    )


def _meter_values(payload: Payload) -> MeterValues:
    return MeterValues(number(payload, "connectorId") or 0, number(payload, "transactionId"), payload["meterValue"])


def answerable(verdict: Authorization) -> Authorization:
    """A verdict on a tag in the terms of 1.6; the further statuses of 2.x all are refusals."""
    return verdict if verdict.status in TAG_STATUSES else replace(verdict, status="Invalid")


def id_tag_info(verdict: Authorization) -> Payload:
    """A verdict on a tag as 1.6 answers it."""
    info = {"status": answerable(verdict).status}
    if verdict.expiry_date:
        info["expiryDate"] = verdict.expiry_date
    if verdict.parent_tag and len(verdict.parent_tag) <= 20:  # a longer one, valid in 2.x, would break 1.6's schema
        info["parentIdTag"] = verdict.parent_tag
    return info


def _start_answer(fact: Started, verdict: Start, now: str) -> Payload:
    return {"transactionId": verdict.transaction_id, "idTagInfo": id_tag_info(verdict.authorization)}


def _stop_answer(fact: Stopped, verdict: Authorization | None, now: str) -> Payload:
    return {} if verdict is None else {"idTagInfo": id_tag_info(verdict)}


def _empty_answer(fact: StatusNotification | MeterValues, verdict: None, now: str) -> Payload:
    return {}


def _other(action: str, default: Payload) -> Translation:
    """An action without a meaning of its own to the gateway; ``default`` is the answer if no handler has another."""

    def read(payload: Payload) -> Other:
        return Other(action, payload)

    def answer(fact: Other, verdict: Answer, now: str) -> Payload:
        return default | verdict.members

    return Translation(read, answer)


TRANSLATIONS: Mapping[str, Translation] = {
    "BootNotification": Translation(
        _boot_notification,
        registration,
        kept=("chargePointVendor", "chargePointModel", "chargePointSerialNumber", "chargeBoxSerialNumber", "firmwareVersion"),
    ),
    "Heartbeat": HEARTBEAT,
    "Authorize": Translation(
        lambda payload: Authorize(payload["idTag"]),
        lambda fact, verdict, now: {"idTagInfo": id_tag_info(verdict)},
        {"idTag": str},
        ("idTag",),
    ),
    "StatusNotification": Translation(_status_notification, _empty_answer, {"connectorId": int, "status": str}, ("status", "timestamp")),
    "StartTransaction": Translation(_start_transaction, _start_answer, kept=("idTag", "timestamp")),
    "StopTransaction": Translation(_stop_transaction, _stop_answer, {"transactionId": int}, ("idTag", "timestamp", "reason")),
    "MeterValues": Translation(_meter_values, _empty_answer, {"meterValue": list}),
    "DataTransfer": DATA_TRANSFER,
    # signing a CSR takes a CA: without a handler that has one, the answer is Rejected
    "SignCertificate": _other("SignCertificate", {"status": "Rejected"}),
} | {
    action: _other(action, {})
    for action in (
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "LogStatusNotification",
        "SecurityEventNotification",
        "SignedFirmwareStatusNotification",
    )
}


_schemas = load("v16")

V16 = Version(
    name="1.6",
    subprotocol="ocpp1.6",
    schemas=_schemas,
    translations=TRANSLATIONS,
    csms_actions=csms_actions(_schemas.actions, CHARGER_ACTIONS_V16),
    codes=CODES,
    neutral=COMMANDS,
    quick_readers={"Heartbeat": heartbeat, "StatusNotification": status_notification, "MeterValues": meter_values(compiled_reader())},
    answerable=answerable,
    start_actions=frozenset({"RemoteStartTransaction", "RemoteStopTransaction"}),
)
