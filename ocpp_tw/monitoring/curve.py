"""The course of a transaction: power, energy and state of charge over time, in a bounded number of samples.

Knows neither chargers nor where the numbers come from.
"""

from __future__ import annotations

from array import array
from math import isnan, nan

MAX_SAMPLES = 240
"""Most samples of a transaction, unless it is told to keep fewer. With more, every second one is left out, and further ones are taken as
seldom."""

MIN_GAP = 5.0
"""Seconds between samples at first."""

WIDTH = 4

JITTER = 0.9
"""Part of the usual time between samples after which the next one is taken: chargers do not keep time exactly."""


class Curve:
    """It begins at ``begun``, in Unix time. A sample takes 16 bytes."""

    __slots__ = ("_gap", "_most", "_samples", "begun")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self._gap = MIN_GAP
        self._most = MAX_SAMPLES
        self._samples = array("f")  # seconds since it began, W, Wh, percent; nan: not known

    def add(self, time: float, power_w: float | None, energy_wh: float | None, soc: float | None) -> None:
        """What is known at a time; left out if that is too soon after the sample before."""
        samples, since = self._samples, time - self.begun
        if samples and since - samples[-WIDTH] < self._gap:
            return
        samples.extend(nan if each is None else each for each in (since, power_w, energy_wh, soc))
        self._thin()

    def keep(self, most: int) -> None:
        """Keep so many samples at most from now on, two or more."""
        self._most = most
        self._thin()

    def _thin(self) -> None:
        while len(self._samples) > self._most * WIDTH:
            samples, kept = self._samples, array("f")
            for at in range(0, len(samples), 2 * WIDTH):
                kept.extend(samples[at : at + WIDTH])
            self._samples = kept
            self._gap = max(MIN_GAP, JITTER * kept[-WIDTH] / (len(kept) // WIDTH))

    def samples(self) -> list[list[float | None]]:
        """Unix time, W, Wh and percent of each."""
        values = [None if isnan(value) else round(value, 1) for value in self._samples]
        rows = [values[at : at + WIDTH] for at in range(0, len(values), WIDTH)]
        return [[round(self.begun + (since or 0)), power, energy, soc] for since, power, energy, soc in rows]
