"""What entries that are not safe yet will do to tables: who asks what is on a shelf must be told of it too.

Knows neither where the entries are nor when they are safe.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..spool.spool import Kept


class Unwritten:
    """By shelf, so that one shelf is asked for at the same price however much waits for the others."""

    def __init__(self) -> None:
        self.tables: defaultdict[bytes, list[Kept]] = defaultdict(list)

    def add(self, kept: Iterable[Kept]) -> None:
        """These will be so."""
        for each in kept:
            self.tables[each[0]].append(each)

    def drop(self, kept: Iterable[Kept]) -> None:
        """These are so now: whoever keeps tables knows of them."""
        for each in kept:
            waiting = self.tables[each[0]]
            waiting.remove(each)
            if not waiting:
                del self.tables[each[0]]

    def on(self, shelf: bytes) -> dict[bytes, bytes | None]:
        """What will be on the shelf, by name; None: it is taken off."""
        return {name: value for _, name, value in self.tables.get(shelf, ())}
