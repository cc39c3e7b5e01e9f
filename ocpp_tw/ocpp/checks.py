"""Violations that OCPP's schemas cannot state as they are used here: timestamps that are none, energies in a unit that nobody knows.

Knows no actions. What is found is for the backend; none of it is a reason to lose a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from .bounds import MAX_MEMBERS, MAX_SAMPLES
from .frames import Payload
from .meter_values import canonical_unit
from .schemas import MAX_FOUND, Violation
from .timestamps import parse_timestamp

UNIT = "unit"
"""The rule of an energy in an unknown unit. It breaks no schema, so that strict validation lets it pass."""

TOO_MANY_SAMPLES = Violation((), "maxItems", None, f"more than {MAX_SAMPLES} sampled values")
TOO_WIDE = Violation((), "maxProperties", None, f"an object of more than {MAX_MEMBERS} members")
"""The violations of messages that are refused for it, tolerant or strict."""

ENERGY_UNITS = frozenset({"Wh", "varh", "VAh"})
"""The canonical units of energies."""


def found(payload: Payload, *, any_unit: bool) -> list[Violation]:
    """The violations in a payload that its schema may have found valid; of its timestamps only its own is looked at.

    ``any_unit``: the version's schemas leave units open (2.x), so that energies have to be looked at.
    """
    violations: list[Violation] = []
    readings = payload.get("meterValue") if any_unit else None
    if isinstance(readings, list):
        violations += islice(_unknown_units(readings), MAX_FOUND)
    text = payload.get("timestamp")
    if isinstance(text, str) and parse_timestamp(text) is None:
        violations.append(Violation(("timestamp",), "format", text, f"format: date-time, not string of length {len(text)}"))
    return violations


def _unknown_units(readings: list[object]) -> Iterator[Violation]:
    for number, reading in enumerate(readings):
        samples = reading.get("sampledValue") if isinstance(reading, dict) else None
        for index, sample in enumerate(samples if isinstance(samples, list) else ()):
            measure = sample.get("unitOfMeasure") if isinstance(sample, dict) else None
            unit = measure.get("unit") if isinstance(measure, dict) else None
            if not unit or not isinstance(unit, str):
                continue
            measurand = sample.get("measurand") or "Energy"
            if isinstance(measurand, str) and measurand.startswith("Energy") and canonical_unit(measurand, unit)[0] not in ENERGY_UNITS:
                path = ("meterValue", number, "sampledValue", index, "unitOfMeasure", "unit")
                yield Violation(path, UNIT, unit, f"{UNIT}: of energy, not string of length {len(unit)}")
