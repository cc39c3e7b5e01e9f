"""The power that charging profiles allow."""

from __future__ import annotations

from ocpp_tw.simulator.charging_profiles import ChargingLimits
from ocpp_tw.simulator.power import Outlet


def test_profiles_of_a_higher_level_win_and_schedules_move_on() -> None:
    limits, outlet = ChargingLimits(), Outlet(22_000)
    periods = [{"startPeriod": 0, "limit": 10_000}, {"startPeriod": 600, "limit": 0}]
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": periods}
    base = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    limits.install(0, base | {"chargingSchedule": schedule})
    assert limits.watts(1, 1000.0, 1000.0, outlet) == 10_000 and limits.watts(1, 1700.0, 1000.0, outlet) == 0
    assert limits.change_offsets(1000.0, 1000.0, 3600) == [0.0, 600.0]
    daily = {"startSchedule": "2026-11-23T00:00:00Z", "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}
    recurring = {"chargingProfileId": 2, "stackLevel": 5, "chargingProfileKind": "Recurring", "recurrencyKind": "Daily"}
    limits.install(1, base | recurring | {"chargingSchedule": daily | {"duration": 3600}})
    midnight = 1_795_392_000.0  # 2026-11-23T00:00:00Z
    assert limits.watts(1, midnight + 86400 + 1800, midnight, outlet) == 6 * 230 * 3
    assert limits.watts(1, midnight + 86400 + 7200, midnight + 86400 + 7200, outlet) == 10_000
    assert limits.watts(2, midnight + 1800, midnight + 1800, outlet) == 10_000
    limits.install(1, base | {"chargingProfileId": 2, "chargingProfilePurpose": "TxProfile", "chargingSchedule": schedule})
    limits.end(1)
    assert limits.clear(2, None, None, None) is False
