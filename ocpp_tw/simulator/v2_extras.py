"""What else a 2.x charger is told: triggers, display messages, costs, customers, networks, and what 2.1 has that it cannot do.

Knows the payloads; keeps what is to be kept in the charger's `Station`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..facts import Heartbeat, MeterValues
from ..ocpp.frames import Payload
from .certificates import request
from .dialect import Command, accepted, need
from .evse import Evse
from .stages import progress
from .v2_reports import say, unnumbered

if TYPE_CHECKING:
    from .charger import Charger

SIGNED = {
    "SignChargingStationCertificate": {"certificateType": "ChargingStationCertificate"},
    "SignCombinedCertificate": {},
    "SignV2GCertificate": {"certificateType": "V2GCertificate"},
}

LINE = 512
"""The longest ``data`` of a NotifyCustomerInformation."""


def trigger(charger: Charger, payload: Payload) -> Payload:
    what, place = need(payload, "requestedMessage", str), payload.get("evse")
    evses = [each for each in charger.connectors if isinstance(each, Evse) and (place is None or each.number == place["id"])]
    if not evses:
        return accepted(False)

    def boot() -> None:
        cause, charger.identity = charger.identity, replace(charger.identity, cause="Triggered")
        charger.boot()
        charger.identity = cause

    def metered() -> None:
        for each in evses:
            if values := each.read("Trigger"):
                charger.say(MeterValues(each.number, None, values))

    match what:
        case "BootNotification":
            if charger.accepted:
                return accepted(False)  # 2.0.1 F06.FR.17
            charger.afterwards(boot)
        case "Heartbeat":
            charger.afterwards(lambda: charger.say(Heartbeat()))
        case "StatusNotification":
            for each in evses:
                charger.afterwards(lambda each=each: charger.say(each.fact()))  # type: ignore[misc]
        case "MeterValues":
            charger.afterwards(metered)
        case "TransactionEvent":
            under_way = [each for each in evses if each.ongoing is not None]
            for each in under_way:
                charger.afterwards(lambda each=each: each.sample("Trigger"))  # type: ignore[misc]
            return accepted(bool(under_way))
        case "LogStatusNotification" | "FirmwareStatusNotification":
            say(charger, what, progress(charger, what))
        case _ if what in SIGNED:
            say(charger, "SignCertificate", {"csr": request(charger.id)} | SIGNED[what])
        case _:
            return {"status": "NotImplemented"}
    return accepted(True)


def transfer(charger: Charger, payload: Payload) -> Payload:
    if need(payload, "vendorId", str) != charger.identity.vendor:
        return {"status": "UnknownVendorId"}
    return accepted(True) | ({"data": payload["data"]} if "data" in payload else {})


def customer_information(charger: Charger, payload: Payload) -> Payload:
    id, report, clear = need(payload, "requestId", int), need(payload, "report", bool), need(payload, "clear", bool)
    names = [name for name in ("idToken", "customerIdentifier", "customerCertificate") if name in payload]
    if len(names) != 1 or not (report or clear):
        return {"status": "Invalid"}
    tag = payload["idToken"]["idToken"] if names == ["idToken"] else payload.get("customerIdentifier", "")
    lists = {"the local list": charger.tags.local, "the cache": charger.tags.cache}
    known = [f"{tag} is {held[tag].status} in {where}" for where, held in lists.items() if tag in held]
    if clear:
        charger.tags.cache.pop(tag, None)
    text = "; ".join(known) if report else ""
    lines = [text[at : at + LINE] for at in range(0, len(text), LINE)] or [""]
    for number, line in enumerate(lines):
        more = {"requestId": id, "seqNo": number, "generatedAt": charger.pace.stamp(), "tbc": number < len(lines) - 1}
        say(charger, "NotifyCustomerInformation", more | {"data": line})
    return accepted(True)


def set_message(charger: Charger, payload: Payload) -> Payload:
    message = need(payload, "message", dict)
    if "transactionId" in message and charger.under_way(message["transactionId"]) is None:
        return {"status": "UnknownTransaction"}
    charger.station.messages[message["id"]] = message
    return accepted(True)


def get_messages(charger: Charger, payload: Payload) -> Payload:
    id, wanted = need(payload, "requestId", int), payload.get("id")
    found = [
        each
        for each in charger.station.messages.values()
        if (wanted is None or each["id"] in wanted)
        and all(payload[name] == each.get(name) for name in ("priority", "state") if name in payload)
    ]
    unnumbered(charger, "NotifyDisplayMessages", id, "messageInfo", [({}, found)])
    return accepted(bool(found), "Unknown")


def clear_message(charger: Charger, payload: Payload) -> Payload:
    return accepted(charger.station.messages.pop(need(payload, "id", int), None) is not None, "Unknown")


def cost_updated(charger: Charger, payload: Payload) -> Payload:
    id = need(payload, "transactionId", str)
    if charger.under_way(id) is not None:
        charger.station.costs[id] = payload["totalCost"]
    return {}


def network_profile(charger: Charger, payload: Payload) -> Payload:
    slot, profile = need(payload, "configurationSlot", int), need(payload, "connectionData", dict)
    if not 0 <= slot < 4:
        return accepted(False)
    charger.station.networks[slot] = profile
    return accepted(True)


EXTRAS: dict[str, Command] = {
    "ClearDisplayMessage": clear_message,
    "CostUpdated": cost_updated,
    "CustomerInformation": customer_information,
    "DataTransfer": transfer,
    "GetDisplayMessages": get_messages,
    "SetDisplayMessage": set_message,
    "SetNetworkProfile": network_profile,
    "TriggerMessage": trigger,
}


def no(status: str) -> Command:
    """A command that is always answered with this status."""
    return lambda charger, payload: {"status": status, "statusInfo": {"reasonCode": "UnsupportedRequest"}}


def clear_tariffs(charger: Charger, payload: Payload) -> Payload:
    wanted = [{"tariffId": each} for each in payload.get("tariffIds") or []] or [{}]
    return {"clearTariffsResult": [each | {"status": "NoTariff"} for each in wanted]}


REFUSED: dict[str, Command] = {
    "AFRRSignal": no("Rejected"),
    "ChangeTransactionTariff": no("Rejected"),
    "ClearDERControl": no("NotSupported"),
    "ClearTariffs": clear_tariffs,
    "GetDERControl": no("NotSupported"),
    "GetTariffs": no("NoTariff"),
    "NotifyAllowedEnergyTransfer": no("Rejected"),
    "NotifyWebPaymentStarted": lambda charger, payload: {},
    "RequestBatterySwap": no("Rejected"),
    "SetDERControl": no("NotSupported"),
    "SetDefaultTariff": no("Rejected"),
    "UpdateDynamicSchedule": no("Rejected"),
    "UsePriorityCharging": no("NoProfile"),
}
"""What 2.1 adds and this charger has not: tariffs, distributed energy resources, battery swaps."""
