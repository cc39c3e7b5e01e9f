"""The commands of 2.x about resets, availability, reservations, the local list and data transfer.

Knows the payloads; the effects are the charger's and its EVSEs'.
"""

from __future__ import annotations

from ...facts import Authorization
from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..reservations import holds, reserve_afterwards
from ..simulated_clock import parse_timestamp
from ..transaction import Reservation
from .evse import evses_of


def reset(charger: CommandTarget, payload: Payload) -> Payload:
    immediate, number = need(payload, "type", str) == "Immediate", payload.get("evseId")
    evses = evses_of(charger, number)
    if not evses:
        return accepted(False)
    waiting = [each for each in evses if each.transaction is not None or each.busy] if not immediate else []

    def reset_now() -> None:
        charger.device.resetting = False
        if number is None:
            charger.reset(immediate)
            return
        for each in evses:
            each.stop("HardReset")
            each.unplug()

    def reset_when_idle() -> None:
        if charger.device.resetting:
            if any(each.transaction is not None or each.busy for each in evses):
                charger.timers.set("reset when idle", 1.0, reset_when_idle)
            else:
                reset_now()

    if waiting:
        charger.device.resetting = True
        charger.afterwards(reset_when_idle)
        return {"status": "Scheduled"}
    charger.afterwards(reset_now)
    return accepted(True)


def change_availability(charger: CommandTarget, payload: Payload) -> Payload:
    operative, place = need(payload, "operationalStatus", str) == "Operative", payload.get("evse")
    number = None if place is None else place["id"]
    evses = evses_of(charger, number)
    if not evses or (place or {}).get("connectorId", 1) != 1:
        return accepted(False)
    charger.afterwards(lambda: charger.change_availability(evses[0] if number is not None else None, operative))
    busy = not operative and any(each.transaction is not None for each in evses)
    return {"status": "Scheduled"} if busy else accepted(True)


def unlock(charger: CommandTarget, payload: Payload) -> Payload:
    number, connector = need(payload, "evseId", int), need(payload, "connectorId", int)
    evses = evses_of(charger, number)
    if not evses or connector != 1:
        return {"status": "UnknownConnector"}
    authorized = evses[0].ongoing is not None and evses[0].busy
    return {"status": "OngoingAuthorizedTransaction" if authorized else "Unlocked"}


def reserve(charger: CommandTarget, payload: Payload) -> Payload:
    id, token = need(payload, "id", int), need(payload, "idToken", dict)
    until, evses = parse_timestamp(payload.get("expiryDateTime")), evses_of(charger, payload.get("evseId"))
    seconds = 0.0 if until is None else until - charger.clock.now()
    if not evses or seconds <= 0:
        return accepted(False)
    able = [each for each in evses if each.operative and charger.operative]
    free = [each for each in able if each.status == "Available" and each.transaction is None]
    renewed = [each for each in able if holds(each, id)]
    chosen = next(iter(renewed or free), None)
    if chosen is None:
        return {"status": "Occupied" if able else "Unavailable"}
    group = (payload.get("groupIdToken") or {}).get("idToken")
    reserve_afterwards(charger, chosen, Reservation(id, token["idToken"], group), seconds)
    return accepted(True)


def local_list_version(charger: CommandTarget, payload: Payload) -> Payload:
    return {"versionNumber": charger.tags.version}


def send_local_list(charger: CommandTarget, payload: Payload) -> Payload:
    version, full = need(payload, "versionNumber", int), need(payload, "updateType", str) == "Full"
    if version <= 0:
        return {"status": "Failed"}
    if not full and version <= charger.tags.version:
        return {"status": "VersionMismatch"}
    if full:
        charger.tags.local.clear()
    for each in payload.get("localAuthorizationList") or []:
        tag, info = each["idToken"]["idToken"], each.get("idTokenInfo")
        if info is None:
            charger.tags.local.pop(tag, None)
        else:
            group = (info.get("groupIdToken") or {}).get("idToken")
            charger.tags.local[tag] = Authorization(info["status"], info.get("cacheExpiryDateTime"), group)
    charger.tags.version = version
    return accepted(True)


def data_transfer(charger: CommandTarget, payload: Payload) -> Payload:
    if need(payload, "vendorId", str) != charger.identity.vendor:
        return {"status": "UnknownVendorId"}
    return accepted(True) | ({"data": payload["data"]} if "data" in payload else {})


COMMANDS: dict[str, Command] = {
    "ChangeAvailability": change_availability,
    "DataTransfer": data_transfer,
    "GetLocalListVersion": local_list_version,
    "ReserveNow": reserve,
    "Reset": reset,
    "SendLocalList": send_local_list,
    "UnlockConnector": unlock,
}
