"""OCPP 2.0.1 and 2.1: facts from chargers' messages, and answers to them; one module for both, as 2.1 only adds to 2.0.1.

Knows no connections. ``conn`` is the EVSE, which is the number that a driver sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..facts import (
    Answer,
    Authorization,
    Authorize,
    BootNotification,
    Fact,
    MeterValues,
    Other,
    Start,
    Started,
    StatusNotification,
    Stopped,
    TransactionEventInfo,
    Updated,
)
from . import common
from .actions import CHARGER_ACTIONS_V21, CHARGER_ACTIONS_V201, csms_actions
from .common import DATA_TRANSFER, HEARTBEAT, inner, listed, number, registration, text
from .frames import Payload
from .meter_values import register
from .neutral.v2 import COMMANDS_V21, COMMANDS_V201
from .payload_json import digest
from .schemas import Schemas, load
from .v2_one_pass import quick_readers
from .version import Translation, UnreadablePayload, Version

CODES: Mapping[str, str] = {
    **common.CODES,
    "syntax": "FormatViolation",
    "structure": "ProtocolError",
    "unnamed": "RpcFrameworkError",
    "other": "FormatViolation",
    "required": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
}
"""OCPP-J 2.0.1 and 2.1 part 4 §4.3."""


def _boot_notification(payload: Payload) -> BootNotification:
    station = inner(payload, "chargingStation")
    return BootNotification(
        text(station, "vendorName") or "", text(station, "model") or "", text(station, "serialNumber"), text(station, "firmwareVersion")
    )


def _status_notification(payload: Payload) -> StatusNotification:
    evse, connector = payload["evseId"], payload["connectorId"]
    return StatusNotification(evse, payload["connectorStatus"], timestamp=text(payload, "timestamp"), connector=connector)


def _tag(token: Payload) -> str | None:
    """The text of an idToken, which is empty, or left out, for NoAuthorization (C02.FR.01); None without an idToken."""
    return text(token, "idToken") or ("" if text(token, "type") else None)


def _authorize(payload: Payload) -> Authorize:
    token = payload["idToken"]
    tag, kind = text(token, "idToken"), text(token, "type") or ""
    if tag is None and kind != "NoAuthorization":
        raise UnreadablePayload("idToken/idToken")
    return Authorize(tag or "", kind)


def _transaction_event(payload: Payload) -> Fact:
    info, evse, token = payload["transactionInfo"], inner(payload, "evse"), inner(payload, "idToken")
    id, timestamp, readings, tag = info["transactionId"], text(payload, "timestamp"), listed(payload, "meterValue"), _tag(token)
    event_info = TransactionEventInfo(
        number(payload, "seqNo"),
        text(payload, "triggerReason") or "",
        payload.get("offline") is True,
        text(info, "chargingState"),
        number(evse, "id"),
        number(evse, "connectorId"),
        text(token, "type") or "",
        number(info, "remoteStartId"),
        digest(payload, without="offline"),
    )
    match payload["eventType"]:
        case "Started":
            begin = register(readings, "Transaction.Begin")
            return Started(event_info.conn or 0, tag or "", begin, timestamp, number(payload, "reservationId"), id, readings, event_info)
        case "Updated":
            return Updated(id, timestamp, event_info, tag, readings)
        case "Ended":
            reason = text(info, "stoppedReason") or "Local"  # omitted means Local (E06.FR.08)
            return Stopped(id, register(readings, "Transaction.End"), timestamp, reason, tag, readings, event_info)
    raise UnreadablePayload("eventType")


def _token_info(verdict: Authorization) -> Payload:
    info: Payload = {"status": verdict.status}
    if verdict.expiry_date:
        info["cacheExpiryDateTime"] = verdict.expiry_date
    if verdict.parent_tag:
        info["groupIdToken"] = {"idToken": verdict.parent_tag, "type": "Central"}
    return info


def _has_token(fact: Started | Updated | Stopped) -> bool:
    """Whether the message has an idToken, whose text is empty for NoAuthorization (C02.FR.02)."""
    return bool(fact.tag) or (fact.event_info is not None and bool(fact.event_info.tag_type))


def _transaction_answer(fact: Started | Updated | Stopped, verdict: Start | Authorization | None, now: str) -> Payload:
    """idTokenInfo answers only a message that has an idToken (E01.FR.11)."""
    authorization = verdict.authorization if isinstance(verdict, Start) else verdict
    return {"idTokenInfo": _token_info(authorization)} if authorization is not None and _has_token(fact) else {}


_UNKNOWN = {"status": "Failed", "nextUpdate": "1970-01-01T00:00:00Z"}
_HASH_DATA = ("hashAlgorithm", "issuerNameHash", "issuerKeyHash", "serialNumber")


def _certificate_chain_status(payload: Payload) -> Payload:
    """2.1: the status of every certificate in the request is unknown to us."""
    unknown: list[Payload] = []
    for request in listed(payload, "certificateStatusRequests"):
        request = request if isinstance(request, dict) else {}
        hashes = inner(request, "certificateHashData")
        named = {name: hashes[name] for name in _HASH_DATA if name in hashes}
        unknown.append({"certificateHashData": named, "source": request.get("source"), **_UNKNOWN})
    return {"certificateStatus": unknown}


DEFAULT_ANSWERS: Mapping[str, Callable[[Payload], Payload]] = {
    "Get15118EVCertificate": lambda payload: {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": lambda payload: {"status": "Failed"},
    "GetCertificateChainStatus": _certificate_chain_status,
    "NotifyEVChargingNeeds": lambda payload: {"status": "Rejected"},
    "NotifyEVChargingSchedule": lambda payload: {"status": "Accepted"},
    "OpenPeriodicEventStream": lambda payload: {"status": "Accepted"},
    "PullDynamicScheduleUpdate": lambda payload: {"status": "Rejected"},
    "SignCertificate": lambda payload: {"status": "Rejected"},
    "VatNumberValidation": lambda payload: {"vatNumber": payload.get("vatNumber"), "status": "Rejected"},
}
"""The answers that are not empty, by action, where neither a handler nor the backend gives one."""


REPEATED_MEMBERS = {"GetCertificateChainStatus": "certificateStatusRequests", "VatNumberValidation": "vatNumber"}
"""Requests of which every answer must repeat a member: without one that an answer may have, nothing can be answered."""


def _empty_answer(payload: Payload) -> Payload:
    return {}


def _other(action: str, schemas: Schemas) -> Translation:
    """An action without a meaning of its own to the gateway."""
    default, repeated, valid = DEFAULT_ANSWERS.get(action, _empty_answer), REPEATED_MEMBERS.get(action), schemas.valid_answer.get(action)

    def read(payload: Payload) -> Other:
        if repeated is not None and valid is not None and not valid(default(payload)):
            raise UnreadablePayload(repeated)
        return Other(action, payload)

    def answer(fact: Other, verdict: Answer, now: str) -> Payload:
        return verdict.members if default is _empty_answer else default(fact.payload) | verdict.members

    return Translation(read, answer)


_TOKEN = ("idToken/idToken", "idToken/type")

TRANSLATIONS: Mapping[str, Translation] = {
    "BootNotification": Translation(
        _boot_notification,
        registration,
        kept=tuple(f"chargingStation/{name}" for name in ("vendorName", "model", "serialNumber", "firmwareVersion")),
    ),
    "Heartbeat": HEARTBEAT,
    "Authorize": Translation(
        _authorize,
        lambda fact, verdict, now: {"idTokenInfo": _token_info(verdict)},
        {"idToken": dict},
        _TOKEN,
    ),
    "StatusNotification": Translation(
        _status_notification,
        lambda fact, verdict, now: {},
        {"evseId": int, "connectorId": int, "connectorStatus": str},
        ("connectorStatus", "timestamp"),
    ),
    "TransactionEvent": Translation(
        _transaction_event,
        _transaction_answer,
        {"eventType": str, "transactionInfo": dict, "transactionInfo/transactionId": str},
        ("transactionInfo/transactionId", "transactionInfo/stoppedReason", "timestamp", *_TOKEN),
        digested=True,
    ),
    "MeterValues": Translation(
        lambda payload: MeterValues(number(payload, "evseId") or 0, None, payload["meterValue"]),
        lambda fact, verdict, now: {},
        {"meterValue": list},
    ),
    "DataTransfer": DATA_TRANSFER,
}

REPORT_ACTIONS = {
    "GetBaseReport": "NotifyReport",
    "GetReport": "NotifyReport",
    "GetMonitoringReport": "NotifyMonitoringReport",
    "CustomerInformation": "NotifyCustomerInformation",
    "GetChargingProfiles": "ReportChargingProfiles",
    "GetDisplayMessages": "NotifyDisplayMessages",
}
"""Requests whose result arrives in parts: the action requested -> the action that brings each part."""


def _version(
    name: str, folder: str, charger_actions: frozenset[str], neutral: Mapping[str, Callable[[Payload], tuple[str, Payload]]]
) -> Version:
    schemas = load(folder)
    translations = {action: TRANSLATIONS.get(action) or _other(action, schemas) for action in charger_actions}
    return Version(
        name=name,
        subprotocol=f"ocpp{name}",
        schemas=schemas,
        translations=translations,
        csms_actions=csms_actions(schemas.actions, charger_actions),
        codes=CODES,
        neutral=neutral,
        start_actions=frozenset({"RequestStartTransaction", "RequestStopTransaction"}),
        send_actions=frozenset({"NotifyPeriodicEventStream"}) if name == "2.1" else frozenset(),
        answers_without_id=True,
        signed_messages=True,
        quick_readers=quick_readers(folder),
        unknown_type="MessageTypeNotSupported" if name == "2.0.1" else "",
        report_actions=REPORT_ACTIONS | ({"GetDERControl": "ReportDERControl"} if name == "2.1" else {}),
    )


V201 = _version("2.0.1", "v201", CHARGER_ACTIONS_V201, COMMANDS_V201)
V21 = _version("2.1", "v21", CHARGER_ACTIONS_V21, COMMANDS_V21)
