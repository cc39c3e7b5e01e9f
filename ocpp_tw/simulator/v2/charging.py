"""The commands of 2.x about charging profiles: set, clear and report them, and compute the composite schedule.

Knows the payloads; what a profile allows is computed in `ocpp_tw.simulator.charging_profiles`, which has them as 1.6 writes them.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..charging_profiles import Profile
from ..command import Command, CommandTarget, accepted, need
from .evse import evse_charging
from .reports import notify_in_parts

PURPOSES = {"ChargingStationMaxProfile": "ChargePointMaxProfile", "TxDefaultProfile": "TxDefaultProfile", "TxProfile": "TxProfile"}
"""The purposes that this charger supports, and their names in 1.6."""

NO_LIMIT = 1e9
"""Watts or amperes of a period without a limit, which 2.1 allows."""


def translated(profile: Payload) -> Profile | None:
    """The profile as `ChargingLimits` has it, with the original inside; None when this charger does not support it."""
    schedules = profile["chargingSchedule"]
    if profile["chargingProfilePurpose"] not in PURPOSES or profile["chargingProfileKind"] == "Dynamic" or not schedules:
        return None
    periods = [{"limit": NO_LIMIT} | each for each in schedules[0]["chargingSchedulePeriod"]]
    return profile | {
        "chargingProfileId": profile["id"],
        "chargingProfilePurpose": PURPOSES[profile["chargingProfilePurpose"]],
        "chargingSchedule": schedules[0] | {"chargingSchedulePeriod": periods},
        "original": profile,
    }


def set_profile(charger: CommandTarget, payload: Payload) -> Payload:
    number, profile = need(payload, "evseId", int), need(payload, "chargingProfile", dict)
    evse, translation = charger.connector(number), translated(profile)
    if (number != 0 and evse is None) or translation is None:
        return accepted(False)
    if profile["chargingProfilePurpose"] == "ChargingStationMaxProfile" and number != 0:
        return accepted(False)
    if profile["chargingProfilePurpose"] == "TxProfile":
        holder = evse_charging(charger, profile.get("transactionId"))  # 2.0.1 K01.FR.03, .09
        if holder is None or holder is not evse:
            return accepted(False)
    charger.limits.install(number, translation)
    return accepted(True)


def clear_profile(charger: CommandTarget, payload: Payload) -> Payload:
    criteria = payload.get("chargingProfileCriteria") or {}
    purpose = criteria.get("chargingProfilePurpose")
    if purpose is not None and purpose not in PURPOSES:
        return accepted(False, "Unknown")
    found = charger.limits.clear(
        payload.get("chargingProfileId"), criteria.get("evseId"), purpose and PURPOSES[purpose], criteria.get("stackLevel")
    )
    return accepted(found, "Unknown")


def get_profiles(charger: CommandTarget, payload: Payload) -> Payload:
    request, requested, number = need(payload, "requestId", int), need(payload, "chargingProfile", dict), payload.get("evseId")
    found: dict[int, list[Payload]] = {}
    for place, each in charger.limits.all():
        profile = each["original"]
        if (
            number in (None, place)
            and profile["id"] in requested.get("chargingProfileId", [profile["id"]])
            and requested.get("chargingProfilePurpose") in (None, profile["chargingProfilePurpose"])
            and requested.get("stackLevel") in (None, profile["stackLevel"])
            and "CSO" in requested.get("chargingLimitSource", ["CSO"])
        ):
            found.setdefault(place, []).append(profile)
    groups: list[tuple[Payload, list[Payload]]] = [({"evseId": place, "chargingLimitSource": "CSO"}, each) for place, each in found.items()]
    notify_in_parts(charger, "ReportChargingProfiles", request, "chargingProfile", groups)
    return accepted(bool(found), "NoProfiles")


def composite_schedule(charger: CommandTarget, payload: Payload) -> Payload:
    number, duration = need(payload, "evseId", int), need(payload, "duration", int)
    evse = charger.connector(number)
    if (number != 0 and evse is None) or duration <= 0:
        return accepted(False)
    began = evse.transaction.began if evse is not None and evse.transaction is not None else None
    unit = payload.get("chargingRateUnit", "W")
    periods = charger.limits.periods(number, charger.clock.now(), began, duration, unit, charger.outlet)
    schedule = {
        "evseId": number,
        "duration": duration,
        "scheduleStart": charger.clock.timestamp(),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": periods,
    }
    return accepted(True) | {"schedule": schedule}


CHARGING: dict[str, Command] = {
    "ClearChargingProfile": clear_profile,
    "GetChargingProfiles": get_profiles,
    "GetCompositeSchedule": composite_schedule,
    "SetChargingProfile": set_profile,
}
