"""The commands of 2.x about charging profiles: set, clear, report, and what they amount to.

Knows the payloads; what a profile means is known in `ocpp_tw.simulator.profiles`, which has them in 1.6's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ocpp.frames import Payload
from .dialect import Command, accepted, need
from .profiles import Profile
from .v2_reports import unnumbered

if TYPE_CHECKING:
    from .charger import Charger

PURPOSES = {"ChargingStationMaxProfile": "ChargePointMaxProfile", "TxDefaultProfile": "TxDefaultProfile", "TxProfile": "TxProfile"}
"""The purposes that this charger obeys, and what 1.6 calls them."""

NO_LIMIT = 1e9
"""Watts or amperes that are no limit: in 2.1 a period may have none."""


def translated(profile: Payload) -> Profile | None:
    """The profile as `Limits` has it, with its original inside; None when this charger cannot obey it."""
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


def set_profile(charger: Charger, payload: Payload) -> Payload:
    number, profile = need(payload, "evseId", int), need(payload, "chargingProfile", dict)
    evse, ours = charger.connector(number), translated(profile)
    if (number != 0 and evse is None) or ours is None:
        return accepted(False)
    if profile["chargingProfilePurpose"] == "ChargingStationMaxProfile" and number != 0:
        return accepted(False)
    if profile["chargingProfilePurpose"] == "TxProfile":
        holder = charger.under_way(profile.get("transactionId"))  # 2.0.1 K01.FR.03, .09
        if holder is None or holder is not evse:
            return accepted(False)
    charger.limits.install(number, ours)
    return accepted(True)


def clear_profile(charger: Charger, payload: Payload) -> Payload:
    criteria = payload.get("chargingProfileCriteria") or {}
    purpose = criteria.get("chargingProfilePurpose")
    if purpose is not None and purpose not in PURPOSES:
        return accepted(False, "Unknown")
    found = charger.limits.clear(
        payload.get("chargingProfileId"), criteria.get("evseId"), purpose and PURPOSES[purpose], criteria.get("stackLevel")
    )
    return accepted(found, "Unknown")


def get_profiles(charger: Charger, payload: Payload) -> Payload:
    request, wanted, number = need(payload, "requestId", int), need(payload, "chargingProfile", dict), payload.get("evseId")
    found: dict[int, list[Payload]] = {}
    for where, each in charger.limits.all():
        profile = each["original"]
        if (
            number in (None, where)
            and profile["id"] in wanted.get("chargingProfileId", [profile["id"]])
            and wanted.get("chargingProfilePurpose") in (None, profile["chargingProfilePurpose"])
            and wanted.get("stackLevel") in (None, profile["stackLevel"])
            and "CSO" in wanted.get("chargingLimitSource", ["CSO"])
        ):
            found.setdefault(where, []).append(profile)
    groups: list[tuple[Payload, list[Payload]]] = [({"evseId": where, "chargingLimitSource": "CSO"}, each) for where, each in found.items()]
    unnumbered(charger, "ReportChargingProfiles", request, "chargingProfile", groups)
    return accepted(bool(found), "NoProfiles")


def composite_schedule(charger: Charger, payload: Payload) -> Payload:
    number, duration = need(payload, "evseId", int), need(payload, "duration", int)
    evse = charger.connector(number)
    if (number != 0 and evse is None) or duration <= 0:
        return accepted(False)
    began = evse.transaction.began if evse is not None and evse.transaction is not None else None
    unit = payload.get("chargingRateUnit", "W")
    periods = charger.limits.periods(number, charger.pace.now(), began, duration, unit, charger.outlet)
    schedule = {
        "evseId": number,
        "duration": duration,
        "scheduleStart": charger.pace.stamp(),
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
