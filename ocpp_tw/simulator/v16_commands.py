"""What a 1.6 charger does at the central system's CALLs about transactions, availability, reservations, lists and keys, and what it answers.

Knows the payloads of OCPP 1.6; the doing is the charger's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import Authorization, Heartbeat, Other
from ..ocpp.frames import Payload
from .dialect import Command, accepted, need
from .pace import moment
from .stages import progress
from .v16_charging import place

if TYPE_CHECKING:
    from .charger import Charger

WAIT = 30 * 86400.0
"""The longest reservation in simulated seconds, when its expiry makes no sense."""


def remote_start(charger: Charger, payload: Payload) -> Payload:
    tag, profile = need(payload, "idTag", str), payload.get("chargingProfile")
    number = payload.get("connectorId")
    candidates = charger.connectors if number is None else [each for each in (charger.connector(number),) if each is not None]
    connector = next((each for each in candidates if charger.operative and each.open_to(tag)), None)
    if connector is None or not charger.accepted or (profile is not None and profile.get("chargingProfilePurpose") != "TxProfile"):
        return accepted(False)
    if profile is not None:
        charger.limits.install(connector.number, profile)
    charger.afterwards(lambda: charger.remote_start(connector, tag))
    return accepted(True)


def remote_stop(charger: Charger, payload: Payload) -> Payload:
    id = need(payload, "transactionId", int)
    connector = next((each for each in charger.connectors if each.transaction is not None and each.transaction.id == id), None)
    if connector is None or not charger.accepted:
        return accepted(False)
    charger.afterwards(lambda: connector.stop("Remote"))
    return accepted(True)


def reset(charger: Charger, payload: Payload) -> Payload:
    hard = need(payload, "type", str) == "Hard"
    charger.afterwards(lambda: charger.reset(hard))
    return accepted(True)


def change_availability(charger: Charger, payload: Payload) -> Payload:
    here, connector = place(charger, payload)
    operative = need(payload, "type", str) == "Operative"
    if not here:
        return accepted(False)
    scheduled = any(each.busy for each in ([connector] if connector is not None else charger.connectors))
    charger.afterwards(lambda: charger.change_availability(connector, operative))
    return {"status": "Scheduled"} if scheduled else accepted(True)


def unlock(charger: Charger, payload: Payload) -> Payload:
    connector = place(charger, payload)[1]
    if connector is None:
        return {"status": "NotSupported"}
    if connector.transaction is not None:
        charger.afterwards(lambda: connector.stop("UnlockCommand"))
    return {"status": "Unlocked"}


def reserve(charger: Charger, payload: Payload) -> Payload:
    here, connector = place(charger, payload)
    id, tag, until = need(payload, "reservationId", int), need(payload, "idTag", str), moment(payload.get("expiryDate"))
    if not here or connector is None:
        return accepted(False)
    if not (connector.operative and charger.operative):
        return {"status": "Unavailable"}
    mine = connector.reservation is not None and connector.reservation[0] == id
    if connector.busy or connector.car is not None or (connector.reservation is not None and not mine):
        return {"status": "Occupied"}
    seconds = WAIT if until is None else until - charger.pace.now()
    if seconds <= 0:
        return accepted(False)
    for each in charger.connectors:  # a reservation id moves with its latest request
        if each is not connector and each.reservation is not None and each.reservation[0] == id:
            charger.afterwards(lambda each=each: each.reserve(None))  # type: ignore[misc]
    charger.afterwards(lambda: connector.reserve((id, tag, payload.get("parentIdTag")), seconds))
    return accepted(True)


def cancel_reservation(charger: Charger, payload: Payload) -> Payload:
    id = need(payload, "reservationId", int)
    connector = next((each for each in charger.connectors if each.reservation is not None and each.reservation[0] == id), None)
    if connector is None:
        return accepted(False)
    charger.afterwards(lambda: connector.reserve(None))
    return accepted(True)


def change_configuration(charger: Charger, payload: Payload) -> Payload:
    name, value = need(payload, "key", str), need(payload, "value", str)
    if charger.configuration.find(name) is None:
        return {"status": "NotSupported"}
    if not charger.configuration.fits(name, value):
        return accepted(False)
    charger.configuration.set(name, value)
    if name.casefold() == "heartbeatinterval":
        charger.afterwards(charger.beat_later)
    elif name.casefold().startswith("transactionmessage"):
        charger.afterwards(charger.tune)
    elif name.casefold() == "metervaluesampleinterval":
        for connector in charger.connectors:
            charger.afterwards(connector.resample)
    return accepted(True)


def get_configuration(charger: Charger, payload: Payload) -> Payload:
    wanted = payload.get("key") or []
    found = [charger.configuration.find(each) for each in wanted] if wanted else charger.configuration.all()
    keys = [{"key": key.name, "readonly": key.readonly} | ({} if key.hidden else {"value": key.value}) for key in found if key is not None]
    unknown = [name for name, key in zip(wanted, found, strict=False) if key is None]
    return {"configurationKey": keys} | ({"unknownKey": unknown} if unknown else {})


def clear_cache(charger: Charger, payload: Payload) -> Payload:
    charger.tags.cache.clear()
    return accepted(True)


def transfer(charger: Charger, payload: Payload) -> Payload:
    if need(payload, "vendorId", str) != charger.identity.vendor:
        return {"status": "UnknownVendorId"}
    return accepted(True) | ({"data": payload["data"]} if isinstance(payload.get("data"), str) else {})


def list_version(charger: Charger, payload: Payload) -> Payload:
    return {"listVersion": charger.tags.version}


def send_list(charger: Charger, payload: Payload) -> Payload:
    version, full = need(payload, "listVersion", int), need(payload, "updateType", str) == "Full"
    if not full and version <= charger.tags.version:
        return {"status": "VersionMismatch"}
    if full:
        charger.tags.local.clear()
    for each in payload.get("localAuthorizationList") or []:
        info = each.get("idTagInfo")
        if info is None:
            charger.tags.local.pop(each["idTag"], None)
        else:
            charger.tags.local[each["idTag"]] = Authorization(info["status"], info.get("expiryDate"), info.get("parentIdTag"))
    charger.tags.version = version
    return accepted(True)


def trigger(charger: Charger, payload: Payload) -> Payload:
    what, number = need(payload, "requestedMessage", str), payload.get("connectorId")
    connector = charger.connector(number)
    chosen = charger.connectors if number is None else [connector] if connector is not None else []
    if number is not None and connector is None and not (number == 0 and what == "StatusNotification"):
        return accepted(False)

    def statuses() -> None:
        if number in (None, 0):
            charger.say(charger.fact())
        for each in chosen:
            charger.say(each.fact())

    match what:
        case "BootNotification":
            charger.afterwards(charger.boot)
        case "Heartbeat":
            charger.afterwards(lambda: charger.say(Heartbeat()))
        case "StatusNotification":
            charger.afterwards(statuses)
        case "MeterValues":
            for each in chosen:
                charger.afterwards(lambda each=each: each.sample("Trigger"))  # type: ignore[misc]
        case "DiagnosticsStatusNotification" | "FirmwareStatusNotification":
            charger.afterwards(lambda: charger.say(Other(what, progress(charger, what))))
        case _:
            return {"status": "NotImplemented"}
    return accepted(True)


COMMANDS: dict[str, Command] = {
    "CancelReservation": cancel_reservation,
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": clear_cache,
    "DataTransfer": transfer,
    "GetConfiguration": get_configuration,
    "GetLocalListVersion": list_version,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "ReserveNow": reserve,
    "Reset": reset,
    "SendLocalList": send_list,
    "TriggerMessage": trigger,
    "UnlockConnector": unlock,
}
