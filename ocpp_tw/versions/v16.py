"""OCPP 1.6J and its security extension (the security whitepaper, edition 3).

Knows no connection. What chargers send is read into facts here; error codes are spelled as 1.6 spells them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..events import snake_case
from ..facts import (
    Answer,
    Authorisation,
    Beat,
    Booted,
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
)
from ..frames import Payload
from ..schemas import load
from . import Translation, Version

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


def _text(payload: Payload, member: str) -> str | None:
    value = payload.get(member)
    return value if isinstance(value, str) else None


def _number(payload: Payload, member: str) -> int | None:
    value = payload.get(member)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _list(payload: Payload, member: str) -> list[dict[str, Any]]:
    value = payload.get(member)
    return value if isinstance(value, list) else []


def _booted(payload: Payload) -> Booted:
    serial = _text(payload, "chargePointSerialNumber") or _text(payload, "chargeBoxSerialNumber")
    return Booted(payload["chargePointVendor"], payload["chargePointModel"], serial, _text(payload, "firmwareVersion"))


def _status(payload: Payload) -> Status:
    return Status(
        payload["connectorId"],
        payload["status"],
        _text(payload, "errorCode"),
        _text(payload, "info"),
        _text(payload, "vendorErrorCode"),
        _text(payload, "timestamp"),
    )


def _started(payload: Payload) -> Started:
    return Started(payload["connectorId"], payload["idTag"], payload["meterStart"], payload["timestamp"], _number(payload, "reservationId"))


def _stopped(payload: Payload) -> Stopped:
    return Stopped(
        payload["transactionId"],
        payload["meterStop"],
        payload["timestamp"],
        _text(payload, "reason") or "Local",  # omitted means Local (OCPP 1.6 §6.49)
        _text(payload, "idTag"),
        _list(payload, "transactionData"),
    )


def _metered(payload: Payload) -> Metered:
    return Metered(payload["connectorId"], _number(payload, "transactionId"), payload["meterValue"])


def _registration(verdict: Registration, now: str) -> Payload:
    return {"status": verdict.status, "currentTime": now, "interval": verdict.interval}


def _id_tag_info(verdict: Authorisation) -> Payload:
    info = {"status": verdict.status}
    if verdict.expiry_date:
        info["expiryDate"] = verdict.expiry_date
    if verdict.parent_tag:
        info["parentIdTag"] = verdict.parent_tag
    return info


def _start(verdict: Start, now: str) -> Payload:
    return {"transactionId": verdict.transaction_id, "idTagInfo": _id_tag_info(verdict.authorisation)}


def _stop(verdict: Authorisation | None, now: str) -> Payload:
    return {} if verdict is None else {"idTagInfo": _id_tag_info(verdict)}


def _transferred(verdict: Transferred, now: str) -> Payload:
    return {"status": verdict.status} if verdict.data is None else {"status": verdict.status, "data": verdict.data}


def _nothing(verdict: None, now: str) -> Payload:
    return {}


def _other(action: str, answer: Payload) -> Translation:
    def read(payload: Payload) -> Other:
        return Other(action, payload)

    def say(verdict: Answer, now: str) -> Payload:
        return answer | verdict.members

    return Translation(read, say)


TRANSLATIONS: Mapping[str, Translation] = {
    "BootNotification": Translation(_booted, _registration, {"chargePointVendor": str, "chargePointModel": str}),
    "Heartbeat": Translation(lambda payload: Beat(), lambda verdict, now: {"currentTime": now}),
    "Authorize": Translation(
        lambda payload: Presented(payload["idTag"]), lambda verdict, now: {"idTagInfo": _id_tag_info(verdict)}, {"idTag": str}
    ),
    "StatusNotification": Translation(_status, _nothing, {"connectorId": int, "status": str}),
    "StartTransaction": Translation(_started, _start, {"connectorId": int, "idTag": str, "meterStart": int, "timestamp": str}),
    "StopTransaction": Translation(_stopped, _stop, {"transactionId": int, "meterStop": int, "timestamp": str}),
    "MeterValues": Translation(_metered, _nothing, {"connectorId": int, "meterValue": list}),
    "DataTransfer": Translation(
        lambda payload: Transfer(payload["vendorId"], _text(payload, "messageId"), payload.get("data")), _transferred, {"vendorId": str}
    ),
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


def _remote_start(data: Payload) -> tuple[str, Payload]:
    if "idTag" in data:  # OCPP's own shape
        return "RemoteStartTransaction", data
    payload: Payload = {"idTag": data["tag"]}
    if data.get("connector_id"):  # none, or the 0 of a backend that leaves it out: the charger chooses
        payload = {"connectorId": data["connector_id"], **payload}
    if data.get("charging_profile"):
        payload["chargingProfile"] = data["charging_profile"]
    return "RemoteStartTransaction", payload


def _remote_stop(data: Payload) -> tuple[str, Payload]:
    return "RemoteStopTransaction", data if "transactionId" in data else {"transactionId": data["transaction_id"]}


def _change_configuration(data: Payload) -> tuple[str, Payload]:
    value = data["value"]
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif not isinstance(value, str | int | float):
        raise TypeError("value")
    return "ChangeConfiguration", {"key": data["key"], "value": str(value)}


def _get_configuration(data: Payload) -> tuple[str, Payload]:
    keys = data.get("key")
    if isinstance(keys, str):
        keys = [keys]
    elif not isinstance(keys, list | None):
        raise TypeError("key")
    return "GetConfiguration", {"key": keys} if keys else {}


def _as_it_is(action: str) -> Callable[[Payload], tuple[str, Payload]]:
    return lambda data: (action, data)


_schemas = load("v16")
ASKED = frozenset(_schemas.actions - set(TRANSLATIONS) | {"DataTransfer"})

V16 = Version(
    name="1.6",
    subprotocol="ocpp1.6",
    schemas=_schemas,
    translations=TRANSLATIONS,
    asked=ASKED,
    codes=CODES,
    neutral={snake_case(action): _as_it_is(action) for action in ASKED}
    | {
        "remote_start_transaction": _remote_start,
        "remote_stop_transaction": _remote_stop,
        "get_configuration": _get_configuration,
        "change_configuration": _change_configuration,
    },
    starting=frozenset({"RemoteStartTransaction", "RemoteStopTransaction"}),
)
