"""Pages of the fleet's histories, filtered: ended transactions, results of commands, troubles.

Knows neither what they mean nor who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..interfaces import IHistory
from ..waiting import in_time
from .slices import slices

CHUNK = 500
"""Elements that are read at once."""

MAX_LOOKED_AT = 20_000
"""Most elements that are looked at for one page; a filter that lets through fewer than a page has found less then, and its cursor goes on."""

READ_WITHIN = 3.0
"""Seconds that the store has for a chunk."""


class Page(NamedTuple):
    """``cursor`` leads to the next one; None if there is nothing more."""

    rows: list[dict[str, Any]]
    cursor: str | None


class HistoryReader:
    """One for a gateway. Its methods fail with `TimeoutError` or `StoreUnavailable` if the store does not answer."""

    def __init__(self, history: IHistory, clock: IReactorTime) -> None:
        self._history = history
        self._clock = clock

    async def page(
        self,
        history: str,
        limit: int,
        cursor: str = "",
        matches: Callable[[dict[str, Any]], bool] = lambda row: True,
        words: Sequence[str] = (),
    ) -> Page:
        """The newest that match, at most ``limit``, from behind a cursor; what does not have these ``words`` as members matches nothing, and
        is not even decoded. Raises `ValueError` for what is no cursor."""
        rows: list[dict[str, Any]] = []
        texts = [msgspec.json.encode(word) for word in words if word]
        for _ in range(MAX_LOOKED_AT // CHUNK):
            chunk = await in_time(self._history.recent(history, CHUNK, cursor), READ_WITHIN, self._clock)
            async for some in slices(chunk, self._clock):
                for cursor, value in some:
                    row = _decoded(value) if all(text in value for text in texts) else None
                    if row is not None and matches(row):
                        rows.append(row)
                        if len(rows) == limit:
                            return Page(rows, cursor)
            if len(chunk) < CHUNK:
                return Page(rows, None)
        return Page(rows, cursor)


def _decoded(value: bytes) -> dict[str, Any] | None:
    try:
        row = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None
    return row if isinstance(row, dict) else None
