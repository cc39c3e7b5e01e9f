"""A ring of the latest records within a budget of bytes. Whoever records pays for one call that extends a list, and for nothing else.

Knows nothing of what a record is, but for how many values it has. What has come is weighed, and what is too old dropped, when somebody calls
`Ring.sweep`. The values are kept side by side, not in objects of their own: of a million more objects the garbage collector would make a
message a tenth dearer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

RECORDS = 1000
"""Records in a chunk, and"""
CHUNKS = 64
"""the part of the budget that a chunk may have: the oldest are dropped chunk by chunk."""


Record = Callable[[Iterable[Any]], None]


class _Chunk:
    """Records that are dropped together; the first is the one of that ``number`` since the beginning."""

    __slots__ = ("bytes", "number", "values", "weighed")

    def __init__(self, number: int) -> None:
        self.number = number
        self.values: list[Any] = []
        self.weighed = self.bytes = 0


class Ring:
    """``width`` is how many values a record has; ``weigh`` tells the bytes of the records from the value of that place on, and may replace
    what is too large. ``use`` is given the function that takes the values of a record: at once, and another one with each chunk.
    """

    def __init__(
        self, budget: int, width: int, weigh: Callable[[list[Any], int], int], use: Callable[[Record], None] = lambda record: None
    ) -> None:
        self._budget = budget
        self._width = width
        self._weigh = weigh
        self._use = use
        self._chunks: deque[_Chunk] = deque()
        self._bytes = 0
        self._open(0)

    def _open(self, number: int) -> None:
        self._chunks.append(_Chunk(number))
        self._use(self._chunks[-1].values.extend)

    def record(self, values: Iterable[Any]) -> None:
        """Take a record. Whoever has many had better be told by ``use`` which function takes them."""
        self._chunks[-1].values.extend(values)

    @property
    def end(self) -> int:
        """How many records there have been."""
        return self._chunks[-1].number + len(self._chunks[-1].values) // self._width

    @property
    def bytes(self) -> int:
        """What the records weigh that were there at the last sweep."""
        return self._bytes

    def sweep(self) -> None:
        """Weigh what is new, and drop what is too old."""
        chunk = self._chunks[-1]
        if chunk.weighed < len(chunk.values):
            weight = self._weigh(chunk.values, chunk.weighed)
            chunk.weighed = len(chunk.values)
            chunk.bytes += weight
            self._bytes += weight
            if chunk.weighed >= RECORDS * self._width or chunk.bytes * CHUNKS >= self._budget:
                self._open(self.end)
        while self._bytes > self._budget and len(self._chunks) > 1:
            self._bytes -= self._chunks.popleft().bytes

    def since(self, number: int) -> list[tuple[Any, ...]]:
        """The records from that number on, as far as they are still there."""
        found: list[list[Any]] = []
        for chunk in reversed(self._chunks):
            found.append(chunk.values[max(0, number - chunk.number) * self._width :])
            if chunk.number <= number:
                break
        return [record for values in reversed(found) for record in self._records(values)]

    def chunks_with(self, place: int, value: Any) -> Iterator[list[tuple[Any, ...]]]:
        """The records with that value at that place, the oldest first, of one chunk after another: between two of them others may have a turn."""
        for values in [chunk.values for chunk in self._chunks]:
            column = values[place :: self._width]
            found = [number * self._width for number, each in enumerate(column) if each == value] if value in column else []
            yield [tuple(values[start : start + self._width]) for start in found]

    def _records(self, values: list[Any]) -> list[tuple[Any, ...]]:
        return list(zip(*[iter(values)] * self._width, strict=True))
