"""The security profile that a charger was told to come in with, as its record has it (`wanted_profile`): "2" for profile 2, "2-" if it may come
as before until it has restarted, and in both cases since when, in Unix time: "2-@1790000000".

Knows no charger and no clock.
"""

from __future__ import annotations

from typing import NamedTuple

WITHIN = 3600.0
"""Seconds for a charger to come in with it; then it is told that it has not."""


class Wanted(NamedTuple):
    """``since`` is 0 where it is not known."""

    profile: int
    after_restart: bool = False
    since: int = 0

    @classmethod
    def read(cls, text: str) -> Wanted | None:
        """As stored; None if nothing is wanted."""
        if not text:
            return None
        how, _, since = text.partition("@")
        return cls(int(how[0]), how.endswith("-"), int(since or 0))

    def __str__(self) -> str:
        return f"{self.profile}{'-' if self.after_restart else ''}@{self.since}"

    def left(self, now: float) -> float:
        """Seconds that the charger still has; 0 if its time is over."""
        return max(0.0, self.since + WITHIN - now) if self.since else WITHIN
