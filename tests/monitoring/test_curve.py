"""The course of a transaction in a bounded number of samples, and what is read of its values."""

from __future__ import annotations

from itertools import pairwise

from ocpp_tw.facts import Value
from ocpp_tw.monitoring.curve import MAX_SAMPLES, Curve
from ocpp_tw.monitoring.readings import read


def value(measurand: str, text: str, unit: str = "W", phase: str | None = None, **more: object) -> Value:
    return Value(measurand, text, unit, None, phase=phase, **more)  # type: ignore[arg-type]


def test_samples_are_told_with_their_time_and_what_is_not_known_is_null() -> None:
    curve = Curve(1_790_000_000)
    curve.add(1_790_000_010, 7000.04, None, 20)
    curve.add(1_790_000_012, 9999, 1, 1)  # too soon
    curve.add(1_790_000_070, 6900, 130, None)
    assert curve.samples() == [[1_790_000_010, 7000.0, None, 20.0], [1_790_000_070, 6900.0, 130.0, None]]


def test_a_long_transaction_keeps_its_shape_in_few_samples() -> None:
    curve = Curve(0)
    for minute in range(5000):
        curve.add(minute * 60, minute, minute * 10, None)
    samples = curve.samples()
    assert MAX_SAMPLES // 4 < len(samples) <= MAX_SAMPLES
    assert samples[0][0] == 0 and samples[-1][0] > 4900 * 60
    gaps = {later[0] - earlier[0] for earlier, later in pairwise(samples)}
    assert max(gaps) <= 2 * min(gaps)


def test_power_is_the_total_or_else_the_sum_of_the_phases() -> None:
    power = "Power.Active.Import"
    phases = [value(power, "1000", phase="L1"), value(power, "1100", phase="L2"), value(power, "1200", phase="L3")]
    assert read(phases).power_w == 3300
    assert read([*phases, value(power, "3400")]).power_w == 3400
    assert read([value(power, "1000", phase="L1-N"), value(power, "99", phase="L1-L2")]).power_w == 1000


def test_only_what_makes_sense_is_read() -> None:
    power = "Power.Active.Import"
    for text in ("-1", "nan", "inf", "1e400", "x", "9" * 500):
        assert read([value(power, text)]).power_w is None
    assert read([value(power, "5", "kW"), value(power, "6", location="Inlet"), value(power, "7", signed=True)]).power_w is None
    assert read([value("SoC", "101", "Percent")]).soc is None
    assert read([value("SoC", "55.5", "Percent"), value("Energy.Active.Import.Register", "7", "Wh")]) == (None, 7, 55.5)
