"""What the spool holds: rows, each a group of entries with a checksum, and the updates of tables that a group makes.

Knows neither SQLite nor files, nor what a group says.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One group as it is stored; ``id`` counts up over the life of the file, ``incarnation`` is the run of the gateway that wrote it."""

    id: int
    incarnation: str
    number: int
    events: int
    arguments: int
    data: bytes


TableUpdate = tuple[bytes, bytes, bytes | None]
"""The key of a table, the name of a field in it, and the field's new value; None: the field is deleted."""

UpdatesOf = Callable[[int, int, bytes], Iterable[TableUpdate]]
"""The table updates that a group makes, given its numbers of events and arguments and its data."""


def checksum(id: int, incarnation: str, number: int, data: bytes) -> int:
    """Detects a damaged row, also one whose id alone has changed: its place among the others."""
    return zlib.crc32(data, zlib.crc32(f"{id} {incarnation} {number}".encode()))


def is_intact(id: int, values: Any) -> bool:
    """Whether the values are those of a row, and the checksum is theirs."""
    if len(values) != 6:
        return False  # the damage is in the table's definition
    incarnation, number, events, arguments, data, sum = values
    typed = (
        isinstance(incarnation, str) and isinstance(data, bytes) and all(isinstance(each, int) for each in (number, events, arguments, sum))
    )
    return typed and checksum(id, incarnation, number, data) == sum
