"""What a car takes and a meter shows: the power curve, the energy register, currents and voltages.

Pure: knows no clock, no OCPP message and no charger.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import msgspec

RAMP = 20.0
"""Seconds in which the current rises to its plateau."""

KNEE = 0.8
"""State of charge above which the battery takes less and less."""

TRICKLE = 0.05
"""Part of the plateau that is left just before the battery is full."""

STEP = 10.0
"""Seconds of one step of the integration."""

FAST = 43_000.0
"""Watts above which a charger is a DC one."""


class Outlet(msgspec.Struct, frozen=True):
    """What a connector can give: ``power`` in W; three phases of ``volts`` V, or DC of 400 V."""

    power: float = 22_000.0
    volts: float = 230.0
    phases: int = 3

    @property
    def dc(self) -> bool:
        """Whether it gives direct current (and hears the car's state of charge)."""
        return self.power > FAST


@dataclass(slots=True)
class Car:
    """A battery of ``capacity`` Wh that is full at ``soc`` 1 and takes at most ``power`` W."""

    capacity: float = 60_000.0
    soc: float = 0.5
    power: float = 150_000.0


class Sample(msgspec.Struct, frozen=True):
    """One value that a meter shows, as text, with OCPP's names for what, where and in which unit."""

    measurand: str
    value: str
    unit: str
    phase: str | None = None


def wanted(car: Car, seconds: float, limit: float) -> float:
    """Watts that the car takes, so many seconds after the contactor closed, from an outlet that gives ``limit`` W."""
    if car.soc >= 1:
        return 0.0
    plateau = min(limit, car.power)
    taper = 1.0 if car.soc <= KNEE else max(TRICKLE, (1 - car.soc) / (1 - KNEE))
    return max(0.0, plateau * min(1.0, seconds / RAMP) * taper)


@dataclass(slots=True)
class Meter:
    """The meter of one connector. ``register`` in Wh only ever rises; ``power`` in W is the latest."""

    outlet: Outlet
    random: Random
    register: float = 0.0
    power: float = 0.0

    def advance(self, car: Car, since: float, until: float, limit: float) -> None:
        """Let the car charge from ``since`` to ``until`` (seconds after the contactor closed), with at most ``limit`` W."""
        while since < until:
            step = min(STEP, until - since)
            before, after = (wanted(car, at, limit) for at in (since, since + step))
            energy = min((before + after) / 2 * step / 3600, max(0.0, (1 - car.soc) * car.capacity))
            self.register += energy
            car.soc = min(1.0, car.soc + energy / car.capacity)
            if car.capacity * (1 - car.soc) < 1:  # less than a watt-hour is missing
                car.soc = 1.0
            since += step
        self.power = wanted(car, until, limit)

    def read(self, car: Car | None, measurands: frozenset[str]) -> list[Sample]:
        """What it shows of the measurands asked for."""
        samples = []
        if "Energy.Active.Import.Register" in measurands:
            samples.append(Sample("Energy.Active.Import.Register", str(int(self.register)), "Wh"))
        if "Power.Active.Import" in measurands:
            samples.append(Sample("Power.Active.Import", f"{self.power:.1f}", "W"))
        phases = [(None, None)] if self.outlet.dc else [(f"L{n}", f"L{n}-N") for n in range(1, self.outlet.phases + 1)]
        for phase, tension in phases:
            nominal = 400.0 if self.outlet.dc else self.outlet.volts
            amperes = self.power / len(phases) / nominal
            volts = nominal - 0.03 * amperes + self.random.uniform(-0.8, 0.8)  # the cable's loss, and the grid
            if "Current.Import" in measurands:
                samples.append(Sample("Current.Import", f"{self.power / len(phases) / volts:.2f}", "A", phase))
            if "Voltage" in measurands:
                samples.append(Sample("Voltage", f"{volts:.1f}", "V", tension))
        if self.outlet.dc and car is not None and "SoC" in measurands:
            samples.append(Sample("SoC", f"{car.soc * 100:.1f}", "Percent"))
        return samples
