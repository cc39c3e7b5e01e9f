"""The commands of OCPP 1.6 about charging profiles: set, clear, and what they amount to.

Knows the payloads; what a profile means is known in `ocpp_tw.simulator.profiles`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ocpp.frames import Payload
from .dialect import Command, accepted, need

if TYPE_CHECKING:
    from .charger import Charger
    from .connector import Connector


def place(charger: Charger, payload: Payload) -> tuple[bool, Connector | None]:
    """Whether connectorId names something here, and the connector (None: the charger as a whole)."""
    number = need(payload, "connectorId", int)
    connector = charger.connector(number)
    return number == 0 or connector is not None, connector


def set_profile(charger: Charger, payload: Payload) -> Payload:
    here, connector = place(charger, payload)
    profile = need(payload, "csChargingProfiles", dict)
    purpose, transaction = profile["chargingProfilePurpose"], connector.transaction if connector is not None else None
    wrong_transaction = transaction is None or profile.get("transactionId") not in (None, transaction.id)
    if (
        not here
        or (purpose == "ChargePointMaxProfile" and connector is not None)
        or (purpose == "TxProfile" and wrong_transaction)
        or not profile["chargingSchedule"]["chargingSchedulePeriod"]
    ):
        return accepted(False)
    charger.limits.install(need(payload, "connectorId", int), profile)
    return accepted(True)


def clear_profile(charger: Charger, payload: Payload) -> Payload:
    members = (payload.get(name) for name in ("id", "connectorId", "chargingProfilePurpose", "stackLevel"))
    return accepted(charger.limits.clear(*members), "Unknown")


def composite_schedule(charger: Charger, payload: Payload) -> Payload:
    here, connector = place(charger, payload)
    number, duration = need(payload, "connectorId", int), need(payload, "duration", int)
    if not here or duration <= 0:
        return accepted(False)
    now, unit = charger.pace.now(), payload.get("chargingRateUnit", "W")
    began = connector.transaction.began if connector is not None and connector.transaction is not None else None
    periods = charger.limits.periods(number, now, began, duration, unit, charger.outlet)
    schedule = {
        "duration": duration,
        "startSchedule": (start := charger.pace.stamp()),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return accepted(True) | {"connectorId": number, "scheduleStart": start, "chargingSchedule": schedule}


CHARGING: dict[str, Command] = {
    "ClearChargingProfile": clear_profile,
    "GetCompositeSchedule": composite_schedule,
    "SetChargingProfile": set_profile,
}
