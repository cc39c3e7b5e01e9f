"""The neutral commands in the words of OCPP 2.0.1 and 2.1.

Both take the same: what only 2.1 knows is refused by 2.0.1's own schema. ``connector_id`` is the EVSE, the number that a driver sees;
``connector``, where there can be several at one EVSE, the connector of that EVSE.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..actions import SENT21, SENT201
from ..frames import Payload
from ..schemas import load
from .common import Maker, availability, commands, delete_certificate, just, renamed, signed, some_id, tags, text_of
from .keys import variable
from .profiles import profile2, purpose2
from .shapes import CannotMean, InvalidShape

Made = tuple[str, Payload]

TAG_TYPE = "ISO14443"
"""What a tag is unless ``tag_type`` says otherwise: an RFID card, as nearly all are."""
GROUP_TYPE = "Central"
"""A group is the operator's own invention, not a card's number; as it is in the answer to Authorize."""

RESETS = {"Hard": "Immediate", "Soft": "OnIdle"}
MESSAGES = {
    "DiagnosticsStatusNotification": "LogStatusNotification",
    "SignChargePointCertificate": "SignChargingStationCertificate",
}
KINDS = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog", "data_collector": "DataCollectorLog"}
CERTIFICATES = {"CentralSystemRootCertificate": "CSMSRootCertificate"}


def _token(said: Payload) -> Payload:
    return {"idToken": said["tag"], "type": said.get("tag_type", TAG_TYPE)}


def _group(said: Payload) -> Payload:
    return {"groupIdToken": {"idToken": said["parent_tag"], "type": GROUP_TYPE}} if "parent_tag" in said else {}


def _evse(said: Payload) -> Payload:
    """The EVSE, and its connector if one is named."""
    evse = renamed(said, id="connector_id", connectorId="connector")
    if "id" not in evse and evse:
        raise InvalidShape("connector is one of an EVSE's: connector_id must be given with it")
    return {"evse": evse} if evse else {}


def _remote_start(said: Payload) -> Made:
    payload = {"idToken": _token(said), "remoteStartId": said.get("remote_start_id") or some_id()}
    if said.get("connector_id"):  # none, or the 0 of a backend that leaves it out: the charger chooses
        payload["evseId"] = said["connector_id"]
    payload |= _group(said)
    if said.get("charging_profile"):
        payload["chargingProfile"] = profile2(said["charging_profile"])
    return "RequestStartTransaction", payload


def _remote_stop(said: Payload) -> Made:
    return "RequestStopTransaction", {"transactionId": str(said["transaction_id"])}


def _get_configuration(said: Payload) -> Made:
    keys = said.get("key", [])
    keys = [keys] if isinstance(keys, str) else keys
    if not keys:
        return "GetBaseReport", {"requestId": said.get("request_id") or some_id(), "reportBase": "ConfigurationInventory"}
    if not all(isinstance(key, str) for key in keys):
        raise InvalidShape("key must be a text, or a list of texts")
    asked, reasons = [], []
    for key in keys:
        try:
            asked.append(variable(key))
        except CannotMean as why:  # all that is wrong with the list at once
            reasons.append(str(why))
    if reasons:
        raise CannotMean("; ".join(reasons[:20]))
    return "GetVariables", {"getVariableData": asked}


def _change_configuration(said: Payload) -> Made:
    return "SetVariables", {"setVariableData": [{"attributeValue": text_of(said["value"])} | variable(said["key"], to_set=True)]}


def _reset(said: Payload) -> Made:
    payload: Payload = {"type": RESETS.get(said["type"], said["type"])}
    if said.get("evse_id"):  # 0 is the whole station, which is what it is without it
        payload["evseId"] = said["evse_id"]
    return "Reset", payload


def _unlock_connector(said: Payload) -> Made:
    return "UnlockConnector", {"evseId": said["connector_id"], "connectorId": said.get("connector", 1)}


def _change_availability(said: Payload) -> Made:
    payload = {"operationalStatus": availability(said)}
    if said["connector_id"] == 0:
        if "connector" in said:
            raise InvalidShape("connector is one of an EVSE's: connector_id 0 is the whole charger")
        return "ChangeAvailability", payload
    return "ChangeAvailability", payload | _evse(said)


def _trigger_message(said: Payload) -> Made:
    message = MESSAGES.get(said["message"], said["message"])
    if message == "StatusNotification":
        if not said.get("connector_id"):
            raise CannotMean("OCPP 2.x triggers StatusNotification for one connector at a time (F06.FR.13): give connector_id, from 1")
        said = {"connector": 1} | said
    return "TriggerMessage", {"requestedMessage": message, **_evse(said), **renamed(said, customTrigger="custom_trigger")}


def _reserve_now(said: Payload) -> Made:
    payload = renamed(said, id="reservation_id", expiryDateTime="expiry_date", connectorType="connector_type")
    payload["idToken"] = _token(said)
    if said["connector_id"]:  # 0 is any, which 2.x says by leaving it out
        payload["evseId"] = said["connector_id"]
    return "ReserveNow", payload | _group(said)


def _send_local_list(said: Payload) -> Made:
    payload: Payload = {"versionNumber": said["version"], "updateType": said["update_type"]}
    if said["list"]:  # an empty one is left out, which means the same (2.0.1 part 2 §1.52)
        payload["localAuthorizationList"] = [_tag(each) for each in tags(said)]
    return "SendLocalList", payload


def _tag(said: Payload) -> Payload:
    info = renamed(said, status="status", cacheExpiryDateTime="expiry_date") | _group(said)
    return {"idToken": _token(said)} | ({"idTokenInfo": info} if info else {})


def _set_charging_profile(said: Payload) -> Made:
    return "SetChargingProfile", {"evseId": said["connector_id"], "chargingProfile": profile2(said["profile"])}


def _clear_charging_profile(said: Payload) -> Made:
    criteria = renamed(said, evseId="connector_id", stackLevel="stack_level")
    if "purpose" in said:
        criteria["chargingProfilePurpose"] = purpose2(said["purpose"])
    if "id" in said and criteria:
        raise CannotMean("OCPP 2.x clears one profile by its id, or those that fit the rest (K10.FR.02): give id alone, or leave it out")
    if "id" not in said and not criteria:
        raise CannotMean("OCPP 2.x cannot clear all profiles at once (K10.FR.02): give id, connector_id, purpose or stack_level")
    return "ClearChargingProfile", {"chargingProfileCriteria": criteria} if criteria else {"chargingProfileId": said["id"]}


def _request(said: Payload) -> Payload:
    return {"requestId": said.get("request_id") or some_id(), **renamed(said, retries="retries", retryInterval="retry_interval")}


def _update_firmware(said: Payload) -> Made:
    firmware = renamed(said, location="location", retrieveDateTime="retrieve_at", installDateTime="install_at")
    if signed(said):
        firmware |= renamed(said, signingCertificate="signing_certificate", signature="signature")
    return "UpdateFirmware", _request(said) | {"firmware": firmware}


def _get_log(said: Payload) -> Made:
    kind = said.get("kind", "diagnostics")
    log = renamed(said, remoteLocation="location", oldestTimestamp="oldest", latestTimestamp="latest")
    return "GetLog", {"logType": KINDS.get(kind, kind)} | _request(said) | {"log": log}


def _install_certificate(said: Payload) -> Made:
    type = CERTIFICATES.get(said["type"], said["type"])
    return "InstallCertificate", {"certificateType": type, "certificate": said["certificate"]}


def _get_installed_certificate_ids(said: Payload) -> Made:
    types = said.get("type", [])
    types = [types] if isinstance(types, str) else types
    if not all(isinstance(each, str) for each in types):
        raise InvalidShape("type must be a text, or a list of texts")
    return "GetInstalledCertificateIds", {"certificateType": [CERTIFICATES.get(each, each) for each in types]} if types else {}


_MAKERS: Mapping[str, tuple[str, Maker]] = {
    "remote_start_transaction": ("RequestStartTransaction", _remote_start),
    "remote_stop_transaction": ("RequestStopTransaction", _remote_stop),
    "get_configuration": ("GetVariables", _get_configuration),
    "change_configuration": ("SetVariables", _change_configuration),
    "reset": ("Reset", _reset),
    "unlock_connector": ("UnlockConnector", _unlock_connector),
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
        just("GetCompositeSchedule", duration="duration", chargingRateUnit="unit", evseId="connector_id"),
    ),
    "update_firmware": ("UpdateFirmware", _update_firmware),
    "get_log": ("GetLog", _get_log),
    "get_diagnostics": ("GetLog", _get_log),
    "data_transfer": ("DataTransfer", just("DataTransfer", vendorId="vendor_id", messageId="message_id", data="data")),
    "install_certificate": ("InstallCertificate", _install_certificate),
    "delete_certificate": ("DeleteCertificate", delete_certificate),
    "get_installed_certificate_ids": ("GetInstalledCertificateIds", _get_installed_certificate_ids),
    "certificate_signed": (
        "CertificateSigned",
        just("CertificateSigned", certificateChain="certificate_chain", certificateType="type", requestId="request_id"),
    ),
}


def _commands(folder: str, sent: frozenset[str]) -> Mapping[str, Maker]:
    schemas = load(folder)
    return commands(schemas, schemas.actions - sent | {"DataTransfer"}, _MAKERS)


NEUTRAL201 = _commands("v201", SENT201)
"""Every command that a 2.0.1 charging station can be given."""
NEUTRAL21 = _commands("v21", SENT21)
"""Every command that a 2.1 charging station can be given."""
