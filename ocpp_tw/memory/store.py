"""What a fleet has in its store, kept in this process. Methods that the drivers share are here.

Knows no driver.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..core.commands import PEER_MESSAGES, Taken, digest


class Member(Protocol):
    """A gateway that hears what others say."""

    address: str

    def hear(self, message: bytes) -> None:
        """A message came."""


@dataclass(slots=True)
class MemoryStore:
    """What a fleet has in Redis. Tests may read and write all of it."""

    events: list[bytes] = field(default_factory=list)
    seq: Counter[str] = field(default_factory=Counter)
    tables: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    replies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    connections: dict[str, tuple[str, str, str, int]] = field(default_factory=dict)
    """charger -> the Host header, the OCPP version, the network and the security profile of its connection"""
    arrived: dict[str, float] = field(default_factory=dict)
    """charger -> when its connection was made, in Unix time"""
    living: set[str] = field(default_factory=set)
    commands: deque[bytes] = field(default_factory=deque)
    own: dict[str, deque[bytes]] = field(default_factory=lambda: defaultdict(deque))
    processing: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    done: set[tuple[str, str]] = field(default_factory=set)
    dead: list[bytes] = field(default_factory=list)
    left: dict[str, deque[Taken]] = field(default_factory=lambda: defaultdict(deque))
    reclaimed: set[str] = field(default_factory=set)
    registered: set[str] = field(default_factory=set)
    leased: int = 0
    once: dict[str, float] = field(default_factory=dict)
    """what is not to be told again -> until when"""
    recent: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """history -> what was recorded in it, the oldest first"""
    dropped: Counter[str] = field(default_factory=Counter)
    """history -> how many of its elements have been dropped"""
    members: list[Member] = field(default_factory=list)
    takers: list[Callable[[], bool]] = field(default_factory=list)

    def record(self, history: str, value: bytes, most: int) -> None:
        """Append to a history that has at most so many elements."""
        kept = self.recent[history]
        kept.append(value)
        excess = max(0, len(kept) - most)
        del kept[:excess]
        self.dropped[history] += excess

    def push(self, element: bytes, gateway: str = "") -> None:
        """What a backend does with a command; with a gateway's name, into the list that is its own."""
        (self.own[gateway] if gateway else self.commands).append(element)
        self.serve()

    def serve(self) -> None:
        """Give waiting elements to waiting takers."""
        while any(taker() for taker in list(self.takers)):
            pass

    def left_over(self, gateway: str, silent: float) -> list[Taken]:
        """What a gateway has in flight, as the next to take it over will get it."""
        marks = self.tables["sent", gateway]
        left: list[Taken] = []
        for element in self.processing[gateway]:
            sent = digest(element) in marks and not any(each.sent and each.element == element for each in left)
            left.append(Taken(element, silent, sent))
        return left

    def reclaim(self, gone: str, gateway: str, silent: float = 60.0) -> None:
        """A gateway takes over from one whose lease has expired."""
        left = [each for each in self.left_over(gone, silent) if not each.element.startswith(PEER_MESSAGES)]
        own = [each for each in self.own.pop(gone, ()) if not each.startswith(PEER_MESSAGES)]
        for table in ("sent", "provisional"):
            self.tables[table, gateway] |= self.tables.pop((table, gone), {})
        self.processing.pop(gone, None)
        self.reclaimed.add(gone)
        self.processing[gateway] += [each.element for each in left]
        self.left[gateway] += left
        self.commands.extendleft(reversed(own))
        self.serve()

    def settle(self, gateway: str, element: bytes) -> bool:
        """Remove an element from those the gateway has in flight; whether it was among them."""
        found = element in self.processing[gateway]
        if found:
            self.processing[gateway].remove(element)
        return found
