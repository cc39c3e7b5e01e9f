"""The commands of OCPP 1.6 about transactions, availability, reservations and the local list.

Knows the payloads; the effects are the charger's and its connectors'.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...facts import Authorization, Heartbeat, Other
from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..connector import Connector
from ..file_transfers import current_status
from ..power import Car
from ..reservations import holds, reserve_afterwards
from ..simulated_clock import parse_timestamp
from ..transaction import Reservation
from .charging import find_connector

log = Logger()

DEFAULT_RESERVATION = 30 * 86400.0
"""Simulated seconds that a reservation lasts whose expiry date is not readable."""


def remote_start(charger: CommandTarget, payload: Payload) -> Payload:
    tag, profile = need(payload, "idTag", str), payload.get("chargingProfile")
    number = payload.get("connectorId")
    candidates = charger.connectors if number is None else [each for each in (charger.connector(number),) if each is not None]
    connector = next((each for each in candidates if charger.operative and each.available_for(tag)), None)
    if connector is None or not charger.accepted or (profile is not None and profile.get("chargingProfilePurpose") != "TxProfile"):
        return accepted(False)
    if profile is not None:
        charger.limits.install(connector.number, profile)
    charger.afterwards(lambda: _start(charger, connector, tag))
    return accepted(True)


def _start(charger: CommandTarget, connector: Connector, tag: str) -> None:
    """A car arrives if there is none; the tag is authorized if so configured."""
    if connector.car is None:
        connector.plug(Car(soc=charger.random.uniform(0.3, 0.7)))
    if charger.configuration.truth("AuthorizeRemoteTxRequests"):
        started = Deferred.fromCoroutine(charger.authorize_and_start(tag, connector))
        started.addCallback(lambda began: None if began or connector.busy else connector.unplug())
        started.addErrback(lambda failure: log.failure("remote start failed on {charger}", failure, charger=charger.id))
    elif connector.available_for(tag):
        connector.start(tag)


def remote_stop(charger: CommandTarget, payload: Payload) -> Payload:
    id = need(payload, "transactionId", int)
    connector = next((each for each in charger.connectors if each.transaction is not None and each.transaction.id == id), None)
    if connector is None or not charger.accepted:
        return accepted(False)
    charger.afterwards(lambda: connector.stop("Remote"))
    return accepted(True)


def reset(charger: CommandTarget, payload: Payload) -> Payload:
    hard = need(payload, "type", str) == "Hard"
    charger.afterwards(lambda: charger.reset(hard))
    return accepted(True)


def change_availability(charger: CommandTarget, payload: Payload) -> Payload:
    exists, connector = find_connector(charger, payload)
    operative = need(payload, "type", str) == "Operative"
    if not exists:
        return accepted(False)
    scheduled = any(each.busy for each in ([connector] if connector is not None else charger.connectors))
    charger.afterwards(lambda: charger.change_availability(connector, operative))
    return {"status": "Scheduled"} if scheduled else accepted(True)


def unlock(charger: CommandTarget, payload: Payload) -> Payload:
    connector = find_connector(charger, payload)[1]
    if connector is None:
        return {"status": "NotSupported"}
    if connector.transaction is not None:
        charger.afterwards(lambda: connector.stop("UnlockCommand"))
    return {"status": "Unlocked"}


def reserve(charger: CommandTarget, payload: Payload) -> Payload:
    exists, connector = find_connector(charger, payload)
    id, tag, until = need(payload, "reservationId", int), need(payload, "idTag", str), parse_timestamp(payload.get("expiryDate"))
    if not exists or connector is None:
        return accepted(False)
    if not (connector.operative and charger.operative):
        return {"status": "Unavailable"}
    renewed = holds(connector, id)
    if connector.busy or connector.car is not None or (connector.reservation is not None and not renewed):
        return {"status": "Occupied"}
    seconds = DEFAULT_RESERVATION if until is None else until - charger.clock.now()
    if seconds <= 0:
        return accepted(False)
    reserve_afterwards(charger, connector, Reservation(id, tag, payload.get("parentIdTag")), seconds)
    return accepted(True)


def data_transfer(charger: CommandTarget, payload: Payload) -> Payload:
    if need(payload, "vendorId", str) != charger.identity.vendor:
        return {"status": "UnknownVendorId"}
    return accepted(True) | ({"data": payload["data"]} if isinstance(payload.get("data"), str) else {})


def local_list_version(charger: CommandTarget, payload: Payload) -> Payload:
    return {"listVersion": charger.tags.version}


def send_local_list(charger: CommandTarget, payload: Payload) -> Payload:
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


def trigger(charger: CommandTarget, payload: Payload) -> Payload:
    what, number = need(payload, "requestedMessage", str), payload.get("connectorId")
    connector = charger.connector(number)
    chosen = charger.connectors if number is None else [connector] if connector is not None else []
    if number is not None and connector is None and not (number == 0 and what == "StatusNotification"):
        return accepted(False)

    def send_statuses() -> None:
        if number in (None, 0):
            charger.send_fact(charger.status_fact())
        for each in chosen:
            charger.send_fact(each.status_fact())

    match what:
        case "BootNotification":
            charger.afterwards(charger.boot)
        case "Heartbeat":
            charger.afterwards(lambda: charger.send_fact(Heartbeat()))
        case "StatusNotification":
            charger.afterwards(send_statuses)
        case "MeterValues":
            for each in chosen:
                charger.afterwards(lambda each=each: each.sample("Trigger"))  # type: ignore[misc]
        case "DiagnosticsStatusNotification" | "FirmwareStatusNotification":
            charger.afterwards(lambda: charger.send_fact(Other(what, current_status(charger, what))))
        case _:
            return {"status": "NotImplemented"}
    return accepted(True)


COMMANDS: dict[str, Command] = {
    "ChangeAvailability": change_availability,
    "DataTransfer": data_transfer,
    "GetLocalListVersion": local_list_version,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "ReserveNow": reserve,
    "Reset": reset,
    "SendLocalList": send_local_list,
    "TriggerMessage": trigger,
    "UnlockConnector": unlock,
}
