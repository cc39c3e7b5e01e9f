"""Limits to how often something is told: so many at once, then so many a second; what is left out is counted, and told with the next.

Knows no clock and nothing of what is told. Times are seconds of any clock that does not run backwards.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_NAMES = 10_000
"""Most names that have a limit of their own, each some 300 bytes. At that many those that have recovered are forgotten, else the oldest."""


class Rate(NamedTuple):
    """``burst`` at once, and ``per_second`` after that."""

    burst: int
    per_second: float


class RateLimit:
    """One for what is told under one rate."""

    __slots__ = ("_allowed", "_left_out", "_rate", "_since")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._allowed = float(rate.burst)
        self._since = now
        self._left_out = 0

    def next(self, now: float) -> int | None:
        """How many were left out before this one, which is told; None if it is left out as well."""
        if not self.allows(now):
            return None
        self._allowed -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out

    def allows(self, now: float) -> bool:
        """Whether the next one is told. It is counted as left out if it is not."""
        self._recover(now)
        allowed = self._allowed >= 1
        self._left_out += not allowed
        return allowed

    def give_back(self, count: int) -> None:
        """So many were not told after all: they are counted with those that were left out."""
        self._left_out += count

    def recovered(self, now: float) -> bool:
        """Whether nothing is remembered by it: a new one would be the same."""
        self._recover(now)
        return self._allowed >= self._rate.burst and not self._left_out

    def _recover(self, now: float) -> None:
        self._allowed = min(float(self._rate.burst), self._allowed + max(0.0, now - self._since) * self._rate.per_second)
        self._since = now


class RateLimits:
    """A limit for each name, all of one rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._limits: dict[str, RateLimit] = {}

    def next(self, name: str, now: float) -> int | None:
        """As `RateLimit.next`, of that name."""
        limit = self._limits.get(name)
        if limit is None:
            if len(self._limits) >= MAX_NAMES:
                self._forget(now)
            limit = self._limits[name] = RateLimit(self._rate, now)
        return limit.next(now)

    def give_back(self, name: str, count: int) -> None:
        """As `RateLimit.give_back`, of that name."""
        if limit := self._limits.get(name):
            limit.give_back(count)

    def _forget(self, now: float) -> None:
        self._limits = {name: limit for name, limit in self._limits.items() if not limit.recovered(now)}
        for name in list(self._limits)[: len(self._limits) - MAX_NAMES // 2]:
            del self._limits[name]
