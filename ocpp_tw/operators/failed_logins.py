"""Wrong tokens that were shown, as they are published: at most once a minute of an address, and no more than somebody would read.

Knows neither the tokens nor where it is published.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..core.rate_limit import Rate, RateLimit
from ..tally import Tally

MAX_ADDRESSES = 1000
"""Most addresses that are told each by itself; the others are one."""

RATE = Rate(100, 1.0)
"""What is told of all addresses; the next one counts those that were left out."""


class FailedLogin(msgspec.Struct, frozen=True):
    """``count`` wrong tokens were shown since the last one was told, the last from ``address``; ``left_out`` others were not told."""

    address: str
    count: int
    left_out: int = 0


class FailedLogins:
    """``tell`` publishes one."""

    def __init__(self, clock: IReactorTime, tell: Callable[[FailedLogin], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._limit = RateLimit(RATE, clock.seconds())
        self._tallies: dict[str, Tally] = {}
        self._others = Tally(clock, self._told)

    def note(self, network: str, address: str) -> None:
        """A wrong token was shown from there; ``network`` is what counts as one address."""
        tally = self._tallies.get(network)
        if tally is None:
            if len(self._tallies) >= MAX_ADDRESSES:
                self._tallies = {name: each for name, each in self._tallies.items() if not each.idle}
            if len(self._tallies) < MAX_ADDRESSES:
                tally = self._tallies[network] = Tally(self._clock, self._told)
        (tally or self._others).note(address)

    def stop(self) -> None:
        """Tell what has not been told yet."""
        for each in (*self._tallies.values(), self._others):
            each.stop()

    def _told(self, count: int, address: str) -> None:
        left_out = self._limit.next(self._clock.seconds())
        if left_out is not None:
            self._tell(FailedLogin(address, count, left_out))
