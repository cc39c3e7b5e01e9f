"""A car's power curve, and what a meter measures of it: the energy register, power, currents and voltages.

Pure: knows no clock, no OCPP message and no charger.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import msgspec

RAMP = 20.0
"""Seconds in which the power rises to its plateau."""

KNEE = 0.8
"""State of charge above which the power tapers off."""

TRICKLE = 0.05
"""Lowest fraction of the plateau before the battery is full."""

STEP = 10.0
"""Longest step of the integration, in seconds."""

DC_ABOVE = 43_000.0
"""Watts above which an outlet is DC."""


class Outlet(msgspec.Struct, frozen=True):
    """What a connector delivers: at most ``power`` W, on three phases of ``volts`` V, or DC of 400 V."""

    power: float = 22_000.0
    volts: float = 230.0
    phases: int = 3

    @property
    def dc(self) -> bool:
        """Whether it delivers direct current (and knows the car's state of charge)."""
        return self.power > DC_ABOVE


@dataclass(slots=True)
class Car:
    """A battery of ``capacity`` Wh that is full at ``soc`` 1 and takes at most ``power`` W."""

    capacity: float = 60_000.0
    soc: float = 0.5
    power: float = 150_000.0


class Sample(msgspec.Struct, frozen=True):
    """One measured value, as text, with OCPP's names of measurand, unit and phase."""

    measurand: str
    value: str
    unit: str
    phase: str | None = None


def power_drawn(car: Car, seconds: float, limit: float) -> float:
    """Watts that the car draws ``seconds`` after the contactor closed, from an outlet limited to ``limit`` W."""
    if car.soc >= 1:
        return 0.0
    plateau = min(limit, car.power)
    taper = 1.0 if car.soc <= KNEE else max(TRICKLE, (1 - car.soc) / (1 - KNEE))
    return max(0.0, plateau * min(1.0, seconds / RAMP) * taper)


@dataclass(slots=True)
class Meter:
    """The meter of one connector. ``register`` in Wh never falls; ``power`` in W is the current value."""

    outlet: Outlet
    random: Random
    register: float = 0.0
    power: float = 0.0

    def advance(self, car: Car, since: float, until: float, limit: float) -> None:
        """Let the car charge from ``since`` to ``until`` (seconds after the contactor closed), with at most ``limit`` W."""
        while since < until:
            step = min(STEP, until - since)
            before, after = (power_drawn(car, at, limit) for at in (since, since + step))
            energy = min((before + after) / 2 * step / 3600, max(0.0, (1 - car.soc) * car.capacity))
            self.register += energy
            car.soc = min(1.0, car.soc + energy / car.capacity)
            if car.capacity * (1 - car.soc) < 1:  # less than a watt-hour short of full
                car.soc = 1.0
            since += step
        self.power = power_drawn(car, until, limit)

    def read(self, car: Car | None, measurands: frozenset[str]) -> list[Sample]:
        """The current values of these measurands."""
        samples = []
        if "Energy.Active.Import.Register" in measurands:
            samples.append(Sample("Energy.Active.Import.Register", str(int(self.register)), "Wh"))
        if "Power.Active.Import" in measurands:
            samples.append(Sample("Power.Active.Import", f"{self.power:.1f}", "W"))
        phases = [(None, None)] if self.outlet.dc else [(f"L{n}", f"L{n}-N") for n in range(1, self.outlet.phases + 1)]
        for phase, voltage_phase in phases:
            nominal = 400.0 if self.outlet.dc else self.outlet.volts
            amperes = self.power / len(phases) / nominal
            volts = nominal - 0.03 * amperes + self.random.uniform(-0.8, 0.8)  # the cable's loss, and the grid's noise
            if "Current.Import" in measurands:
                samples.append(Sample("Current.Import", f"{self.power / len(phases) / volts:.2f}", "A", phase))
            if "Voltage" in measurands:
                samples.append(Sample("Voltage", f"{volts:.1f}", "V", voltage_phase))
        if self.outlet.dc and car is not None and "SoC" in measurands:
            samples.append(Sample("SoC", f"{car.soc * 100:.1f}", "Percent"))
        return samples
