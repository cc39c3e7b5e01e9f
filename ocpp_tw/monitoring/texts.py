"""Many texts in one piece of memory.

Knows nothing of what they say.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload


class Texts(Sequence[bytes]):
    """``text`` is all of them, one after another; ``ends`` are where each ends."""

    __slots__ = ("ends", "text")

    def __init__(self, text: bytes, ends: array[int]) -> None:
        self.text = text
        self.ends = ends

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...

    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self.ends)))]
        return self.text[self.ends[place - 1] if place else 0 : self.ends[place]]
