"""The table updates of entries that are not durable yet: who reads a table must see them too.

Knows neither where the entries are nor when they become durable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..spool import FieldUpdate, TableUpdate


class Unwritten:
    """By table, so that reading one table costs the same however many updates wait for others. ``tables`` has no empty ones."""

    def __init__(self) -> None:
        self.tables: defaultdict[bytes, list[TableUpdate]] = defaultdict(list)

    def add(self, updates: Iterable[TableUpdate]) -> None:
        """These updates are queued."""
        for each in updates:
            self.tables[each[0]].append(each)

    def drop(self, updates: Iterable[TableUpdate]) -> None:
        """These updates are durable: Redis or the spool knows them."""
        for each in updates:
            waiting = self.tables[each[0]]
            waiting.remove(each)
            if not waiting:
                del self.tables[each[0]]

    def pending(self, table: bytes) -> list[FieldUpdate]:
        """What the updates will do to the table, in order."""
        return [(name, value) for _, name, value in self.tables.get(table, ())]
