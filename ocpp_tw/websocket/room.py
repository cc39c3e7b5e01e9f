"""Limits what large messages take in memory before they are processed, over all connections and for each address.

Knows no frame.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Protocol

from ..settings import Settings

LARGE = 64 * 1024
"""Bytes beyond which a message is large, and needs room."""

SHARE_OF_ADDRESS = 4
"""One address may have one in so many of the bytes, unless the settings let one have all connections: behind a proxy all have its address."""


class Receiving(Protocol):
    """A connection that receives a large message."""

    @property
    def address(self) -> str: ...

    def has_room(self) -> None:
        """The room that it waits for is reserved now."""


class Room:
    """One for all connections, each of which may reserve room for one message. One that is longer than the limits is let in alone."""

    @classmethod
    def of(cls, settings: Settings) -> Room:
        """What the settings give."""
        total, shared = settings.large_messages << 20, settings.max_connections_per_address >= settings.max_connections
        return cls(total, total if shared else total // SHARE_OF_ADDRESS)

    def __init__(self, total: int, share: int) -> None:
        self._total, self._share = total, share
        self._reserved: dict[Receiving, tuple[str, int]] = {}
        self._taken = 0
        self._of: Counter[str] = Counter()
        # thousands may wait and leave at once, so nothing here looks through them: those of each address, and the addresses of which the
        # first may have room as soon as there is enough in all; the others have their share, until some of it is released
        self._waiting: dict[str, OrderedDict[Receiving, int]] = {}
        self._next: OrderedDict[str, None] = OrderedDict()
        self._letting_in = False

    @property
    def wanted(self) -> bool:
        """Whether anybody waits for room."""
        return bool(self._waiting)

    def reserve(self, connection: Receiving, size: int) -> bool:
        """Reserve so many bytes for the connection's message; without room it waits, and `Receiving.has_room` is called."""
        address = connection.address
        if not self._next and address not in self._waiting and self._fits(address, size):
            self._take(connection, address, size)
            return True
        waiting = self._waiting.setdefault(address, OrderedDict())
        waiting[connection] = size
        if len(waiting) == 1 and self._fits_in_share(address, size):
            self._next[address] = None
        return False

    def release(self, connection: Receiving) -> None:
        """The connection's message is processed, or will never be."""
        reserved = self._reserved.pop(connection, None)
        if reserved is not None:
            address, size = reserved
            self._taken -= size
            self._of[address] -= size
            if not self._of[address]:
                del self._of[address]
        else:
            address = connection.address
            self._wait_no_more(connection, address)
        if address in self._waiting:
            self._next.setdefault(address)
        self._let_in()

    def _wait_no_more(self, connection: Receiving, address: str) -> None:
        waiting = self._waiting.get(address)
        if waiting is not None and waiting.pop(connection, None) is not None and not waiting:
            del self._waiting[address]
            self._next.pop(address, None)

    def _let_in(self) -> None:
        """Those that fit now, the first of each address in turn; one whose address has its share does not keep the others waiting."""
        if self._letting_in:
            return  # a connection that was let in has released its room at once: the loop below sees it
        self._letting_in = True
        try:
            while self._next:
                address = next(iter(self._next))
                connection, size = next(iter(self._waiting[address].items()))
                if not self._fits_in_share(address, size):
                    del self._next[address]
                    continue
                if not self._fits_in_all(size):
                    break
                self._next.move_to_end(address)
                self._wait_no_more(connection, address)
                self._take(connection, address, size)
                connection.has_room()
        finally:
            self._letting_in = False

    def _fits(self, address: str, size: int) -> bool:
        return self._fits_in_all(size) and self._fits_in_share(address, size)

    def _fits_in_all(self, size: int) -> bool:
        return not self._taken or self._taken + size <= self._total

    def _fits_in_share(self, address: str, size: int) -> bool:
        of = self._of.get(address, 0)
        return not of or of + size <= self._share

    def _take(self, connection: Receiving, address: str, size: int) -> None:
        self._reserved[connection] = (address, size)
        self._taken += size
        self._of[address] += size
