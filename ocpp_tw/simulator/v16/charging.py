"""The commands of OCPP 1.6 about charging profiles: set them, clear them, and compute the composite schedule.

Knows the payloads; what a profile allows is computed in `ocpp_tw.simulator.charging_profiles`.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..connector import Connector


def find_connector(charger: CommandTarget, payload: Payload) -> tuple[bool, Connector | None]:
    """Whether connectorId exists, and the connector (None: the charger as a whole)."""
    number = need(payload, "connectorId", int)
    connector = charger.connector(number)
    return number == 0 or connector is not None, connector


def set_profile(charger: CommandTarget, payload: Payload) -> Payload:
    exists, connector = find_connector(charger, payload)
    profile = need(payload, "csChargingProfiles", dict)
    purpose, transaction = profile["chargingProfilePurpose"], connector.transaction if connector is not None else None
    wrong_transaction = transaction is None or profile.get("transactionId") not in (None, transaction.id)
    if (
        not exists
        or (purpose == "ChargePointMaxProfile" and connector is not None)
        or (purpose == "TxProfile" and wrong_transaction)
        or not profile["chargingSchedule"]["chargingSchedulePeriod"]
    ):
        return accepted(False)
    charger.limits.install(need(payload, "connectorId", int), profile)
    return accepted(True)


def clear_profile(charger: CommandTarget, payload: Payload) -> Payload:
    members = (payload.get(name) for name in ("id", "connectorId", "chargingProfilePurpose", "stackLevel"))
    return accepted(charger.limits.clear(*members), "Unknown")


def composite_schedule(charger: CommandTarget, payload: Payload) -> Payload:
    exists, connector = find_connector(charger, payload)
    number, duration = need(payload, "connectorId", int), need(payload, "duration", int)
    if not exists or duration <= 0:
        return accepted(False)
    now, unit = charger.clock.now(), payload.get("chargingRateUnit", "W")
    began = connector.transaction.began if connector is not None and connector.transaction is not None else None
    periods = charger.limits.periods(number, now, began, duration, unit, charger.outlet)
    schedule = {
        "duration": duration,
        "startSchedule": (start := charger.clock.timestamp()),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return accepted(True) | {"connectorId": number, "scheduleStart": start, "chargingSchedule": schedule}


CHARGING: dict[str, Command] = {
    "ClearChargingProfile": clear_profile,
    "GetCompositeSchedule": composite_schedule,
    "SetChargingProfile": set_profile,
}
