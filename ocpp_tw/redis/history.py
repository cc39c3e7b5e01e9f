"""Reads the fleet's histories, which are streams.

Writes none: that is done by the effects of entries (`ocpp_tw.redis.events`).
"""

from __future__ import annotations

import re
from typing import Any

from zope.interface import implementer

from ..interfaces import IHistory
from .connection import Connection
from .keys import Keys
from .protocol import encode

CURSOR = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
"""An id of a stream's element."""

LAST = (1 << 64) - 1
"""The highest number in the second part of an id."""


@implementer(IHistory)
class RedisHistory:
    """Histories over an ordinary connection."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._keys = keys

    async def recent(self, history: str, count: int, before: str = "") -> list[tuple[str, bytes]]:
        """See `IHistory`."""
        newest = _before(before) if before else "+"
        if not newest:
            return []
        found: list[Any] = await self._connection.send("XREVRANGE", encode(self._keys.recent(history)), newest, "-", "COUNT", count)
        return [(id.decode(), fields[1]) for id, fields in found]


def _before(cursor: str) -> str:
    """The id right before that one; "" if there is none."""
    parts = CURSOR.fullmatch(cursor)
    if parts is None or max(int(parts[1]), int(parts[2])) > LAST:
        raise ValueError(f"{cursor!r} is no cursor")
    time, number = int(parts[1]), int(parts[2])
    if number:
        return f"{time}-{number - 1}"
    return f"{time - 1}-{LAST}" if time else ""
