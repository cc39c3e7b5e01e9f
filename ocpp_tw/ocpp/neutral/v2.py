"""What the neutral commands become in OCPP 2.0.1 and 2.1.

A function named after a command is its converter, the same for both versions: what only 2.1 has violates 2.0.1's own schema.
``connector_id`` is the EVSE, the number that a driver sees; ``connector`` is the connector of that EVSE, which may have several.
Knows nothing of what chargers send.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..actions import CHARGER_ACTIONS_V21, CHARGER_ACTIONS_V201, csms_actions
from ..frames import Payload
from ..schemas import load
from .common import (
    SHARED,
    Converter,
    Converters,
    Request,
    as_list,
    availability,
    commands,
    firmware,
    log_parameters,
    random_id,
    renamed,
    renaming,
    retries,
    tags,
    text_of,
)
from .keys import variable
from .profiles import naming_transaction, of_transaction, on_connector, profile2, purpose2
from .shapes import InvalidShape, NotInVersion

command = Converters(SHARED)

TAG_TYPE = "ISO14443"
"""The type of a tag without ``tag_type``: an RFID card, as nearly all are."""
GROUP_TYPE = "Central"
"""The type of a group, which the operator makes up and is no card's number; the same as in the answer to Authorize."""

RESET_TYPES = {"Hard": "Immediate", "Soft": "OnIdle"}
TRIGGERS = {
    "DiagnosticsStatusNotification": "LogStatusNotification",
    "SignChargePointCertificate": "SignChargingStationCertificate",
}
LOG_TYPES = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog", "data_collector": "DataCollectorLog"}
CERTIFICATES = {"CentralSystemRootCertificate": "CSMSRootCertificate"}


def _token(data: Payload) -> Payload:
    return {"idToken": data["tag"], "type": data.get("tag_type", TAG_TYPE)}


def _group(data: Payload) -> Payload:
    return {"groupIdToken": {"idToken": data["parent_tag"], "type": GROUP_TYPE}} if "parent_tag" in data else {}


def _evse(data: Payload) -> Payload:
    """The EVSE, and its connector if one is named."""
    evse = renamed(data, id="connector_id", connectorId="connector")
    if "id" not in evse and evse:
        raise InvalidShape("connector is one of an EVSE's: connector_id must be given with it")
    return {"evse": evse} if evse else {}


@command
def remote_start_transaction(data: Payload) -> Request:
    payload = {"idToken": _token(data), "remoteStartId": data.get("remote_start_id") or random_id()}
    if data.get("connector_id"):  # without one, or with the 0 of a backend that has none, the charger chooses
        payload["evseId"] = data["connector_id"]
    payload |= _group(data)
    if data.get("charging_profile"):
        payload["chargingProfile"] = of_transaction(profile2(data["charging_profile"]))
    return "RequestStartTransaction", payload


@command
def remote_stop_transaction(data: Payload) -> Request:
    return "RequestStopTransaction", {"transactionId": str(data["transaction_id"])}


def _texts(data: Payload, member: str) -> list[str]:
    values = as_list(data, member)
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise InvalidShape(f"{member} must be a text, or a list of texts")
    return texts


@command
def get_configuration(data: Payload) -> Request:
    keys = _texts(data, "key")
    if not keys:
        return "GetBaseReport", {"requestId": data.get("request_id") or random_id(), "reportBase": "ConfigurationInventory"}
    variables, reasons = [], []
    for key in keys:
        try:
            variables.append(variable(key))
        except NotInVersion as why:  # report everything that is wrong with the list at once
            reasons.append(str(why))
    if reasons:
        raise NotInVersion("; ".join(reasons[:20]))
    return "GetVariables", {"getVariableData": variables}


@command
def change_configuration(data: Payload) -> Request:
    return "SetVariables", {"setVariableData": [{"attributeValue": text_of(data["value"])} | variable(data["key"], writing=True)]}


@command
def reset(data: Payload) -> Request:
    payload: Payload = {"type": RESET_TYPES.get(data["type"], data["type"])}
    if data.get("evse_id"):  # 0 is the whole station, which 2.x says by leaving it out
        payload["evseId"] = data["evse_id"]
    return "Reset", payload


@command
def unlock_connector(data: Payload) -> Request:
    return "UnlockConnector", {"evseId": data["connector_id"], "connectorId": data.get("connector", 1)}


@command
def change_availability(data: Payload) -> Request:
    payload = {"operationalStatus": availability(data)}
    if data["connector_id"] == 0:
        if "connector" in data:
            raise InvalidShape("connector is one of an EVSE's: connector_id 0 is the whole charger")
        return "ChangeAvailability", payload
    return "ChangeAvailability", payload | _evse(data)


@command
def trigger_message(data: Payload) -> Request:
    message = TRIGGERS.get(data["message"], data["message"])
    if message == "StatusNotification":
        if not data.get("connector_id"):
            raise NotInVersion("OCPP 2.x triggers StatusNotification for one connector at a time (F06.FR.13): give connector_id, from 1")
        data = {"connector": 1} | data
    return "TriggerMessage", {"requestedMessage": message, **_evse(data), **renamed(data, customTrigger="custom_trigger")}


@command
def reserve_now(data: Payload) -> Request:
    payload = renamed(data, id="reservation_id", expiryDateTime="expiry_date", connectorType="connector_type")
    payload["idToken"] = _token(data)
    if data["connector_id"]:  # 0 is any connector, which 2.x says by leaving it out
        payload["evseId"] = data["connector_id"]
    return "ReserveNow", payload | _group(data)


@command
def send_local_list(data: Payload) -> Request:
    payload: Payload = {"versionNumber": data["version"], "updateType": data["update_type"]}
    if data["list"]:  # leaving out an empty list means the same (2.0.1 part 2 §1.52)
        payload["localAuthorizationList"] = [_tag(tag) for tag in tags(data)]
    return "SendLocalList", payload


def _tag(data: Payload) -> Payload:
    info = renamed(data, status="status", cacheExpiryDateTime="expiry_date") | _group(data)
    return {"idToken": _token(data)} | ({"idTokenInfo": info} if info else {})


@command
def set_charging_profile(data: Payload) -> Request:
    evse = data["connector_id"]
    return "SetChargingProfile", {"evseId": evse, "chargingProfile": naming_transaction(on_connector(profile2(data["profile"]), evse))}


@command
def clear_charging_profile(data: Payload) -> Request:
    criteria = renamed(data, evseId="connector_id", stackLevel="stack_level")
    if "purpose" in data:
        criteria["chargingProfilePurpose"] = purpose2(data["purpose"])
    if "id" in data and criteria:
        raise NotInVersion("OCPP 2.x clears one profile by its id, or those that fit the rest (K10.FR.02): give id alone, or leave it out")
    if "id" not in data and not criteria:
        raise NotInVersion("OCPP 2.x cannot clear all profiles at once (K10.FR.02): give id, connector_id, purpose or stack_level")
    return "ClearChargingProfile", {"chargingProfileCriteria": criteria} if criteria else {"chargingProfileId": data["id"]}


def _transfer(data: Payload) -> Payload:
    """The id and the retries of a file transfer."""
    return {"requestId": data.get("request_id") or random_id(), **retries(data)}


@command
def update_firmware(data: Payload) -> Request:
    return "UpdateFirmware", _transfer(data) | {"firmware": firmware(data)}


@command
def get_log(data: Payload) -> Request:
    kind = data.get("kind", "diagnostics")
    return "GetLog", {"logType": LOG_TYPES.get(kind, kind)} | _transfer(data) | {"log": log_parameters(data)}


@command
def install_certificate(data: Payload) -> Request:
    type = CERTIFICATES.get(data["type"], data["type"])
    return "InstallCertificate", {"certificateType": type, "certificate": data["certificate"]}


@command
def get_installed_certificate_ids(data: Payload) -> Request:
    types = [CERTIFICATES.get(type, type) for type in _texts(data, "type")]
    return "GetInstalledCertificateIds", {"certificateType": types} if types else {}


command["get_diagnostics"] = get_log
command["get_composite_schedule"] = renaming("GetCompositeSchedule", duration="duration", chargingRateUnit="unit", evseId="connector_id")
command["data_transfer"] = renaming("DataTransfer", vendorId="vendor_id", messageId="message_id", data="data")
command["certificate_signed"] = renaming(
    "CertificateSigned", certificateChain="certificate_chain", certificateType="type", requestId="request_id"
)

RENAMED_ACTIONS = {
    "remote_start_transaction": "RequestStartTransaction",
    "remote_stop_transaction": "RequestStopTransaction",
    "get_configuration": "GetVariables",
    "change_configuration": "SetVariables",
    "get_diagnostics": "GetLog",
}
"""The commands that are named after an action of 1.6 -> the action of 2.x in its place."""


def _commands(folder: str, charger_actions: frozenset[str]) -> Mapping[str, Converter]:
    schemas = load(folder)
    return commands(schemas, csms_actions(schemas.actions, charger_actions), command, RENAMED_ACTIONS)


COMMANDS_V201 = _commands("v201", CHARGER_ACTIONS_V201)
"""Every command for a 2.0.1 charging station."""
COMMANDS_V21 = _commands("v21", CHARGER_ACTIONS_V21)
"""Every command for a 2.1 charging station."""
