"""The neutral commands in the words of OCPP 1.6 and its security extension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..actions import SENT16
from ..frames import Payload
from ..schemas import load
from .common import Maker, availability, commands, delete_certificate, just, renamed, signed, some_id, tags, text_of
from .profiles import profile16, purpose16, transaction16
from .shapes import CannotMean

Made = tuple[str, Payload]

RESETS = {"Immediate": "Hard"}
EXTENDED = {
    "LogStatusNotification": "LogStatusNotification",
    "SignChargePointCertificate": "SignChargePointCertificate",
    "SignChargingStationCertificate": "SignChargePointCertificate",
}
"""What only the security extension triggers."""
NO_TRIGGER = {
    "TransactionEvent": "trigger MeterValues instead",
    "SignV2GCertificate": "it has no ISO 15118",
    "SignV2G20Certificate": "it has no ISO 15118",
    "SignCombinedCertificate": "trigger SignChargePointCertificate instead",
    "PublishFirmwareStatusNotification": "it publishes no firmware",
    "CustomTrigger": "ask by data_transfer",
}
STATUSES = ("Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid")
KINDS = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog"}
CERTIFICATES = {"CSMSRootCertificate": "CentralSystemRootCertificate"}
NO_CERTIFICATE = {"V2GRootCertificate", "MORootCertificate", "OEMRootCertificate", "V2GCertificateChain"}


def _remote_start(said: Payload) -> Made:
    payload: Payload = {}
    if said.get("connector_id"):  # none, or the 0 of a backend that leaves it out: the charger chooses
        payload["connectorId"] = said["connector_id"]
    payload["idTag"] = said["tag"]  # it has no type in 1.6; its group comes with the tag's authorization
    if said.get("charging_profile"):
        payload["chargingProfile"] = profile16(said["charging_profile"])
    return "RemoteStartTransaction", payload


def _remote_stop(said: Payload) -> Made:
    return "RemoteStopTransaction", {"transactionId": transaction16(said["transaction_id"])}


def _get_configuration(said: Payload) -> Made:
    keys = said.get("key", [])
    keys = [keys] if isinstance(keys, str) else keys
    return "GetConfiguration", {"key": keys} if keys else {}


def _change_configuration(said: Payload) -> Made:
    return "ChangeConfiguration", {"key": said["key"], "value": text_of(said["value"])}


def _reset(said: Payload) -> Made:
    if said.get("evse_id"):
        raise CannotMean("OCPP 1.6 resets the whole charger only: leave out evse_id")
    if said["type"] in ("OnIdle", "ImmediateAndResume"):
        raise CannotMean(f"OCPP 1.6 has no reset {said['type']}, as its resets end what is charging: use Soft, once nothing is")
    return "Reset", {"type": RESETS.get(said["type"], said["type"])}


def _connector(said: Payload) -> Payload:
    """The connector of 1.6, where each has a number of its own."""
    if said.get("connector", 1) != 1:
        raise CannotMean("every connector has its own connector_id in OCPP 1.6: leave out connector")
    return renamed(said, connectorId="connector_id")


def _change_availability(said: Payload) -> Made:
    return "ChangeAvailability", _connector(said) | {"type": availability(said)}


def _trigger_message(said: Payload) -> Made:
    message = said["message"]
    if message in NO_TRIGGER:
        raise CannotMean(f"OCPP 1.6 has no {message} to trigger: {NO_TRIGGER[message]}")
    action = "ExtendedTriggerMessage" if message in EXTENDED else "TriggerMessage"
    return action, {"requestedMessage": EXTENDED.get(message, message)} | _connector(said)


def _reserve_now(said: Payload) -> Made:
    if "connector_type" in said:
        raise CannotMean("OCPP 1.6 reserves by number, not by connector_type: give connector_id, 0 for any")
    names = {"connectorId": "connector_id", "expiryDate": "expiry_date", "idTag": "tag", "parentIdTag": "parent_tag"}
    return "ReserveNow", renamed(said, **names, reservationId="reservation_id")


def _send_local_list(said: Payload) -> Made:
    payload: Payload = {"listVersion": said["version"]}
    if said["list"]:
        payload["localAuthorizationList"] = [_tag(each) for each in tags(said)]
    return "SendLocalList", payload | {"updateType": said["update_type"]}


def _tag(said: Payload) -> Payload:
    if said.get("status", "Invalid") not in STATUSES:
        raise CannotMean(f"OCPP 1.6 has no status {said['status'][:40]} for a tag: use one of {', '.join(STATUSES)}")
    info = renamed(said, status="status", expiryDate="expiry_date", parentIdTag="parent_tag")
    return {"idTag": said["tag"]} | ({"idTagInfo": info} if info else {})


def _set_charging_profile(said: Payload) -> Made:
    return "SetChargingProfile", {"connectorId": said["connector_id"], "csChargingProfiles": profile16(said["profile"])}


def _clear_charging_profile(said: Payload) -> Made:
    payload = renamed(said, id="id", connectorId="connector_id")
    if "purpose" in said:
        payload["chargingProfilePurpose"] = purpose16(said["purpose"])
    return "ClearChargingProfile", payload | renamed(said, stackLevel="stack_level")


def _update_firmware(said: Payload) -> Made:
    retries = renamed(said, retries="retries", retryInterval="retry_interval")
    if signed(said):
        firmware = renamed(said, location="location", retrieveDateTime="retrieve_at", installDateTime="install_at")
        firmware |= renamed(said, signingCertificate="signing_certificate", signature="signature")
        return "SignedUpdateFirmware", retries | {"requestId": said.get("request_id") or some_id(), "firmware": firmware}
    if "install_at" in said:
        raise CannotMean("OCPP 1.6 can say when firmware is installed only if it is signed: leave out install_at, or give the signature")
    return "UpdateFirmware", renamed(said, location="location", retrieveDate="retrieve_at") | retries


def _get_log(said: Payload) -> Made:
    kind = said.get("kind", "diagnostics")
    if kind in ("data_collector", "DataCollectorLog"):
        raise CannotMean("OCPP 1.6 has no log of a data collector: use diagnostics or security")
    payload = {"logType": KINDS.get(kind, kind), "requestId": said.get("request_id") or some_id()}
    payload |= renamed(said, retries="retries", retryInterval="retry_interval")
    return "GetLog", payload | {"log": renamed(said, remoteLocation="location", oldestTimestamp="oldest", latestTimestamp="latest")}


def _get_diagnostics(said: Payload) -> Made:
    if said.get("kind", "diagnostics") not in ("diagnostics", "DiagnosticsLog"):
        return _get_log(said)  # 1.6 itself has no other log
    names = {"retries": "retries", "retryInterval": "retry_interval", "startTime": "oldest", "stopTime": "latest"}
    return "GetDiagnostics", renamed(said, location="location", **names)


def _data_transfer(said: Payload) -> Made:
    if not isinstance(said.get("data", ""), str):
        raise CannotMean("data is a text in OCPP 1.6: give JSON as a string")
    return "DataTransfer", renamed(said, vendorId="vendor_id", messageId="message_id", data="data")


def _certificate(type: str) -> str:
    if type in NO_CERTIFICATE:
        raise CannotMean(f"OCPP 1.6 has no {type}: use CentralSystemRootCertificate or ManufacturerRootCertificate")
    return CERTIFICATES.get(type, type)


def _install_certificate(said: Payload) -> Made:
    return "InstallCertificate", {"certificateType": _certificate(said["type"]), "certificate": said["certificate"]}


def _get_installed_certificate_ids(said: Payload) -> Made:
    types: Any = said.get("type", [])
    types = [types] if isinstance(types, str) else types
    if len(types) != 1 or not isinstance(types[0], str):
        raise CannotMean("OCPP 1.6 lists one type of certificate at a time: give one type")
    return "GetInstalledCertificateIds", {"certificateType": _certificate(types[0])}


def _certificate_signed(said: Payload) -> Made:
    if said.get("type", "ChargingStationCertificate") != "ChargingStationCertificate":
        raise CannotMean("OCPP 1.6 signs the charger's own certificate only: leave out type")
    return "CertificateSigned", {"certificateChain": said["certificate_chain"]}


_MAKERS: Mapping[str, tuple[str, Maker]] = {
    "remote_start_transaction": ("RemoteStartTransaction", _remote_start),
    "remote_stop_transaction": ("RemoteStopTransaction", _remote_stop),
    "get_configuration": ("GetConfiguration", _get_configuration),
    "change_configuration": ("ChangeConfiguration", _change_configuration),
    "reset": ("Reset", _reset),
    "unlock_connector": ("UnlockConnector", lambda said: ("UnlockConnector", _connector(said))),
    "change_availability": ("ChangeAvailability", _change_availability),
    "trigger_message": ("TriggerMessage", _trigger_message),
    "clear_cache": ("ClearCache", just("ClearCache")),
    "reserve_now": ("ReserveNow", _reserve_now),
    "cancel_reservation": ("CancelReservation", just("CancelReservation", reservationId="reservation_id")),
    "send_local_list": ("SendLocalList", _send_local_list),
    "get_local_list_version": ("GetLocalListVersion", just("GetLocalListVersion")),
    "set_charging_profile": ("SetChargingProfile", _set_charging_profile),
    "clear_charging_profile": ("ClearChargingProfile", _clear_charging_profile),
    "get_composite_schedule": (
        "GetCompositeSchedule",
        just("GetCompositeSchedule", connectorId="connector_id", duration="duration", chargingRateUnit="unit"),
    ),
    "update_firmware": ("UpdateFirmware", _update_firmware),
    "get_log": ("GetLog", _get_log),
    "get_diagnostics": ("GetDiagnostics", _get_diagnostics),
    "data_transfer": ("DataTransfer", _data_transfer),
    "install_certificate": ("InstallCertificate", _install_certificate),
    "delete_certificate": ("DeleteCertificate", delete_certificate),
    "get_installed_certificate_ids": ("GetInstalledCertificateIds", _get_installed_certificate_ids),
    "certificate_signed": ("CertificateSigned", _certificate_signed),
}

_schemas = load("v16")
NEUTRAL16: Mapping[str, Maker] = commands(_schemas, _schemas.actions - SENT16 | {"DataTransfer"}, _MAKERS)
"""Every command that a 1.6 charger can be given."""
