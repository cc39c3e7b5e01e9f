"""The power curve, the meter, the charging profiles and the report of a run: what needs neither clock nor wire."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.simulator.power import Car, Meter, Outlet, wanted
from ocpp_tw.simulator.profiles import Limits
from ocpp_tw.simulator.report import Tally, lines, spread

EVERYTHING = frozenset({"Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage", "SoC"})


def test_the_curve_ramps_up_stays_level_and_tapers_off() -> None:
    assert wanted(Car(soc=0.5), 0, 11_000) == 0 and wanted(Car(soc=0.5), 10, 11_000) == 5_500
    assert wanted(Car(soc=0.5), 60, 11_000) == 11_000 and wanted(Car(soc=0.5, power=7_000), 60, 11_000) == 7_000
    assert wanted(Car(soc=0.9), 60, 11_000) < 5_501 and wanted(Car(soc=1.0), 60, 11_000) == 0


@given(st.floats(0, 1), st.floats(1_000, 300_000), st.lists(st.floats(0, 7200), max_size=10))
def test_the_register_only_rises_and_no_battery_overflows(soc: float, power: float, times: list[float]) -> None:
    car, meter, since = Car(soc=soc), Meter(Outlet(power), Random(1), 5.0), 0.0
    for until in sorted(times):
        before = meter.register
        meter.advance(car, since, until, power)
        assert before <= meter.register <= before + power * (until - since) / 3600 + 1e-6
        assert soc <= car.soc <= 1 and 0 <= meter.power <= power
        since = until
    assert meter.register - 5 <= (1 - soc) * car.capacity + 1


def test_a_meter_of_three_phases_fits_itself() -> None:
    car, meter = Car(soc=0.4), Meter(Outlet(22_000), Random(1))
    meter.advance(car, 0, 600, 22_000)
    samples = meter.read(car, EVERYTHING)
    amperes = {each.phase: float(each.value) for each in samples if each.measurand == "Current.Import"}
    volts = {each.phase: float(each.value) for each in samples if each.measurand == "Voltage"}
    assert set(amperes) == {"L1", "L2", "L3"} and set(volts) == {"L1-N", "L2-N", "L3-N"}
    assert abs(sum(amperes[name] * volts[f"{name}-N"] for name in amperes) - meter.power) < 10
    assert "SoC" not in {each.measurand for each in samples} and meter.read(car, frozenset()) == []


def test_profiles_of_a_higher_level_win_and_schedules_move_on() -> None:
    limits, outlet = Limits(), Outlet(22_000)
    periods = [{"startPeriod": 0, "limit": 10_000}, {"startPeriod": 600, "limit": 0}]
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": periods}
    base = {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    limits.install(0, base | {"chargingSchedule": schedule})
    assert limits.watts(1, 1000.0, 1000.0, outlet) == 10_000 and limits.watts(1, 1700.0, 1000.0, outlet) == 0
    assert limits.changes(1000.0, 1000.0, 3600) == [0.0, 600.0]
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


def test_the_report_names_what_went_wrong() -> None:
    tally = Tally(chargers=2, connections=2, sent=5, received=4, commands=1, refused=1, lost=1)
    for each in range(100):
        tally.answered("Heartbeat", (each + 1) / 1000)
    tally.refused_call("Authorize", "InternalError", "")
    tally.timed_out("Heartbeat")
    tally.tags["Blocked"] += 1
    summary = json.loads(json.dumps(tally.summary(1.5)))
    assert summary["latency_ms"]["all"] == {"count": 100, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    text = "\n".join(lines(summary))
    for words in ("3: ", "1 CALLERROR Authorize: InternalError", "1 unanswered Heartbeat", "1 connections refused", "1 Blocked", "1 lost"):
        assert words in text
    assert (
        "none" in "\n".join(lines(Tally().summary(0.0))) and spread(Tally().latencies.get("x", __import__("array").array("d")))["max"] == 0
    )
