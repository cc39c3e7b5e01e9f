"""How many connections operators' HTTP has, in all and from one address, so that nobody takes the descriptors that others need.

Knows no HTTP. A full table makes room by closing whoever has waited longest without asking anything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

SHARE_OF_DESCRIPTORS = 4
"""Operators have one in so many of the process's file descriptors (RLIMIT_NOFILE), if that is less than the settings allow."""


class Connection(Protocol):
    """One connection."""

    @property
    def busy(self) -> bool:
        """Whether a request of it is being served."""

    def give_up(self) -> None:
        """End it at once."""


class Connections:
    """At most ``limit`` connections, and three quarters of them from one address; 0 is no limit, for whoever is limited elsewhere.

    ``descriptors`` is how many the process may have; ``turned_away`` is told the address of each connection that has to go or may not come.

    Of either number three quarters may be busy at a time: the last quarter is for those who only ask how the gateway is.
    """

    def __init__(self, limit: int, descriptors: int, turned_away: Callable[[str], None]) -> None:
        self._most = min(limit, max(4, descriptors // SHARE_OF_DESCRIPTORS)) if limit else 0
        self._most_of_one = _three_quarters(self._most)
        self._turned_away = turned_away
        # in the order in which they have waited, in all and of each address; a full table makes room for every connection of a flood
        self._all: OrderedDict[Connection, str] = OrderedDict()
        self._of: dict[str, OrderedDict[Connection, None]] = {}

    def make_room(self, address: str) -> bool:
        """Whether one more from that address may come; one that waits may have to go for it."""
        if not self._most:
            return True
        of_it = self._of.get(address)
        if of_it is not None and len(of_it) >= self._most_of_one:
            return self._close_one(of_it, address)
        return len(self._all) < self._most or self._close_one(self._all, address)

    def add(self, connection: Connection, address: str) -> None:
        """It has come, or waits again."""
        self.remove(connection)
        self._all[connection] = address
        self._of.setdefault(address, OrderedDict())[connection] = None

    def remove(self, connection: Connection) -> None:
        """It has ended."""
        address = self._all.pop(connection, None)
        if address is not None:
            of_it = self._of[address]
            del of_it[connection]
            if not of_it:
                del self._of[address]

    def too_busy(self, address: str) -> bool:
        """Whether as many requests are being served as may be, from that address or in all."""
        if not self._most:
            return False
        busy = [of for each, of in self._all.items() if each.busy]
        return len(busy) >= _three_quarters(self._most) or busy.count(address) >= _three_quarters(self._most_of_one)

    def _close_one(self, those: OrderedDict[Connection, Any], newcomer: str) -> bool:
        """Close the first of them that waits; whether there was one."""
        for _ in range(len(those)):
            first = next(iter(those))
            if not first.busy:
                self._turned_away(self._all[first])
                self.remove(first)
                first.give_up()
                return True
            those.move_to_end(first)  # it is not looked at again by the next newcomers; when it waits again it is the last
        self._turned_away(newcomer)
        return False


def _three_quarters(number: int) -> int:
    return max(1, number * 3 // 4)
