"""A ring of the latest records within a budget of bytes. Whoever records pays for one call that extends a list, and for little else.

Knows nothing of what a record is, but for how many values it has. Some hundred records at a time are packed: kept as they came, in memory
that no cache has any more, they would make a message a tenth dearer, and so would a million objects that the garbage collector looks at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

RECORDS = 256
"""Records that are packed at once, or fewer where these have"""
BLOCKS = 64
"""this part of the budget: the oldest are dropped block by block."""


Record = Callable[[Iterable[Any]], None]
Columns = Sequence[Sequence[Any]]
"""The first value of each record, the second of each, and so on."""
Pack = Callable[[list[list[Any]]], tuple[Columns, int]]
"""Packs the columns of some records, which are dropped together; and tells how many bytes they then have."""


class _Block(NamedTuple):
    """Records that are packed; the first is the one of that ``number`` since the beginning."""

    number: int
    columns: Columns
    bytes: int


class Ring:
    """``width`` is how many values a record has. ``use`` is given the function that takes the values of a record: at once, and another one
    whenever records have been packed.
    """

    def __init__(self, budget: int, width: int, pack: Pack, use: Callable[[Record], None] = lambda record: None) -> None:
        self._budget = budget
        self._width = width
        self._pack = pack
        self._use = use
        self._blocks: deque[_Block] = deque()
        self._packed = self._unpacked = 0  # bytes
        self._begin(0)

    def _begin(self, number: int) -> None:
        self._number = number
        self._latest: list[Any] = []
        self._unpacked = 0
        self._use(self._latest.extend)

    def record(self, values: Iterable[Any]) -> None:
        """Take a record. Whoever has many had better be told by ``use`` which function takes them."""
        self._latest.extend(values)

    @property
    def end(self) -> int:
        """How many records there have been."""
        return self._number + len(self._latest) // self._width

    @property
    def bytes(self) -> int:
        """What the records weigh that were there at the last sweep."""
        return self._packed + self._unpacked

    def pack(self) -> None:
        """Pack what has come, if that is worth while: the sooner, the less it costs."""
        if len(self._latest) >= RECORDS * self._width:
            self._keep(*self._pack(self._columns()))

    def sweep(self) -> None:
        """Weigh what is new, and drop what is too old."""
        if self._latest:
            columns, weight = self._pack(self._columns())
            self._unpacked = weight
            if len(columns[0]) >= RECORDS or weight * BLOCKS >= self._budget:
                self._keep(columns, weight)
        while self.bytes > self._budget and len(self._blocks) > (not self._latest):
            self._packed -= self._blocks.popleft().bytes

    def _keep(self, columns: Columns, weight: int) -> None:
        self._blocks.append(_Block(self._number, columns, weight))
        self._packed += weight
        self._begin(self.end)

    def _columns(self) -> list[list[Any]]:
        return [self._latest[place :: self._width] for place in range(self._width)]

    def since(self, number: int) -> list[tuple[Any, ...]]:
        """The records from that number on, as far as they are still there."""
        found: list[Columns] = []
        for first, columns in self._newest_first():
            found.append([column[max(0, number - first) :] for column in columns])
            if first <= number:
                break
        return [record for columns in reversed(found) for record in zip(*columns, strict=True)]

    def blocks_with(self, place: int, value: Any) -> Iterator[list[tuple[Any, ...]]]:
        """The records with that value at that place, the oldest first, of one block after another: between two of them others may have a turn."""
        for _, columns in reversed(list(self._newest_first())):
            column = columns[place]
            found = [number for number, each in enumerate(column) if each == value] if value in column else []
            yield [tuple(each[number] for each in columns) for number in found]

    def _newest_first(self) -> Iterator[tuple[int, Columns]]:
        yield self._number, self._columns()
        for block in reversed(self._blocks):
            yield block.number, block.columns
