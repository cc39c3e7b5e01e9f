"""The commands of 2.x that begin, stop and ask for transactions.

Knows the payloads; the effects are the EVSEs'.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..power import Car
from .charging import translated
from .evse import Evse, evse_charging, evses_of

log = Logger()

TRUSTED = ("Central", "NoAuthorization")
"""Types of tokens that the central system itself issued: they are not authorized again (2.0.1 C02, C05)."""


def request_start(charger: CommandTarget, payload: Payload) -> Payload:
    token, remote, profile = need(payload, "idToken", dict), need(payload, "remoteStartId", int), payload.get("chargingProfile")
    tag, group = token["idToken"], (payload.get("groupIdToken") or {}).get("idToken")
    evse = next((each for each in evses_of(charger, payload.get("evseId")) if _serves(each, tag, group)), None)
    translation = translated(profile) if profile is not None else None
    wrong = profile is not None and (translation is None or profile["chargingProfilePurpose"] != "TxProfile")
    if evse is None or not (charger.accepted and charger.operative) or wrong:
        return accepted(False)
    if translation is not None:
        charger.limits.install(evse.number, translation)
    ongoing = {"transactionId": evse.ongoing.uid} if evse.ongoing is not None else {}

    def begin() -> None:
        begun = Deferred.fromCoroutine(_start(charger, evse, tag, token["type"], remote))
        begun.addErrback(lambda failure: log.failure("remote start failed on {charger}", failure, charger=charger.id))

    charger.afterwards(begin)
    return accepted(True) | ongoing  # 2.0.1 F02.FR.01: the id of a transaction that the cable has begun


async def _start(charger: CommandTarget, evse: Evse, tag: str, kind: str, remote: int) -> None:
    authorize = charger.configuration.truth("AuthorizeRemoteTxRequests") and kind not in TRUSTED
    if (authorize and not await charger.tags.authorize(tag, kind)) or evse.busy or not evse.operative:
        return
    evse.start(tag, kind=kind, remote=remote)
    if evse.car is None:
        evse.plug(Car(soc=charger.random.uniform(0.3, 0.7)))


def request_stop(charger: CommandTarget, payload: Payload) -> Payload:
    evse = evse_charging(charger, need(payload, "transactionId", str))
    if evse is None or not charger.accepted:
        return accepted(False)
    charger.afterwards(lambda: evse.stop("Remote"))
    return accepted(True)


def transaction_status(charger: CommandTarget, payload: Payload) -> Payload:
    id = payload.get("transactionId")
    if id is None:
        return {"messagesInQueue": len(charger.queue) > 0}
    return {"ongoingIndicator": evse_charging(charger, id) is not None, "messagesInQueue": charger.queue.holds(id)}


def cost_updated(charger: CommandTarget, payload: Payload) -> Payload:
    id = need(payload, "transactionId", str)
    if evse_charging(charger, id) is not None:
        charger.device.costs[id] = payload["totalCost"]
    return {}


TRANSACTIONS: dict[str, Command] = {
    "CostUpdated": cost_updated,
    "GetTransactionStatus": transaction_status,
    "RequestStartTransaction": request_start,
    "RequestStopTransaction": request_stop,
}


def _serves(evse: Evse, tag: str, group: str | None) -> bool:
    reserved = evse.reservation is not None and group is not None and evse.reservation.parent_tag == group
    return evse.available_for(evse.reservation.tag if reserved and evse.reservation is not None else tag)
