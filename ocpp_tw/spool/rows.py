"""What the spool holds: rows, each a group of entries with a checksum, and the updates of tables that a group makes.

Knows neither SQLite nor files, nor what a group says.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec


class Row(NamedTuple):
    """One group as it is stored; ``id`` counts up over the life of the file, ``incarnation`` is the run of the gateway that wrote it."""

    id: int
    incarnation: str
    number: int
    events: int
    arguments: int
    data: bytes


TableUpdate = tuple[bytes, bytes, bytes | None]
"""The key of a table, the name of a field in it, and the field's new value; None: the field is deleted. Or, by the name `IF_UNCHANGED`, several
fields at once."""

FieldUpdate = tuple[bytes, bytes | None]
"""The same in one table: the name of a field and its new value."""

IF_UNCHANGED = b"\xff if unchanged"
"""In place of a field's name: the value has several fields, and what others have to be for them to be set (see `conditional`). No field is
called so: names are UTF-8."""

UpdatesOf = Callable[[int, int, bytes], Iterable[TableUpdate]]
"""The table updates that a group makes, given its numbers of events and arguments and its data."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[dict[bytes, bytes], list[FieldUpdate]]).decode


def conditional(table: bytes, expected: Mapping[bytes, bytes], updates: Iterable[TableUpdate]) -> list[TableUpdate]:
    """The updates, of which those of that table are made only if these of its fields have these values (b"": there is none), as one."""
    updates = list(updates)
    changes = [(name, value) for key, name, value in updates if key == table]
    others = [each for each in updates if each[0] != table]
    return [(table, IF_UNCHANGED, _encode((dict(expected), changes))), *others] if changes else others


def applied(fields: Mapping[bytes, bytes], updates: Iterable[FieldUpdate]) -> dict[bytes, bytes]:
    """The fields of a table after these updates of it."""
    found = dict(fields)
    for name, value in updates:
        changes = [(name, value)]
        if name == IF_UNCHANGED:
            expected, changes = _decode(value or b"")
            if any(found.get(each, b"") != before for each, before in expected.items()):
                continue
        for each, after in changes:
            if after is None:
                found.pop(each, None)
            else:
                found[each] = after
    return found


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
