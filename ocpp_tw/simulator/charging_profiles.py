"""Charging profiles, and the power they allow at a given time (OCPP 1.6 §3.13).

Knows profiles as OCPP 1.6 writes them; nothing of chargers or messages.
"""

from __future__ import annotations

from typing import Any

from .power import Outlet
from .simulated_clock import parse_timestamp

Profile = dict[str, Any]

DISTANT_PAST = -62_000_000_000.0
CYCLES = {"Daily": 86400, "Weekly": 7 * 86400}


class ChargingLimits:
    """The profiles installed on one charger, each with its connector (0: the charger)."""

    __slots__ = ("_profiles",)

    def __init__(self) -> None:
        self._profiles: list[tuple[int, Profile]] = []

    def install(self, connector: int, profile: Profile) -> None:
        """Add a profile. It replaces the one with its id, and the one with its purpose and stack level on that connector."""
        self._profiles = [
            (place, each)
            for place, each in self._profiles
            if each["chargingProfileId"] != profile["chargingProfileId"]
            and (place, each["chargingProfilePurpose"], each["stackLevel"])
            != (connector, profile["chargingProfilePurpose"], profile["stackLevel"])
        ]
        self._profiles.append((connector, profile))

    def clear(self, id: int | None, connector: int | None, purpose: str | None, level: int | None) -> bool:
        """Remove the profile with that id, or (None) all that match the rest; whether there was one."""
        remaining = [
            (place, each)
            for place, each in self._profiles
            if not (
                each["chargingProfileId"] == id
                if id is not None
                else connector in (None, place)
                and purpose in (None, each["chargingProfilePurpose"])
                and level in (None, each["stackLevel"])
            )
        ]
        cleared = len(remaining) < len(self._profiles)
        self._profiles = remaining
        return cleared

    def end(self, connector: int) -> None:
        """A transaction has ended: remove its own profiles."""
        self.clear(None, connector, "TxProfile", None)

    def watts(self, connector: int, at: float, began: float | None, outlet: Outlet) -> float:
        """Watts allowed at POSIX time ``at`` to a transaction that began at ``began`` (None: there is none)."""
        limit = outlet.power
        if not self._profiles:
            return limit
        own = self._limit(connector, "TxProfile", at, began, outlet)
        if own is None:
            own = self._limit(connector, "TxDefaultProfile", at, began, outlet)
        whole = self._limit(0, "ChargePointMaxProfile", at, began, outlet)
        return max(0.0, min(limit, *(each for each in (own, whole) if each is not None), limit))

    def all(self) -> list[tuple[int, Profile]]:
        """Every profile with its connector."""
        return list(self._profiles)

    def periods(self, connector: int, at: float, began: float | None, duration: int, unit: str, outlet: Outlet) -> list[dict[str, Any]]:
        """OCPP's ``chargingSchedulePeriod``: what all profiles together allow for ``duration`` seconds from ``at``."""
        periods: list[dict[str, Any]] = []
        for offset in self.change_offsets(at, began, duration):
            watts = self.watts(connector, at + offset, began, outlet)
            limit = int(watts if unit == "W" else watts / (outlet.volts * outlet.phases))
            if not periods or periods[-1]["limit"] != limit:
                periods.append({"startPeriod": int(offset), "limit": limit})
        return periods

    def change_offsets(self, at: float, began: float | None, duration: float) -> list[float]:
        """The offsets in seconds, from 0 to ``duration``, at which the limit may change."""
        offsets = {0.0}
        for _, profile in self._profiles[:20]:
            since = _since(profile, at, began)
            for period in profile["chargingSchedule"]["chargingSchedulePeriod"][:50]:
                if since is not None and 0 < (offset := period["startPeriod"] - since) < duration:
                    offsets.add(float(offset))
        return sorted(offsets)

    def _limit(self, connector: int, purpose: str, at: float, began: float | None, outlet: Outlet) -> float | None:
        """The limit of the highest stack level that is valid at that time."""
        places = (connector, 0) if purpose == "TxDefaultProfile" else (connector,)
        stack = [each for place, each in self._profiles if place in places and each["chargingProfilePurpose"] == purpose]
        for profile in sorted(stack, key=lambda each: int(each["stackLevel"]), reverse=True):
            since = _since(profile, at, began)
            if since is None:
                continue
            schedule = profile["chargingSchedule"]
            past = [period for period in schedule["chargingSchedulePeriod"] if period["startPeriod"] <= since]
            if past:
                period = max(past, key=lambda each: int(each["startPeriod"]))
                amperes = schedule["chargingRateUnit"] == "A"
                return float(period["limit"]) * (outlet.volts * period.get("numberPhases", outlet.phases) if amperes else 1)
        return None


def _since(profile: Profile, at: float, began: float | None) -> float | None:
    """Seconds into the profile's schedule; None when the profile is not valid at that time."""
    if not (parse_timestamp(profile.get("validFrom")) or DISTANT_PAST) <= at <= (parse_timestamp(profile.get("validTo")) or -DISTANT_PAST):
        return None
    schedule = profile["chargingSchedule"]
    start = parse_timestamp(schedule.get("startSchedule")) or parse_timestamp(profile.get("validFrom"))
    if profile["chargingProfileKind"] == "Relative" or start is None:
        start = at if began is None else began
    since = at - start
    if profile["chargingProfileKind"] == "Recurring":
        since %= CYCLES[profile.get("recurrencyKind", "Daily")]
    duration = schedule.get("duration")
    return since if since >= 0 and (duration is None or since < duration) else None
