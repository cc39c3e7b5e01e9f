"""Power, energy and state of charge in the normalised values of a message.

Knows no charger. What a charger says that makes no sense counts as not said.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, NamedTuple

from ..ocpp.meter_values import LOOKED_AT, POWER, SOC, energy

MAX_POWER = 10.0 ** LOOKED_AT[POWER]
"""Largest power that is believed, in W; no charger has a tenth of it."""

MAX_SOC = 10.0 ** LOOKED_AT[SOC]
"""Largest state of charge, in percent."""


class Reading(NamedTuple):
    """Power in W, the reading of the energy register in Wh, and the state of charge in percent; None where not said."""

    power_w: float | None
    register_wh: int | None
    soc: float | None


def read(values: list[Any]) -> Reading:
    """What `ocpp_tw.facts.Value`s say: the last of each, and the sum of the phases where power is told by phase only."""
    power = soc = None
    phases: dict[str, float] = {}
    for value in values:
        if value.measurand == POWER and value.unit == "W" and (not value.location or value.location == "Outlet") and not value.signed:
            watts = _number(value.value, MAX_POWER)
            if watts is not None and value.phase:
                phases[value.phase] = watts
            elif watts is not None:
                power = watts
        elif value.measurand == SOC and not value.signed:
            percent = _number(value.value, MAX_SOC)
            soc = soc if percent is None else percent
    if power is None and phases:
        power = _sum(phases)
    return Reading(power, energy(values), soc)


def _sum(phases: dict[str, float]) -> float:
    """Of the phases, each of which may be told against neutral or without saying so, but not of what is between two of them."""
    names: Iterable[str] = ("L1", "L2", "L3")
    return sum(phases.get(name, phases.get(f"{name}-N", 0.0)) for name in names)


def _number(text: str, most: float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and 0 <= number <= most else None
