"""Memory of one size that is written round and round: what is newest overwrites what is oldest.

It is its own, and never given back while it is used: of blocks that are allocated and freed in turn the allocator gives the oldest to
whoever asks next, so that all that a message needs would be in memory that no cache has any more.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import overload


class Arena:
    """``size`` is in bytes; the system provides them as they are first written to. ``end`` is where the next piece begins, at the earliest,
    counted from the very first byte: places only grow."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.end = 0
        self._memory = mmap(-1, size, MAP_PRIVATE | MAP_ANONYMOUS)

    def put(self, piece: bytes) -> int:
        """Copy a piece of at most ``size`` bytes; returns its place."""
        at = self.end % self.size
        if at + len(piece) > self.size:
            self.end += self.size - at
            at = 0
        start = self.end
        self._memory[at : at + len(piece)] = piece
        self.end += len(piece)
        return start

    def has(self, place: int) -> bool:
        """Whether the piece at this place, and so all after it, is still there."""
        return place >= self.end - self.size

    def get(self, place: int, size: int) -> bytes:
        """So many bytes of a piece that is still there."""
        at = place % self.size
        return self._memory[at : at + size]


class Pieces(Sequence[bytes]):
    """The parts of one piece of an `Arena`, at a ``place``; ``ends`` are where each ends in it."""

    __slots__ = ("_arena", "_ends", "place")

    def __init__(self, arena: Arena, place: int, ends: array[int]) -> None:
        self._arena = arena
        self.place = place
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self._ends)))]
        begin = self._ends[index - 1] if index else 0
        return self._arena.get(self.place + begin, self._ends[index] - begin)
