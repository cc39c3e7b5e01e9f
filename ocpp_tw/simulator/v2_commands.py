"""What a 2.x charger does at CALLs about transactions, availability, reservations and tags, and what it answers.

Knows the payloads; the doing is the charger's and its EVSEs'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..facts import Authorization
from ..ocpp.frames import Payload
from .dialect import Command, accepted, need
from .evse import Evse
from .pace import moment
from .power import Car
from .v2_charging import translated

if TYPE_CHECKING:
    from .charger import Charger

log = Logger()

TRUSTED = ("Central", "NoAuthorization")
"""Types of tokens that the central system itself made up: nobody is asked about them (2.0.1 C02, C05)."""


def request_start(charger: Charger, payload: Payload) -> Payload:
    token, remote, profile = need(payload, "idToken", dict), need(payload, "remoteStartId", int), payload.get("chargingProfile")
    tag, group = token["idToken"], (payload.get("groupIdToken") or {}).get("idToken")
    evse = next((each for each in _evses(charger, payload.get("evseId")) if _serves(each, tag, group)), None)
    ours = translated(profile) if profile is not None else None
    wrong = profile is not None and (ours is None or profile["chargingProfilePurpose"] != "TxProfile")
    if evse is None or not (charger.accepted and charger.operative) or wrong:
        return accepted(False)
    if ours is not None:
        charger.limits.install(evse.number, ours)
    known = {"transactionId": evse.ongoing.uid} if evse.ongoing is not None else {}

    def begin() -> None:
        begun = Deferred.fromCoroutine(_start(charger, evse, tag, token["type"], remote))
        begun.addErrback(lambda failure: log.failure("remote start", failure))

    charger.afterwards(begin)
    return accepted(True) | known  # 2.0.1 F02.FR.01: the id of a transaction that the cable began already


async def _start(charger: Charger, evse: Evse, tag: str, kind: str, remote: int) -> None:
    must = charger.configuration.truth("AuthorizeRemoteTxRequests") and kind not in TRUSTED
    if (must and not await charger.tags.authorize(tag, kind)) or evse.busy or not evse.operative:
        return
    evse.start(tag, kind=kind, remote=remote)
    if evse.car is None:
        evse.plug(Car(soc=charger.random.uniform(0.3, 0.7)))


def request_stop(charger: Charger, payload: Payload) -> Payload:
    evse = charger.under_way(need(payload, "transactionId", str))
    if evse is None or not charger.accepted:
        return accepted(False)
    charger.afterwards(lambda: evse.stop("Remote"))
    return accepted(True)


def transaction_status(charger: Charger, payload: Payload) -> Payload:
    id = payload.get("transactionId")
    if id is None:
        return {"messagesInQueue": len(charger.outbox) > 0}
    return {"ongoingIndicator": charger.under_way(id) is not None, "messagesInQueue": charger.outbox.holds(id)}


def reset(charger: Charger, payload: Payload) -> Payload:
    immediate, number = need(payload, "type", str) == "Immediate", payload.get("evseId")
    evses = _evses(charger, number)
    if not evses:
        return accepted(False)
    waiting = [each for each in evses if each.transaction is not None or each.busy] if not immediate else []

    def now() -> None:
        charger.station.resetting = False
        if number is None:
            charger.reset(immediate)
            return
        for each in evses:
            each.stop("HardReset")
            each.unplug()

    def once_idle() -> None:
        if charger.station.resetting:
            if any(each.transaction is not None or each.busy for each in evses):
                charger.timers.set("reset when idle", 1.0, once_idle)
            else:
                now()

    if waiting:
        charger.station.resetting = True
        charger.afterwards(once_idle)
        return {"status": "Scheduled"}
    charger.afterwards(now)
    return accepted(True)


def change_availability(charger: Charger, payload: Payload) -> Payload:
    operative, place = need(payload, "operationalStatus", str) == "Operative", payload.get("evse")
    number = None if place is None else place["id"]
    evses = _evses(charger, number)
    if not evses or (place or {}).get("connectorId", 1) != 1:
        return accepted(False)
    charger.afterwards(lambda: charger.change_availability(evses[0] if number is not None else None, operative))
    busy = not operative and any(each.transaction is not None for each in evses)
    return {"status": "Scheduled"} if busy else accepted(True)


def unlock(charger: Charger, payload: Payload) -> Payload:
    number, connector = need(payload, "evseId", int), need(payload, "connectorId", int)
    evses = _evses(charger, number)
    if not evses or connector != 1:
        return {"status": "UnknownConnector"}
    authorized = evses[0].ongoing is not None and evses[0].busy
    return {"status": "OngoingAuthorizedTransaction" if authorized else "Unlocked"}


def reserve(charger: Charger, payload: Payload) -> Payload:
    id, token = need(payload, "id", int), need(payload, "idToken", dict)
    until, evses = moment(payload.get("expiryDateTime")), _evses(charger, payload.get("evseId"))
    seconds = 0.0 if until is None else until - charger.pace.now()
    if not evses or seconds <= 0:
        return accepted(False)
    able = [each for each in evses if each.operative and charger.operative]
    free = [each for each in able if each.status == "Available" and each.transaction is None]
    mine = [each for each in able if each.reservation is not None and each.reservation[0] == id]
    chosen = next(iter(mine or free), None)
    if chosen is None:
        return {"status": "Occupied" if able else "Unavailable"}
    group = (payload.get("groupIdToken") or {}).get("idToken")

    def keep() -> None:
        for each in charger.connectors:
            if each is not chosen and each.reservation is not None and each.reservation[0] == id:
                each.reserve(None)
        chosen.reserve((id, token["idToken"], group), seconds)

    charger.afterwards(keep)
    return accepted(True)


def cancel_reservation(charger: Charger, payload: Payload) -> Payload:
    id = need(payload, "reservationId", int)
    evse = next((each for each in charger.connectors if each.reservation is not None and each.reservation[0] == id), None)
    if evse is None:
        return accepted(False)
    charger.afterwards(lambda: evse.reserve(None))
    return accepted(True)


def clear_cache(charger: Charger, payload: Payload) -> Payload:
    charger.tags.cache.clear()
    return accepted(True)


def list_version(charger: Charger, payload: Payload) -> Payload:
    return {"versionNumber": charger.tags.version}


def send_list(charger: Charger, payload: Payload) -> Payload:
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


COMMANDS: dict[str, Command] = {
    "CancelReservation": cancel_reservation,
    "ChangeAvailability": change_availability,
    "ClearCache": clear_cache,
    "GetLocalListVersion": list_version,
    "GetTransactionStatus": transaction_status,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
    "ReserveNow": reserve,
    "Reset": reset,
    "SendLocalList": send_list,
    "UnlockConnector": unlock,
}


def _serves(evse: Evse, tag: str, group: str | None) -> bool:
    reserved = evse.reservation is not None and group is not None and evse.reservation[2] == group
    return evse.open_to(evse.reservation[1] if reserved and evse.reservation is not None else tag)


def _evses(charger: Charger, number: int | None) -> list[Evse]:
    return [each for each in charger.connectors if number in (None, each.number) and isinstance(each, Evse)]
