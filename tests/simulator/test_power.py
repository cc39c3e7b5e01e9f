"""The power curve and the meter."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.simulator.power import Car, Meter, Outlet, power_drawn

EVERYTHING = frozenset({"Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage", "SoC"})


def test_the_curve_ramps_up_stays_level_and_tapers_off() -> None:
    assert power_drawn(Car(soc=0.5), 0, 11_000) == 0 and power_drawn(Car(soc=0.5), 10, 11_000) == 5_500
    assert power_drawn(Car(soc=0.5), 60, 11_000) == 11_000 and power_drawn(Car(soc=0.5, power=7_000), 60, 11_000) == 7_000
    assert power_drawn(Car(soc=0.9), 60, 11_000) < 5_501 and power_drawn(Car(soc=1.0), 60, 11_000) == 0


@given(st.floats(0, 1), st.floats(1_000, 300_000), st.lists(st.floats(0, 7200), max_size=10))
def test_the_register_never_falls_and_no_battery_overflows(soc: float, power: float, times: list[float]) -> None:
    car, meter, since = Car(soc=soc), Meter(Outlet(power), Random(1), 5.0), 0.0
    for until in sorted(times):
        before = meter.register
        meter.advance(car, since, until, power)
        assert before <= meter.register <= before + power * (until - since) / 3600 + 1e-6
        assert soc <= car.soc <= 1 and 0 <= meter.power <= power
        since = until
    assert meter.register - 5 <= (1 - soc) * car.capacity + 1


def test_currents_and_voltages_of_three_phases_add_up_to_the_power() -> None:
    car, meter = Car(soc=0.4), Meter(Outlet(22_000), Random(1))
    meter.advance(car, 0, 600, 22_000)
    samples = meter.read(car, EVERYTHING)
    amperes = {each.phase: float(each.value) for each in samples if each.measurand == "Current.Import"}
    volts = {each.phase: float(each.value) for each in samples if each.measurand == "Voltage"}
    assert set(amperes) == {"L1", "L2", "L3"} and set(volts) == {"L1-N", "L2-N", "L3-N"}
    assert abs(sum(amperes[name] * volts[f"{name}-N"] for name in amperes) - meter.power) < 10
    assert "SoC" not in {each.measurand for each in samples} and meter.read(car, frozenset()) == []
