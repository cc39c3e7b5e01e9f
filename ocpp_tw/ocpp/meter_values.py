"""Normalises meter values: from OCPP's nested readings to one flat list in canonical units.

Knows nothing of transactions. Accepts whatever a charger sends; a sample that makes no sense is left out of the list
(the event still has it in the raw readings).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ..facts import Readings, Value, Values
from .numbers import MAX_DIGITS, decimal_number, is_plain, shifted
from .timestamps import is_earlier
from .tolerance.aliases import folded

ENERGY = "Energy.Active.Import.Register"
"""The measurand of a sample without one (OCPP 1.6 §7.43)."""

POWER, SOC = "Power.Active.Import", "SoC"

LOOKED_AT: Mapping[str, int] = {ENERGY: MAX_DIGITS, POWER: 8, SOC: 2}
"""The measurands whose values the gateway itself looks at, for what a transaction has delivered and for operators -> digits before the point with
which a value is believed, whatever it is (`ocpp_tw.monitoring.readings`)."""

NEEDS_FORMULA = 99
"""In place of the power of ten, for units whose conversion takes a formula."""

UNITS: dict[str, tuple[str | None, int]] = {
    "Wh": ("Wh", 0),
    "kWh": ("Wh", 3),
    "MWh": ("Wh", 6),
    "MWH": ("Wh", 6),  # but "mwh" may be thousandths
    "varh": ("varh", 0),
    "kvarh": ("varh", 3),
    "VAh": ("VAh", 0),
    "kVAh": ("VAh", 3),
    "W": ("W", 0),
    "kW": ("W", 3),
    "var": ("var", 0),
    "kvar": ("var", 3),
    "VA": ("VA", 0),
    "kVA": ("VA", 3),
    "A": ("A", 0),
    "V": ("V", 0),
    "Percent": ("Percent", 0),
    "%": ("Percent", 0),
    "Celsius": ("Celsius", 0),
    "Celcius": ("Celsius", 0),  # both spellings are valid (1.6 errata)
    "C": ("Celsius", 0),
    "Fahrenheit": ("Celsius", NEEDS_FORMULA),
    "K": ("Celsius", NEEDS_FORMULA),
    "Hz": ("Hz", 0),
    "Hertz": ("Hz", 0),
    "RPM": ("RPM", 0),
}
"""A charger's unit -> the canonical unit and the power of ten between them."""

_FOLDED_UNITS = {folded(unit): meant for unit, meant in UNITS.items() if folded(unit) not in ("", "mwh")}
"""The same for a unit in another spelling: "kwh", "KWH", "k Wh"; no two of different meaning are equal when folded."""

_DEFAULT_UNITS: tuple[tuple[str, str | None], ...] = (
    ("Energy.Reactive", "varh"),
    ("Energy.Apparent", "VAh"),
    ("Energy", "Wh"),
    ("Power.Reactive", "var"),
    ("Power.Factor", None),
    ("Power", "W"),
    ("Current", "A"),
    ("Voltage", "V"),
    ("SoC", "Percent"),
    ("Temperature", "Celsius"),
    ("Frequency", "Hz"),
    ("RPM", "RPM"),
)
"""The unit of a sample without one, by the beginning of its measurand; the first match counts."""

MAX_POWER = 12
"""Largest power of ten, up or down, that a sample of 2.x may give: no meter counts in more."""

MAX_UNIT = 20
"""Longest unit that is compared with the known ones, in characters (2.x allows 20); the rest of a longer one is ignored."""

MAX_CACHED_UNITS, MAX_CACHED_NAME = 1000, 64
"""Most pairs of measurand and unit whose canonical unit is cached, and the longest measurand or unit of one, in characters; chargers may
make up others."""

_canonical_units: dict[tuple[str, str | None], tuple[str | None, int]] = {}
_STRING_OR_NONE = frozenset({str, type(None)})


def normalise(readings: Readings) -> list[Value]:
    """Every sampled value of a meterValue array, in order; whatever is not a reading or a sample is left out."""
    values: list[Value] = []
    add = values.append
    try:
        for reading in readings:
            timestamp = reading.get("timestamp")
            if type(timestamp) not in _STRING_OR_NONE:
                raise TypeError
            for sample in reading.get("sampledValue", ()):
                get = sample.get
                value = get("value")
                measurand = get("measurand") or ENERGY  # some chargers send null or "" instead of leaving it out
                unit, context, phase, location = get("unit") or None, get("context"), get("phase"), get("location")
                unit_and_power = _canonical_units.get((measurand, unit))
                if unit_and_power is None:
                    unit_and_power = canonical_unit(measurand, unit)
                if type(context) not in _STRING_OR_NONE or type(phase) not in _STRING_OR_NONE or type(location) not in _STRING_OR_NONE:
                    raise TypeError
                if (
                    unit_and_power[1]
                    or type(value) is not str
                    or len(value) > MAX_DIGITS
                    or "format" in sample
                    or "unitOfMeasure" in sample
                    or not (value.isascii() and value.replace(".", "", 1).isdigit())
                ):
                    value, unit_and_power, signed = _convert(value, measurand, unit, unit_and_power, sample)
                    if value is not None:
                        add(Value(measurand, value, unit_and_power[0], timestamp, context, phase, location, signed))
                else:
                    add(Value(measurand, value, unit_and_power[0], timestamp, context, phase, location))
    except (AttributeError, TypeError):  # not the types of the schema: an array, an object or a string is something else
        return normalise(list(_well_typed(readings)))
    return values


def values_of(fact: Any) -> Values:
    """The values in a fact's readings, which are normalised now if the message was not read in one pass."""
    if fact.values is not None:
        values: Values = fact.values
        return values
    return values_in(normalise(fact.readings))


def values_in(normalised: list[Any]) -> Values:
    """These values, and those of them that the gateway itself looks at."""
    return Values(normalised, [each for each in normalised if each.measurand in LOOKED_AT])


def energy(values: list[Value]) -> int | None:
    """The latest reading of the whole connector's import register, in whole Wh; None if there is none in a unit that can be converted.

    That is the last in the list, unless its time says otherwise.
    """
    latest = None
    for value in values:
        if (
            value.measurand == ENERGY
            and value.unit == "Wh"
            and not value.phase
            and (not value.location or value.location == "Outlet")
            and not value.signed
            and (latest is None or not is_earlier(value.timestamp, latest.timestamp))
        ):
            latest = value
    if latest is not None and latest.value.isdecimal() and len(latest.value) <= MAX_DIGITS:  # Python reads no more than 4,300
        return int(latest.value)
    number = decimal_number(latest.value) if latest else None
    return None if number is None else int(number.to_integral_value())


def register(readings: Readings, context: str) -> int | None:
    """The whole connector's import register in a context (Transaction.Begin, Transaction.End), in whole Wh; None if there is none."""
    return energy([value for value in normalise(readings) if value.context == context])


def _well_typed(readings: object) -> Iterator[dict[str, Any]]:
    """Only the elements that are readings, with only the samples, and of each only the members, that are of the right type."""
    for reading in readings if isinstance(readings, list) else ():
        samples = reading.get("sampledValue") if isinstance(reading, dict) else None
        typed = [_well_typed_members(sample) for sample in samples if isinstance(sample, dict)] if isinstance(samples, list) else []
        yield _well_typed_members(reading) | {"sampledValue": typed} if typed else {}


def _well_typed_members(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if isinstance(value, str) or name in ("value", "unitOfMeasure")}


def canonical_unit(measurand: object, unit: object) -> tuple[str | None, int]:
    """The canonical unit of a measurand in a unit, and the power of ten between them; cached, as every sample needs it."""
    if not isinstance(measurand, str) or not (unit is None or isinstance(unit, str)):
        raise TypeError
    known = _canonical_units.get((measurand, unit))
    if known is not None:
        return known
    if unit is None:
        unit_and_power: tuple[str | None, int] = (next((u for start, u in _DEFAULT_UNITS if measurand.startswith(start)), None), 0)
    else:
        unit_and_power = UNITS.get(unit) or _FOLDED_UNITS.get(folded(unit[:MAX_UNIT]), (unit, 0))
    if len(_canonical_units) < MAX_CACHED_UNITS and len(measurand) <= MAX_CACHED_NAME and len(unit or "") <= MAX_CACHED_NAME:
        _canonical_units[measurand, unit] = unit_and_power
    return unit_and_power


def _convert(
    value: object, measurand: str, unit: object, unit_and_power: tuple[str | None, int], sample: dict[str, Any]
) -> tuple[str | None, tuple[str | None, int], bool]:
    """The value in its canonical unit, the unit, and whether it is signed data; None for a value that is neither a number nor signed."""
    if sample.get("format") == "SignedData":
        return (value if isinstance(value, str) else None), unit_and_power, True
    measure, multiplier = sample.get("unitOfMeasure"), 0
    if isinstance(measure, str):
        measure = {"unit": measure}
    if isinstance(measure, dict):  # 2.x: a unit with a power of ten
        unit, multiplier = measure.get("unit"), measure.get("multiplier") or 0
        if type(multiplier) is not int or abs(multiplier) > MAX_POWER:
            return None, unit_and_power, False  # it is off by a factor that nobody knows
        unit = unit if isinstance(unit, str) and unit else None
        unit_and_power = canonical_unit(measurand, unit)
    elif measure is not None:
        return None, unit_and_power, False
    power = unit_and_power[1]
    if power != NEEDS_FORMULA:
        text = repr(value) if type(value) is float or (type(value) is int and value.bit_length() <= 64) else value
        if isinstance(text, str) and is_plain(text):
            return shifted(text, multiplier + power), unit_and_power, False
    number = decimal_number(value)
    if number is None:
        return None, unit_and_power, False
    number = number.scaleb(multiplier)
    if power == NEEDS_FORMULA:
        number = ((number - 32) * 5 / 9).quantize(Decimal("0.01")) if unit == "Fahrenheit" else number - Decimal("273.15")
    else:
        number = number.scaleb(power)
    return plain(number), unit_and_power, False


def plain(number: Decimal) -> str:
    """A decimal without exponent and without trailing zeros after the point: 12.50 kWh is 12500 Wh."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
