"""TriggerMessage of 2.x.

Knows which messages can be triggered; they are sent by the charger and its EVSEs.
"""

from __future__ import annotations

from ...facts import Heartbeat, MeterValues
from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..file_transfers import current_status
from ..own_certificates import STATION, V2G, V2G20
from ..signing import request_certificate
from .evse import evses_of
from .reports import notify_afterwards

CERTIFICATES = {
    "SignChargingStationCertificate": (STATION,),
    "SignCombinedCertificate": (STATION, V2G),
    "SignV2GCertificate": (V2G,),
    "SignV2G20Certificate": (V2G20,),
}
"""The triggers that request a certificate, and what it is for."""


def trigger(charger: CommandTarget, payload: Payload) -> Payload:
    what, place = need(payload, "requestedMessage", str), payload.get("evse")
    evses = evses_of(charger, None if place is None else place["id"])
    if not evses:
        return accepted(False)

    def send_meter_values() -> None:
        for each in evses:
            if values := each.read("Trigger"):
                charger.send_fact(MeterValues(each.number, None, values))

    match what:
        case "BootNotification":
            if charger.accepted:
                return accepted(False)  # 2.0.1 F06.FR.17
            charger.afterwards(lambda: charger.boot("Triggered"))
        case "Heartbeat":
            charger.afterwards(lambda: charger.send_fact(Heartbeat()))
        case "StatusNotification":
            for each in evses:
                charger.afterwards(lambda each=each: charger.send_fact(each.status_fact()))  # type: ignore[misc]
        case "MeterValues":
            charger.afterwards(send_meter_values)
        case "TransactionEvent":
            charging = [each for each in evses if each.ongoing is not None]
            for each in charging:
                charger.afterwards(lambda each=each: each.sample("Trigger"))  # type: ignore[misc]
            return accepted(bool(charging))
        case "LogStatusNotification" | "FirmwareStatusNotification":
            notify_afterwards(charger, what, current_status(charger, what))
        case _ if what in CERTIFICATES:
            uses = CERTIFICATES[what]
            request_certificate(charger, *uses, **({"certificateType": uses[0]} if len(uses) == 1 else {}))
        case _:
            return {"status": "NotImplemented"}
    return accepted(True)


TRIGGER: dict[str, Command] = {"TriggerMessage": trigger}
