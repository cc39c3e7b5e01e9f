"""The elements that this gateway has taken from Redis and not acknowledged, and which of them it has claimed.

Knows no connection: what Redis has in the gateway's list is compared with what is known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..core.commands import Taken, digest


class InFlight:
    """Counts elements, for equal ones may be in flight at once."""

    def __init__(self) -> None:
        self.elements: Counter[bytes] = Counter()
        self._claimed: set[str] = set()

    def add(self, element: bytes) -> None:
        """The element was moved to our list."""
        self.elements[element] += 1

    def claim(self, mark: str) -> None:
        """The element of that digest was claimed by this incarnation."""
        self._claimed.add(mark)

    def remove(self, element: bytes) -> None:
        """The element is not in flight any more."""
        self.elements[element] -= 1
        if self.elements[element] <= 0:
            del self.elements[element]
            self._claimed.discard(digest(element))

    def keep(self, listed: Iterable[bytes], queue: list[Taken]) -> list[Taken]:
        """Drop all elements but those in our list in Redis; what is left of ``queue``."""
        still = Counter(listed)
        self.elements = Counter([each for each in self.elements.elements() if remove_one(still, each)])
        ours = self.elements.copy()
        return [taken for taken in queue if remove_one(ours, taken.element)]

    def unknown(self, listed: list[bytes], marks: list[bytes], silent: float | None = None) -> list[Taken]:
        """The elements in our list in Redis that are not known here; ``marks`` are the digests of those that some incarnation has claimed.
        ``silent``: see `Taken`.
        """
        known = Counter(self.elements)
        claimed = {each.decode() for each in marks} - self._claimed
        unknown = []
        for element in [each for each in listed if not remove_one(known, each)]:
            unknown.append(Taken(element, silent, digest(element) in claimed))
            claimed.discard(digest(element))
        return unknown


def remove_one(counted: Counter[bytes], element: bytes) -> bool:
    """Whether there was one; there is one less now."""
    if counted[element] <= 0:
        return False
    counted[element] -= 1
    return True
