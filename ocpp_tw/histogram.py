"""How often something took how long, or was how large: a count for each of some ranges, and the sum.

Knows nothing of what is measured, nor of who reads it.
"""

from __future__ import annotations

from bisect import bisect_left

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Ranges of times within the gateway and between servers."""

LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Ranges of times that a charger takes."""

SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Ranges of numbers."""


class Histogram:
    """``counts[i]`` is how many were at most ``bounds[i]`` and more than the bound before; the last of them, how many were more than any.
    ``sum`` is that of all.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """One more; below zero, as when a clock was set back, it counts as zero."""
        if value < 0.0:
            value = 0.0
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class GroupCounts:
    """Of groups that are written to the store: their ``entries``, and how long each ``took`` until the store had it, in seconds."""

    __slots__ = ("entries", "took")

    def __init__(self) -> None:
        self.entries = Histogram(SIZES)
        self.took = Histogram()
