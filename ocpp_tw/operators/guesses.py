"""How many wrong tokens an address may show, and how many requests it may make without one: a token bucket for each.

Knows neither the token nor HTTP. A right token is never counted, so that nobody is shut out by somebody else at the same address.
"""

from __future__ import annotations

from collections.abc import Callable

BURST = 10
"""Wrong tokens that an address may show in a row; each further one is answered 429 until `REFILL` has passed."""

REFILL = 6.0
"""Seconds after which an address may show one more."""

MAX_ADDRESSES = 10_000
"""Most addresses that are remembered; beyond that the one whose first one is longest ago is forgotten."""


class Guesses:
    """``seconds`` is the clock; an address may do it ``burst`` times in a row, and once more after each ``refill``, in seconds."""

    def __init__(self, seconds: Callable[[], float], burst: int = BURST, refill: float = REFILL) -> None:
        self._refill = refill
        self._whole = burst * refill
        self._seconds = seconds
        self._full_at: dict[str, float] = {}
        """Address -> when its bucket will be full again."""

    def wait(self, address: str) -> float:
        """Count one; 0 if the address may do it again, else the seconds until it may."""
        now, whole = self._seconds(), self._whole
        full = max(now, self._full_at.pop(address, now))
        if full + self._refill > now + whole:
            self._full_at[address] = full
            return full + self._refill - now - whole
        if len(self._full_at) >= MAX_ADDRESSES:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[address] = full + self._refill
        return 0.0
