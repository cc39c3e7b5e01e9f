"""What the neutral commands become in OCPP 1.6 and its security extension.

A function named after a command is its converter. Knows nothing of what chargers send.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..actions import CHARGER_ACTIONS_V16, csms_actions
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
    signed,
    tags,
    text_of,
)
from .profiles import of_transaction, on_connector, profile16, purpose16, transaction16
from .shapes import NotInVersion

command = Converters(SHARED)

RESET_TYPES = {"Immediate": "Hard"}
EXTENDED_TRIGGERS = {
    "LogStatusNotification": "LogStatusNotification",
    "SignChargePointCertificate": "SignChargePointCertificate",
    "SignChargingStationCertificate": "SignChargePointCertificate",
}
"""The messages that only the security extension can trigger."""
NOT_TRIGGERED = {
    "TransactionEvent": "trigger MeterValues instead",
    "SignV2GCertificate": "it has no ISO 15118",
    "SignV2G20Certificate": "it has no ISO 15118",
    "SignCombinedCertificate": "trigger SignChargePointCertificate instead",
    "PublishFirmwareStatusNotification": "it publishes no firmware",
    "CustomTrigger": "ask by data_transfer",
}
TAG_STATUSES = ("Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid")
LOG_TYPES = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog"}
CERTIFICATES = {"CSMSRootCertificate": "CentralSystemRootCertificate"}
NOT_IN_V16 = {"V2GRootCertificate", "MORootCertificate", "OEMRootCertificate", "V2GCertificateChain"}


@command
def remote_start_transaction(data: Payload) -> Request:
    payload: Payload = {}
    if data.get("connector_id"):  # without one, or with the 0 of a backend that has none, the charger chooses
        payload["connectorId"] = data["connector_id"]
    payload["idTag"] = data["tag"]  # it has no type in 1.6; its group comes with the tag's authorization
    if data.get("charging_profile"):
        payload["chargingProfile"] = of_transaction(profile16(data["charging_profile"]))
    return "RemoteStartTransaction", payload


@command
def remote_stop_transaction(data: Payload) -> Request:
    return "RemoteStopTransaction", {"transactionId": transaction16(data["transaction_id"])}


@command
def get_configuration(data: Payload) -> Request:
    keys = as_list(data, "key")
    return "GetConfiguration", {"key": keys} if keys else {}


@command
def change_configuration(data: Payload) -> Request:
    return "ChangeConfiguration", {"key": data["key"], "value": text_of(data["value"])}


@command
def reset(data: Payload) -> Request:
    if data.get("evse_id"):
        raise NotInVersion("OCPP 1.6 resets the whole charger only: leave out evse_id")
    if data["type"] in ("OnIdle", "ImmediateAndResume"):
        raise NotInVersion(f"OCPP 1.6 has no reset {data['type']}, as its resets end what is charging: use Soft, once nothing is")
    return "Reset", {"type": RESET_TYPES.get(data["type"], data["type"])}


def _connector(data: Payload) -> Payload:
    """The connector, each of which has a number of its own in 1.6."""
    if data.get("connector", 1) != 1:
        raise NotInVersion("every connector has its own connector_id in OCPP 1.6: leave out connector")
    return renamed(data, connectorId="connector_id")


@command
def unlock_connector(data: Payload) -> Request:
    return "UnlockConnector", _connector(data)


@command
def change_availability(data: Payload) -> Request:
    return "ChangeAvailability", _connector(data) | {"type": availability(data)}


@command
def trigger_message(data: Payload) -> Request:
    message = data["message"]
    if message in NOT_TRIGGERED:
        raise NotInVersion(f"OCPP 1.6 has no {message} to trigger: {NOT_TRIGGERED[message]}")
    action = "ExtendedTriggerMessage" if message in EXTENDED_TRIGGERS else "TriggerMessage"
    return action, {"requestedMessage": EXTENDED_TRIGGERS.get(message, message)} | _connector(data)


@command
def reserve_now(data: Payload) -> Request:
    if "connector_type" in data:
        raise NotInVersion("OCPP 1.6 reserves by number, not by connector_type: give connector_id, 0 for any")
    names = {"connectorId": "connector_id", "expiryDate": "expiry_date", "idTag": "tag", "parentIdTag": "parent_tag"}
    return "ReserveNow", renamed(data, **names, reservationId="reservation_id")


@command
def send_local_list(data: Payload) -> Request:
    payload: Payload = {"listVersion": data["version"]}
    if data["list"]:
        payload["localAuthorizationList"] = [_tag(tag) for tag in tags(data)]
    return "SendLocalList", payload | {"updateType": data["update_type"]}


def _tag(data: Payload) -> Payload:
    if data.get("status", "Invalid") not in TAG_STATUSES:
        raise NotInVersion(f"OCPP 1.6 has no status {data['status'][:40]} for a tag: use one of {', '.join(TAG_STATUSES)}")
    info = renamed(data, status="status", expiryDate="expiry_date", parentIdTag="parent_tag")
    return {"idTag": data["tag"]} | ({"idTagInfo": info} if info else {})


@command
def set_charging_profile(data: Payload) -> Request:
    connector = data["connector_id"]
    return "SetChargingProfile", {"connectorId": connector, "csChargingProfiles": on_connector(profile16(data["profile"]), connector)}


@command
def clear_charging_profile(data: Payload) -> Request:
    payload = renamed(data, id="id", connectorId="connector_id")
    if "purpose" in data:
        payload["chargingProfilePurpose"] = purpose16(data["purpose"])
    return "ClearChargingProfile", payload | renamed(data, stackLevel="stack_level")


@command
def update_firmware(data: Payload) -> Request:
    if signed(data):
        request_id = data.get("request_id") or random_id()
        return "SignedUpdateFirmware", retries(data) | {"requestId": request_id, "firmware": firmware(data)}
    if "install_at" in data:
        raise NotInVersion("OCPP 1.6 can say when firmware is installed only if it is signed: leave out install_at, or give the signature")
    return "UpdateFirmware", renamed(data, location="location", retrieveDate="retrieve_at") | retries(data)


@command
def get_log(data: Payload) -> Request:
    kind = data.get("kind", "diagnostics")
    if kind in ("data_collector", "DataCollectorLog"):
        raise NotInVersion("OCPP 1.6 has no log of a data collector: use diagnostics or security")
    payload = {"logType": LOG_TYPES.get(kind, kind), "requestId": data.get("request_id") or random_id()}
    return "GetLog", payload | retries(data) | {"log": log_parameters(data)}


@command
def get_diagnostics(data: Payload) -> Request:
    if data.get("kind", "diagnostics") not in ("diagnostics", "DiagnosticsLog"):
        return get_log(data)  # 1.6 itself has no other log
    names = {"retries": "retries", "retryInterval": "retry_interval", "startTime": "oldest", "stopTime": "latest"}
    return "GetDiagnostics", renamed(data, location="location", **names)


@command
def data_transfer(data: Payload) -> Request:
    if not isinstance(data.get("data", ""), str):
        raise NotInVersion("data is a text in OCPP 1.6: give JSON as a string")
    return "DataTransfer", renamed(data, vendorId="vendor_id", messageId="message_id", data="data")


def _certificate(type: str) -> str:
    if type in NOT_IN_V16:
        raise NotInVersion(f"OCPP 1.6 has no {type}: use CentralSystemRootCertificate or ManufacturerRootCertificate")
    return CERTIFICATES.get(type, type)


@command
def install_certificate(data: Payload) -> Request:
    return "InstallCertificate", {"certificateType": _certificate(data["type"]), "certificate": data["certificate"]}


@command
def get_installed_certificate_ids(data: Payload) -> Request:
    types = as_list(data, "type")
    if len(types) != 1 or not isinstance(types[0], str):
        raise NotInVersion("OCPP 1.6 lists one type of certificate at a time: give one type")
    return "GetInstalledCertificateIds", {"certificateType": _certificate(types[0])}


@command
def certificate_signed(data: Payload) -> Request:
    if data.get("type", "ChargingStationCertificate") != "ChargingStationCertificate":
        raise NotInVersion("OCPP 1.6 signs the charger's own certificate only: leave out type")
    return "CertificateSigned", {"certificateChain": data["certificate_chain"]}


command["get_composite_schedule"] = renaming(
    "GetCompositeSchedule", connectorId="connector_id", duration="duration", chargingRateUnit="unit"
)

_schemas = load("v16")
COMMANDS: Mapping[str, Converter] = commands(_schemas, csms_actions(_schemas.actions, CHARGER_ACTIONS_V16), command, {})
"""Every command for a 1.6 charger."""
