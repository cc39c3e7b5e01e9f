"""Normalised meter values: canonical units and exact decimals, from whatever a charger sends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocpp_tw.facts import Value
from ocpp_tw.ocpp.meter_values import ENERGY, UNITS, energy, normalise, plain
from ocpp_tw.ocpp.numbers import decimal_number, is_plain, shifted
from ocpp_tw.ocpp.tolerance import coercion
from payloads import json_values, schema, valid

TIME = "2026-11-22T10:00:00Z"


def reading(*samples: Any, timestamp: Any = TIME) -> dict[str, Any]:
    """One element of a meterValue array."""
    return {"timestamp": timestamp, "sampledValue": list(samples)}


def one(**sample: Any) -> Value:
    """The only value of a sample."""
    (value,) = normalise([reading(sample)])
    return value


def test_a_sample_with_only_a_value_is_energy_in_wh() -> None:
    """FIELD 25, OCPP 1.6 §7.43: the defaults."""
    assert one(value="1234") == Value(ENERGY, "1234", "Wh", TIME)


def test_every_member_of_a_sample_is_kept() -> None:
    """FIELD 25: phase, context and location beside the value."""
    said = {"measurand": "Voltage", "unit": "V", "phase": "L1-N", "context": "Sample.Periodic", "location": "Outlet"}
    assert one(value="230.1", **said) == Value("Voltage", "230.1", "V", TIME, "Sample.Periodic", "L1-N", "Outlet")


def test_values_come_in_the_order_of_their_samples() -> None:
    """Over all readings."""
    values = normalise([reading({"value": "1"}, {"value": "2"}, timestamp="a"), reading({"value": "3"}, timestamp="b")])
    assert [(each.value, each.timestamp) for each in values] == [("1", "a"), ("2", "a"), ("3", "b")]


@pytest.mark.parametrize(
    ("value", "unit", "canonical"),
    [
        ("12.50", "kWh", ("12500", "Wh")),
        ("0.001", "kWh", ("1", "Wh")),
        ("0.0001", "kWh", ("0.1", "Wh")),
        ("-1.5", "kW", ("-1500", "W")),
        ("7", "kvarh", ("7000", "varh")),
        ("7", "kVAh", ("7000", "VAh")),
        ("7", "kvar", ("7000", "var")),
        ("7.25", "kVA", ("7250", "VA")),
        ("80", "%", ("80", "Percent")),
        ("80", "Percent", ("80", "Percent")),
        ("21.5", "Celcius", ("21.5", "Celsius")),
        ("21.5", "C", ("21.5", "Celsius")),
        ("70.7", "Fahrenheit", ("21.5", "Celsius")),
        ("300", "K", ("26.85", "Celsius")),
        ("50", "Hertz", ("50", "Hz")),
        ("50", "Hz", ("50", "Hz")),
        ("1e3", "kWh", ("1000000", "Wh")),
        ("3", "Fortnights", ("3", "Fortnights")),
    ],
)
def test_every_unit_becomes_its_canonical_one(value: str, unit: str, canonical: tuple[str, str]) -> None:
    """FIELD 25, R17: Celsius in both of its spellings, `C` (726), `Hertz` (70); an unknown unit stays what it is."""
    measured = one(value=value, unit=unit)
    assert (measured.value, measured.unit) == canonical


@pytest.mark.parametrize(
    ("measurand", "unit"),
    [
        ("Energy.Active.Export.Interval", "Wh"),
        ("Energy.Reactive.Import.Register", "varh"),
        ("Energy.Apparent.Net", "VAh"),
        ("Power.Active.Import", "W"),
        ("Power.Offered", "W"),
        ("Power.Reactive.Export", "var"),
        ("Power.Factor", None),
        ("Current.Import", "A"),
        ("Voltage", "V"),
        ("SoC", "Percent"),
        ("Temperature", "Celsius"),
        ("Frequency", "Hz"),
        ("RPM", "RPM"),
        ("Vendor.Thing", None),
    ],
)
def test_a_missing_unit_is_that_of_the_measurand(measurand: str, unit: str | None) -> None:
    """FIELD 25: thread 1989, power without a unit was shown as kW."""
    assert one(value="1", measurand=measurand).unit == unit


def test_every_unit_and_measurand_of_ocpp_is_known() -> None:
    """By its own schema."""
    sample = schema("v16", "MeterValues")["properties"]["meterValue"]["items"]["properties"]["sampledValue"]["items"]["properties"]
    assert set(sample["unit"]["enum"]) <= set(UNITS)
    unitless = {each for each in sample["measurand"]["enum"] if one(value="1", measurand=each).unit is None}
    assert unitless == {"Power.Factor"}


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_and_empty_members_count_as_missing(nothing: str | None) -> None:
    """FIELD 20: some chargers send them for a missing member."""
    measured = one(value="1", measurand=nothing, unit=nothing, phase=None, context=None, location=None)
    assert measured == Value(ENERGY, "1", "Wh", TIME)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        *(("0", "0"), ("007", "007"), ("12.50", "12.50"), ("-3", "-3"), ("+3", "3"), (" 3 ", "3"), ("12,5", "12.5"), ("1E2", "100")),
        *((5, "5"), (-2.5, "-2.5"), (0.1, "0.1"), (1e-7, "0.0000001")),
    ],
)
def test_a_number_is_read_in_any_notation(value: Any, read: str) -> None:
    """FIELD 20: with a comma, as a number instead of a string."""
    assert one(value=value).value == read


@pytest.mark.parametrize(
    "value",
    ["", " ", ".", "-", "abc", "NaN", "Infinity", "1.2.3", "0x10", "²", "1²", "½", "1e999", None, True, [], {}, float("inf"), 1e300],
)
def test_a_value_that_is_not_a_number_is_left_out(value: Any) -> None:
    """The raw readings still have it; "²" is a digit to Python, but not a number."""
    assert normalise([reading({"value": value}, {"value": "1"})]) == [Value(ENERGY, "1", "Wh", TIME)]


@pytest.mark.parametrize("unit", ["Fahrenheit", "K", "kWh"])
def test_a_number_beyond_all_bounds_raises_nothing(unit: str) -> None:
    """Decimal raises an exception beyond its precision."""
    for value in ("9" * 19, "9" * 29, "9" * 30, "1e-19", "1e-29"):
        normalise([reading({"value": value, "unit": unit})])


def test_signed_data_is_passed_on_and_marked() -> None:
    """It is not a number, and never the energy."""
    values = normalise(
        [reading({"value": "OCMF|{…}|{…}", "format": "SignedData"}, {"value": "5", "format": "Raw"}, {"value": 7, "format": "SignedData"})]
    )
    assert [(each.value, each.signed) for each in values] == [("OCMF|{…}|{…}", True), ("5", False)]


@pytest.mark.parametrize(
    "nonsense", [None, 7, "x", [], [{}], {"sampledValue": None}, {"sampledValue": {"value": "1"}}, {"sampledValue": "x"}, {}]
)
def test_an_element_that_is_not_a_reading_is_left_out(nonsense: Any) -> None:
    """FIELD 20: the readings around it are kept."""
    values = normalise([reading({"value": "1"}), nonsense, reading({"value": "2"})])
    assert [each.value for each in values] == ["1", "2"]


@pytest.mark.parametrize(
    "nonsense", [None, 7, "x", [], {}, {"value": "9", "measurand": []}, {"value": "9", "unit": {}}, {"value": "9", "phase": 1}]
)
def test_an_element_that_is_not_a_sample_is_left_out(nonsense: Any) -> None:
    """FIELD 20: of a sample with members of wrong types the others count."""
    values = normalise([reading({"value": "1"}, nonsense, {"value": "2"})])
    assert [each.value for each in values if each.value != "9"] == ["1", "2"]
    assert all(each == Value(ENERGY, "9", "Wh", TIME) for each in values if each.value == "9")


def test_a_timestamp_that_is_not_a_string_is_none() -> None:
    """The value is kept."""
    assert normalise([reading({"value": "1"}, timestamp=7)]) == [Value(ENERGY, "1", "Wh", None)]


readings = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "timestamp": json_values(),
            "sampledValue": json_values()
            | st.lists(
                st.fixed_dictionaries(
                    {"value": st.from_regex(r"[0-9.,eE+-]{0,12}", fullmatch=True) | json_values(nan=True)},
                    optional={
                        "unit": st.sampled_from(sorted(UNITS)) | json_values(),
                        "measurand": st.sampled_from(["Voltage", "Temperature", ENERGY]) | json_values(),
                        **dict.fromkeys(("format", "phase", "context", "location"), json_values() | st.just("SignedData")),
                    },
                )
                | json_values(),
                max_size=4,
            ),
        },
    )
    | json_values(),
    max_size=4,
)


@given(readings)
@example([reading({"value": "9" * 29, "unit": "Fahrenheit"})])
@settings(deadline=None)
def test_any_readings_become_values_of_the_contracts_types(given: list[Any]) -> None:
    """FIELD 20, 25: nothing a charger sends raises, and a backend with a typed model reads all of it."""
    values = normalise(given)
    assert msgspec.convert(msgspec.to_builtins(values), list[Value]) == values
    assert all(each.signed or Decimal(each.value).is_finite() for each in values)
    energy(values)


@given(valid(schema("v16", "MeterValues")))
@settings(deadline=None)
def test_of_valid_readings_every_number_is_a_value(payload: dict[str, Any]) -> None:
    """No sample of a conforming charger is lost."""
    samples = [sample for each in payload["meterValue"] for sample in each["sampledValue"]]
    for sample in samples:
        sample["value"] = "1"
    assert len(normalise(payload["meterValue"])) == len(samples)


@given(st.decimals(0, 10**9, places=6), st.sampled_from(["Wh", "kWh"]))
@settings(deadline=None)
def test_energies_are_exact(number: Decimal, unit: str) -> None:
    """FIELD 25: Decimal as a string; no digit is invented or lost."""
    assert Decimal(one(value=f"{number:f}", unit=unit).value) == number * (1000 if unit == "kWh" else 1)


@given(st.decimals(-(10**12), 10**12, places=4))
@settings(deadline=None)
def test_plain_is_the_same_number_without_exponent(number: Decimal) -> None:
    """And without trailing zeros after the point."""
    assert Decimal(plain(number)) == number and "e" not in plain(number).lower()
    assert not ("." in plain(number) and plain(number).endswith(("0", ".")))


# the connector's register


@given(st.from_regex(r"[0-9]{0,12}\.?[0-9]{1,8}", fullmatch=True), st.integers(-15, 15))
@example("0", 3)
@example("0.000", -1)
def test_a_moved_point_is_a_power_of_ten(text: str, power: int) -> None:
    if is_plain(text):
        assert shifted(text, power) == plain(decimal_number(text).scaleb(power))


def test_the_energy_is_the_last_whole_reading_of_the_import_register() -> None:
    """In whole Wh, of the connector as a whole: other phases, places, measurands and signed data are something else."""
    values = normalise(
        [
            reading({"value": "1.0", "unit": "kWh"}, {"value": "5", "measurand": "Power.Active.Import"}),
            reading(
                {"value": "1.2345", "unit": "kWh", "location": "Outlet"},
                {"value": "400", "phase": "L1"},
                {"value": "9000", "location": "Inlet"},
                {"value": "9000", "measurand": "Energy.Active.Export.Register"},
                {"value": "9000", "format": "SignedData"},
            ),
        ]
    )
    assert energy(values) == 1234


@pytest.mark.parametrize("samples", [[], [{"value": "1", "measurand": "Voltage"}], [{"value": "1", "phase": "L1"}]])
def test_without_such_a_reading_there_is_no_energy(samples: list[Any]) -> None:
    """It is unknown, which is not 0."""
    assert energy(normalise([reading(*samples)])) is None


# units and numbers in odd spellings (issue 11, A.4 and B.11)


@pytest.mark.parametrize(
    ("unit", "wh"),
    [
        ("kwh", 1500),
        ("KWH", 1500),
        ("k Wh", 1500),
        ("wh", 1),
        ("WH", 1),
        ("MWh", 1_500_000),
        ("MWH", 1_500_000),
        ("J", None),
        ("mwh", None),
    ],
)
def test_an_energy_is_in_wh_or_not_known(unit, wh):
    """Units are folded as 1.6's are; an energy in a unit that nobody knows is no number of Wh."""
    for sample in ({"value": "1.5", "unit": unit}, {"value": 1.5, "unitOfMeasure": {"unit": unit}}):
        assert energy(normalise([{"timestamp": "2026-11-22T10:00:00Z", "sampledValue": [sample]}])) in (wh, wh and wh + 1)


def test_a_register_in_an_unknown_unit_does_not_hide_one_in_wh():
    samples = [{"value": "1500", "unit": "Wh"}, {"value": "5400000", "unit": "J"}]
    values = normalise([{"timestamp": "2026-11-22T10:00:00Z", "sampledValue": samples}])
    assert energy(values) == 1500 and values[1].unit == "J"


@pytest.mark.parametrize(
    ("times", "wh"),
    [
        (("10:00:00Z", "10:05:00Z", "10:10:00Z"), 3),
        (("10:10:00Z", "10:05:00Z", "10:00:00Z"), 1),
        (("10:00:00Z", "10:10:00.5Z", "10:10:00Z"), 2),
        (("10:00:00Z", "12:05:00+02:00", "10:04:00Z"), 2),
        (("10:00:00Z", "10:00:00Z", "10:00:00Z"), 3),
        (("10:00:00Z", "", "9 o'clock"), 3),
    ],
)
def test_the_energy_is_that_of_the_latest_reading_in_whatever_order(times: tuple[str, ...], wh: int) -> None:
    """By their times; the last of several of one time, or without one."""
    readings = [reading({"value": str(number)}, timestamp=f"2026-11-22T{time}") for number, time in enumerate(times, 1)]
    assert energy(normalise(readings)) == wh


@pytest.mark.parametrize("text", ["1,234", "-1,234", "1_000", "1 000", "0x10", "NaN", "Infinity", "1e30", "١٢"])
def test_what_is_no_plain_number_is_none_anywhere(text):
    """One rule for meter values and for integers and numbers of messages."""
    assert normalise([{"timestamp": None, "sampledValue": [{"value": text}]}]) == []
    assert coercion.to_integer(text, rounds=True) is None and coercion.to_number(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [("12,5", "12.5"), (" 7 ", "7"), (".5", "0.5"), ("1e3", "1000"), ("+3", "3"), ("1234,5", "1234.5")]
)
def test_a_plain_number_is_read_everywhere(text, value):
    (read,) = normalise([{"timestamp": None, "sampledValue": [{"value": text, "unit": "Wh"}]}])
    assert float(read.value) == float(value) == coercion.to_number(text)


@pytest.mark.parametrize("digits", [21, 4000, 5000])
def test_more_digits_than_any_meter_has_are_no_reading(digits: int) -> None:
    """Python refuses to read more than 4,300; an integer of 4,000 is not an energy either."""
    values = normalise([reading({"value": "9" * digits}, {"value": "7"})])
    assert [each.value for each in values] == ["7"]
    assert energy([Value(ENERGY, "9" * digits, "Wh", TIME)]) is None


@pytest.mark.parametrize("measure", [{"multiplier": 13}, {"multiplier": 1.5}, {"multiplier": "x"}, [{"unit": "kWh"}], 3])
def test_a_sample_of_an_unknown_factor_is_no_reading(measure: Any) -> None:
    assert normalise([reading({"value": 5, "unitOfMeasure": measure})]) == []


def test_a_unit_of_measure_counts_whatever_else_is_odd() -> None:
    for value, measure in ((5, "kWh"), ("5", {"unit": "kWh"}), (5, {"unit": "kWh", "multiplier": None})):
        made = one(value=value, unitOfMeasure=measure)
        assert (made.value, made.unit) == ("5000", "Wh")
