"""A ring of the latest records within a budget of bytes. Whoever records pays for one call that extends a list, and for little else.

Knows nothing of what a record is, but for how many values it has, of which the last are bytes. Some hundred records at a time are packed: a
million objects would be looked at by the garbage collector again and again.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from .arena import Arena, Pieces

RECORDS = 256
"""Records that are packed at once, or fewer where their bytes have"""
BLOCKS = 64
"""this part of the budget, or"""
LARGE = 1 << 16
"""are so many."""

VALUES_SHARE = 8
"""This part of the budget is for the other values: with records of few bytes it is what ends first."""

PLACE_BYTES, BLOCK_BYTES = 8, 600
"""What the place of a record's bytes takes, and some hundred records together."""

Pack = Callable[[list[Any]], Sequence[Any]]
"""Packs a value of some records."""


class _Block(NamedTuple):
    """Records that are packed; the first is the one of that ``number`` since the beginning. ``columns`` has the first value of each, the
    second of each, and so on; the last are ``pieces``."""

    number: int
    columns: list[Sequence[Any]]
    pieces: Pieces
    bytes: int


class Ring:
    """``packs`` pack the values of records, without their bytes, which take ``value_bytes`` together.

    ``record`` takes the values of one; it is always the same function.
    """

    def __init__(self, budget: int, packs: Sequence[Pack], value_bytes: int) -> None:
        self._packs = packs
        self._width = len(packs) + 1
        self._value_bytes = value_bytes + PLACE_BYTES
        self._values_budget = budget // VALUES_SHARE
        self._arena = Arena(budget - self._values_budget)
        self._large = min(LARGE, self._arena.size // BLOCKS)
        self._blocks: deque[_Block] = deque()
        self._values = 0  # bytes
        self._number = 0
        self._latest: list[Any] = []
        self.record: Callable[[Iterable[Any]], None] = self._latest.extend

    @property
    def end(self) -> int:
        """How many records there have been."""
        return self._number + len(self._latest) // self._width

    @property
    def bytes(self) -> int:
        """What the records weigh that are packed."""
        return self._values + sum(block.bytes for block in self._blocks)

    def pack(self) -> None:
        """Pack what has come, if that is worth while: the sooner, the less it costs."""
        if len(self._latest) >= RECORDS * self._width:
            self._keep()

    def sweep(self) -> None:
        """The same where few records may have many bytes."""
        if len(self._latest) >= RECORDS * self._width or sum(map(len, self._latest[self._width - 1 :: self._width])) >= self._large:
            self._keep()

    def _keep(self) -> None:
        number, columns = self.end, self._columns()
        self._latest.clear()
        texts = columns.pop()
        left_out, size = 0, sum(map(len, texts))
        while size > self._arena.size:
            size -= len(texts[left_out])
            left_out += 1
        if left_out:
            texts, columns = texts[left_out:], [column[left_out:] for column in columns]
        place = self._arena.put(b"".join(texts))
        pieces = Pieces(self._arena, place, array("Q", accumulate(map(len, texts))))
        packed = [pack(column) for pack, column in zip(self._packs, columns, strict=True)]
        self._blocks.append(_Block(number - len(texts), packed, pieces, size))
        self._values += self._weight(len(texts))
        self._number = number
        while self._blocks and not (self._arena.has(self._blocks[0].pieces.place) and self._values <= self._values_budget):
            self._values -= self._weight(len(self._blocks.popleft().pieces))

    def _weight(self, records: int) -> int:
        return self._value_bytes * records + BLOCK_BYTES

    def _columns(self) -> list[Any]:
        return [self._latest[place :: self._width] for place in range(self._width)]

    def since(self, number: int) -> list[tuple[Any, ...]]:
        """The records from that number on, as far as they are still there."""
        found: list[list[Sequence[Any]]] = []
        for first, columns in self._newest_first():
            found.append([column[max(0, number - first) :] for column in columns])
            if first <= number:
                break
        return [record for columns in reversed(found) for record in zip(*columns, strict=True)]

    def blocks_with(self, place: int, value: Any) -> Iterator[list[tuple[Any, ...]]]:
        """The records with that value at that place, the oldest first, of one block after another: between two of them others may have a
        turn, in which the oldest are dropped."""
        for first, columns in reversed(list(self._newest_first())):
            if first < self._number and first < self._blocks[0].number:
                continue
            column = columns[place]
            found = [number for number, each in enumerate(column) if each == value] if value in column else []
            yield [tuple(each[number] for each in columns) for number in found]

    def _newest_first(self) -> Iterator[tuple[int, Sequence[Sequence[Any]]]]:
        yield self._number, self._columns()
        for block in reversed(self._blocks):
            yield block.number, [*block.columns, block.pieces]
