"""Meter values made plain: one flat list in canonical units beside the charger's own.

Knows nothing of transactions. Whatever a charger sends is taken; what makes no sense is left out of the list
(it still stands in the raw one).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from ..facts import Readings, Value

ENERGY = "Energy.Active.Import.Register"
"""The measurand of a value that names none (OCPP 1.6 §7.43)."""

CONVERTED = 99
"""In place of a power of ten: these units need a formula."""

UNITS: dict[str, tuple[str | None, int]] = {
    "Wh": ("Wh", 0),
    "kWh": ("Wh", 3),
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
    "Fahrenheit": ("Celsius", CONVERTED),
    "K": ("Celsius", CONVERTED),
    "Hz": ("Hz", 0),
    "Hertz": ("Hz", 0),
    "RPM": ("RPM", 0),
}
"""A charger's unit -> the canonical one and the power of ten between them."""

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
"""The unit of a value that names none, by how its measurand begins; the first that fits."""

_known: dict[tuple[str, str | None], tuple[str | None, int]] = {}
_WORD = frozenset({str, type(None)})


def normalise(readings: Readings) -> list[Value]:
    """Every sampled value of a meterValue array, in its order; what is no reading or no sample is passed over."""
    values: list[Value] = []
    add = values.append
    try:
        for reading in readings:
            timestamp = reading.get("timestamp")
            if type(timestamp) not in _WORD:
                raise TypeError
            for sample in reading.get("sampledValue", ()):
                get = sample.get
                value = get("value")
                measurand = get("measurand") or ENERGY  # null and "" are some chargers' way to leave it out
                unit, context, phase, location = get("unit") or None, get("context"), get("phase"), get("location")
                known = _known.get((measurand, unit))
                if known is None:
                    known = canonical(measurand, unit)
                if type(context) not in _WORD or type(phase) not in _WORD or type(location) not in _WORD:
                    raise TypeError
                if (
                    known[1]
                    or type(value) is not str
                    or "format" in sample
                    or not (value.isascii() and value.replace(".", "", 1).isdigit())
                ):
                    value, known, signed = _careful(value, measurand, unit, known, sample)
                    if value is not None:
                        add(Value(measurand, value, known[0], timestamp, context, phase, location, signed))
                else:
                    add(Value(measurand, value, known[0], timestamp, context, phase, location))
    except (AttributeError, TypeError):  # a charger's idea of an array, an object or a word
        return normalise(list(_sensible(readings)))
    return values


def energy(values: list[Value]) -> int | None:
    """The last reading of the whole connector's import register, in whole Wh; None when there is none."""
    latest = None
    for value in values:
        if value.measurand == ENERGY and not value.phase and (not value.location or value.location == "Outlet") and not value.signed:
            latest = value
    if latest is not None and latest.value.isdecimal():
        return int(latest.value)
    number = _decimal(latest.value) if latest else None
    return None if number is None else int(number.to_integral_value())


def register(readings: Readings, context: str) -> int | None:
    """The whole connector's import register at that context (Transaction.Begin, Transaction.End), in whole Wh; None without one."""
    return energy([value for value in normalise(readings) if value.context == context])


def _sensible(readings: object) -> Iterator[dict[str, Any]]:
    """The readings without what is none, and of each sample only what is of the type that it should be."""
    for reading in readings if isinstance(readings, list) else ():
        samples = reading.get("sampledValue") if isinstance(reading, dict) else None
        sensible = [_sensible_members(each) for each in samples if isinstance(each, dict)] if isinstance(samples, list) else []
        yield _sensible_members(reading) | {"sampledValue": sensible} if sensible else {}


def _sensible_members(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if isinstance(value, str) or name in ("value", "unitOfMeasure")}


def canonical(measurand: object, unit: object) -> tuple[str | None, int]:
    """The canonical unit of what is measured in that unit, and the power of ten between them; remembered, as they come by the million."""
    if not isinstance(measurand, str) or not (unit is None or isinstance(unit, str)):
        raise TypeError
    if unit is None:
        known: tuple[str | None, int] = (next((u for start, u in _DEFAULT_UNITS if measurand.startswith(start)), None), 0)
    else:
        known = UNITS.get(unit, (unit, 0))
    if len(_known) < 1000:
        _known[measurand, unit] = known
    return known


def _careful(
    value: object, measurand: str, unit: object, known: tuple[str | None, int], sample: dict[str, Any]
) -> tuple[str | None, tuple[str | None, int], bool]:
    """The value in its canonical unit; None when it is no number and not signed data either."""
    if sample.get("format") == "SignedData":
        return (value if isinstance(value, str) else None), known, True
    number = _decimal(value)
    if number is None:
        return None, known, False
    measure = sample.get("unitOfMeasure")
    if isinstance(measure, dict):  # 2.x: a unit and a power of ten of its own
        unit, power = measure.get("unit"), measure.get("multiplier")
        known = canonical(measurand, unit if isinstance(unit, str) and unit else None)
        if isinstance(power, int) and abs(power) <= 12:
            number = number.scaleb(power)
    if known[1] == CONVERTED:
        number = ((number - 32) * 5 / 9).quantize(Decimal("0.01")) if unit == "Fahrenheit" else number - Decimal("273.15")
    else:
        number = number.scaleb(known[1])
    return plain(number), known, False


def plain(number: Decimal) -> str:
    """A decimal without exponent and without zeroes that say nothing: 12.50 kWh is 12500 Wh."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 20 else None
