"""Compares the values that were read in one pass with those that are normalised from the readings."""

from __future__ import annotations

from typing import Any

import msgspec

from ocpp_tw.facts import Values
from ocpp_tw.monitoring.readings import read
from ocpp_tw.ocpp.meter_values import LOOKED_AT, energy, normalise


def assert_same_values(values: Values, readings: Any) -> None:
    """All are the same, and those that the gateway looks at say the same to it."""
    expected = normalise(readings)
    assert msgspec.json.decode(msgspec.json.encode(values.all)) == msgspec.to_builtins(expected)
    looked_at = values.looked_at
    assert {each.measurand for each in looked_at} == {each.measurand for each in expected} & LOOKED_AT.keys()
    contexts = {each.context for each in expected}
    for some in (None, *contexts):
        of = [[each for each in them if some is None or each.context == some] for them in (looked_at, expected)]
        assert energy(of[0]) == energy(of[1])
        assert read(of[0]) == read(of[1])
