"""Work over many chargers in slices: everybody else is served between two of them.

Knows nothing of the work.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from ..waiting import pause

T = TypeVar("T")

SLICE = 0.005
"""Seconds of work in one turn of the reactor."""

AT_ONCE = 100
"""Items between two looks at the clock."""


async def slices(items: Sequence[T], clock: IReactorTime) -> AsyncIterator[Sequence[T]]:
    """The items, some at a time."""
    end = time.perf_counter() + SLICE
    for start in range(0, len(items), AT_ONCE):
        if start and time.perf_counter() >= end:
            await pause(0, clock)
            end = time.perf_counter() + SLICE
        yield items[start : start + AT_ONCE]
