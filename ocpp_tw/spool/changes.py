"""What has changed in tables since the mirror was last written: only what stands last of each.

Knows neither files nor what tables hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from .rows import IF_UNCHANGED, FieldUpdate, TableUpdate, applied

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode


class Changes:
    """``contents`` has the tables that were read as a whole, encoded; ``fields`` those that were set or deleted (None) after that, and
    ``conditional`` all updates of a table from the first on that depends on what is in it, which is not known here (see `resolve`)."""

    __slots__ = ("conditional", "contents", "fields")

    def __init__(self) -> None:
        self.contents: dict[bytes, bytes] = {}
        self.fields: dict[bytes, dict[bytes, bytes | None]] = {}
        self.conditional: dict[bytes, list[FieldUpdate]] = {}

    def __bool__(self) -> bool:
        return bool(self.contents or self.fields or self.conditional)

    def update(self, updates: Iterable[TableUpdate]) -> None:
        """These fields have changed."""
        for table, name, value in updates:
            if name == IF_UNCHANGED or table in self.conditional:
                self.conditional.setdefault(table, []).append((name, value))
                continue
            known = self.fields.get(table)
            if known is None:
                self.fields[table] = {name: value}
            else:
                known[name] = value

    def replace(self, table: bytes, content: Mapping[bytes, bytes]) -> None:
        """This is all that is in the table, whatever was known of it before."""
        self.fields.pop(table, None)
        self.conditional.pop(table, None)
        self.contents[table] = encode(content)

    def resolve(self, known: Callable[[bytes], Mapping[bytes, bytes]]) -> None:
        """Find out what the conditional updates come to: ``known`` has the fields of a table before all that changed."""
        for table, updates in list(self.conditional.items()):
            self.replace(table, applied(self.applied(table, known(table)), updates))

    def add(self, later: Changes) -> None:
        """These came after; nothing in them is conditional any more."""
        for table, content in later.contents.items():
            self.fields.pop(table, None)
            self.contents[table] = content
        for table, fields in later.fields.items():
            self.fields.setdefault(table, {}).update(fields)

    def drop(self, most: int) -> None:
        """Keep those of so many tables at most, the latest."""
        for tables in (self.contents, self.fields):
            for table in list(tables)[: max(0, len(tables) - most)]:
                del tables[table]

    def applied(self, table: bytes, known: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """The fields of a table that had those known ones before."""
        content = self.contents.get(table)
        found: dict[bytes, bytes | None] = {**(known if content is None else decode(content)), **self.fields.get(table, {})}
        return {name: value for name, value in found.items() if value is not None}
