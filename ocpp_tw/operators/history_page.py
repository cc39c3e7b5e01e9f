"""A page of one of the fleet's histories, as routes answer it: a cursor leads to the next one.

Knows no history by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from ..monitoring.history_reader import HistoryReader, Page
from .serving import Refused, from_store

MAX_LIMIT = 1000
"""Most rows of a page."""

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)]

NO_CURSOR = "cursor must be the `cursor` of the page before, with the same query"


async def history_page(
    histories: HistoryReader, name: str, limit: int, cursor: str, matches: Callable[[dict[str, Any]], bool], *words: str
) -> Page:
    """A page of a history. Raises `Refused` if the cursor is none, or the store does not answer."""
    try:
        return await from_store(histories.page(name, limit, cursor, matches, words))
    except ValueError:
        raise Refused(400, NO_CURSOR) from None
