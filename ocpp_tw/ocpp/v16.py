"""OCPP 1.6J and its security extension (the security whitepaper, edition 3).

Knows no connection. What chargers send is read into facts here; error codes are spelled as 1.6 spells them.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..facts import Answer, Authorization, Authorize, BootNotification, MeterValues, Other, Start, Started, StatusNotification, Stopped
from .actions import SENT16
from .common import DATA_TRANSFER, HEARTBEAT, listed, number, registration, text
from .frames import Payload
from .neutral.v16 import NEUTRAL16, STATUSES
from .schemas import load
from .v16_meter_values import metered
from .version import Translation, Version

CODES = {
    "syntax": "FormationViolation",
    "structure": "FormationViolation",
    "unknown": "NotImplemented",
    "unsupported": "NotSupported",
    "security": "SecurityError",
    "internal": "InternalError",
    "other": "FormationViolation",
    "required": "ProtocolError",
    "type": "TypeConstraintViolation",
    "enum": "PropertyConstraintViolation",
    "maxLength": "PropertyConstraintViolation",
    "minLength": "PropertyConstraintViolation",
    "maximum": "PropertyConstraintViolation",
    "minimum": "PropertyConstraintViolation",
    "multipleOf": "PropertyConstraintViolation",
    "pattern": "PropertyConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
}
"""OCPP-J 1.6 table 7: FormationViolation, and Occurence with one r (the errata keep both)."""


def _booted(payload: Payload) -> BootNotification:
    serial = text(payload, "chargePointSerialNumber") or text(payload, "chargeBoxSerialNumber")
    return BootNotification(payload["chargePointVendor"], payload["chargePointModel"], serial, text(payload, "firmwareVersion"))


def _status(payload: Payload) -> StatusNotification:
    return StatusNotification(
        payload["connectorId"],
        payload["status"],
        text(payload, "errorCode"),
        text(payload, "info"),
        text(payload, "vendorErrorCode"),
        text(payload, "timestamp"),
    )


def _started(payload: Payload) -> Started:
    return Started(payload["connectorId"], payload["idTag"], payload["meterStart"], payload["timestamp"], number(payload, "reservationId"))


def _stopped(payload: Payload) -> Stopped:
    return Stopped(
        payload["transactionId"],
        payload["meterStop"],
        payload["timestamp"],
        text(payload, "reason") or "Local",  # omitted means Local (OCPP 1.6 §6.49)
        text(payload, "idTag"),
        listed(payload, "transactionData"),
    )


def _metered(payload: Payload) -> MeterValues:
    return MeterValues(payload["connectorId"], number(payload, "transactionId"), payload["meterValue"])


def id_tag_info(verdict: Authorization) -> Payload:
    """A verdict on a tag as 1.6 has it; 2.x has more status words, all of them refusals."""
    info = {"status": verdict.status if verdict.status in STATUSES else "Invalid"}
    if verdict.expiry_date:
        info["expiryDate"] = verdict.expiry_date
    if verdict.parent_tag and len(verdict.parent_tag) <= 20:  # what we send is always valid; 2.x has longer ones
        info["parentIdTag"] = verdict.parent_tag
    return info


def _start(fact: Started, verdict: Start, now: str) -> Payload:
    return {"transactionId": verdict.transaction_id, "idTagInfo": id_tag_info(verdict.authorization)}


def _stop(fact: Stopped, verdict: Authorization | None, now: str) -> Payload:
    return {} if verdict is None else {"idTagInfo": id_tag_info(verdict)}


def _nothing(fact: StatusNotification | MeterValues, verdict: None, now: str) -> Payload:
    return {}


def _other(action: str, answer: Payload) -> Translation:
    def read(payload: Payload) -> Other:
        return Other(action, payload)

    def say(fact: Other, verdict: Answer, now: str) -> Payload:
        return answer | verdict.members

    return Translation(read, say)


TRANSLATIONS: Mapping[str, Translation] = {
    "BootNotification": Translation(_booted, registration, {"chargePointVendor": str, "chargePointModel": str}),
    "Heartbeat": HEARTBEAT,
    "Authorize": Translation(
        lambda payload: Authorize(payload["idTag"]), lambda fact, verdict, now: {"idTagInfo": id_tag_info(verdict)}, {"idTag": str}
    ),
    "StatusNotification": Translation(_status, _nothing, {"connectorId": int, "status": str}),
    "StartTransaction": Translation(_started, _start, {"connectorId": int, "idTag": str, "meterStart": int, "timestamp": str}),
    "StopTransaction": Translation(_stopped, _stop, {"transactionId": int, "meterStop": int, "timestamp": str}),
    "MeterValues": Translation(_metered, _nothing, {"connectorId": int, "meterValue": list}),
    "DataTransfer": DATA_TRANSFER,
    # a CSR can be signed only by whoever has a CA: without a handler for it the charger is told no
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
ASKED = frozenset(_schemas.actions - SENT16 | {"DataTransfer"})

V16 = Version(
    name="1.6",
    subprotocol="ocpp1.6",
    schemas=_schemas,
    translations=TRANSLATIONS,
    csms_actions=ASKED,
    codes=CODES,
    neutral=NEUTRAL16,
    quick_readers={"MeterValues": metered},
    start_actions=frozenset({"RemoteStartTransaction", "RemoteStopTransaction"}),
)
