"""Queued entries, and the groups they are written in: one group is one number and one piece of a script's arguments.

Knows neither when a group is written nor what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hiredis
import msgspec

from ..core.entries import Acknowledged, Entry
from ..spool import TableUpdate
from .effects import NO_EFFECTS, Effects, condition, effects_of, updates_in
from .keys import Keys
from .protocol import Packed, encode, pack

MAX_EVENTS = 1000
"""Most events in a group; the rest of the queue makes the next one."""

MAX_BYTES = 2 << 20
"""Most bytes of events in a group of more than one; Redis closes the connection of a client that sends 1 GB."""

GROUP_TTL = 7 * 86_400
"""Seconds for which Redis remembers the last group of each incarnation: as long may one be sent again that was written before."""


class QueuedEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry that is not durable yet: its charger and event as arguments, in pieces of ``size`` bytes, none if it has no event; its effects,
    and what to call afterwards. It is in no cycle."""

    pieces: tuple[bytes, ...]
    size: int
    charger: str
    effects: Effects
    then: Callable[[Any], None] | None
    value: Any

    @classmethod
    def of(cls, entry: Entry, keys: Keys, then: Callable[[Any], None] | None, value: Any) -> QueuedEntry:
        """Pack the entry now: while the group is made everything waits."""
        event = entry.event
        effects = effects_of(keys, entry.charger, entry.effects) if entry.effects else NO_EFFECTS
        if not event:
            return cls((), 0, entry.charger, effects, then, value)
        charger = encode(entry.charger)
        head = b"$%d\r\n%b\r\n$%d\r\n" % (len(charger), charger, len(event))
        return cls((head, event, b"\r\n"), len(head) + len(event) + 2, entry.charger, effects, then, value)


class Group:
    """Entries that are written together, as arguments of `WRITE`; an incarnation numbers its groups from 1. It has so many ``events``, of
    so many ``bytes``, makes these table ``updates``, and ``acknowledged`` these elements of the command list.

    ``durable``: Redis or the spool has it, and its entries' callbacks have been called. ``diverted``: it was taken from Redis to the spool.
    """

    __slots__ = ("acknowledged", "bytes", "diverted", "durable", "entries", "events", "number", "packed", "updates")

    def __init__(self, number: int, entries: list[QueuedEntry], keys: Keys) -> None:
        self.number, self.entries = number, entries
        self.durable = self.diverted = False
        self.updates: list[TableUpdate] = []
        self.acknowledged: list[bytes] = []
        events = arguments = size = 0
        parts, tail = [b""], list[bytes]()
        for each in entries:
            if each.size:
                events += 1
                size += each.size
                parts += each.pieces
            if each.effects is not NO_EFFECTS:
                effects = each.effects
                for effect in effects.conditions:
                    if isinstance(effect, Acknowledged):
                        self.acknowledged.append(effect.element)
                    number_of, packed = condition(keys, each.charger, effect, events if each.size else 0, effects.number)
                    arguments += number_of
                    tail.append(packed)
                arguments += effects.number
                tail.append(effects.data)
                self.updates += effects.updates
        self.events, self.bytes = events, size
        parts[0] = pack(str(number), str(events), str(arguments))
        self.packed = Packed(3 + 2 * events + arguments, b"".join(parts + tail))

    @classmethod
    def load(cls, queue: list[QueuedEntry], keys: Keys, number: int) -> Group:
        """The next group; its entries are taken out of the queue."""
        size = MAX_EVENTS
        while True:
            entries = queue[:size]
            if len(entries) == 1 or sum([each.size for each in entries]) <= MAX_BYTES:
                break
            size = len(entries) // 2
        del queue[: len(entries)]
        return cls(number, entries, keys)


def events_of(packed: bytes) -> list[tuple[str, bytes]]:
    """The events of a group, each with its charger."""
    reader = hiredis.Reader()
    reader.feed(packed)
    _, events, _ = reader.gets(), reader.gets(), reader.gets()
    return [(reader.gets().decode("utf-8", "surrogatepass"), reader.gets()) for _ in range(int(events))]


def updates_of(events: int, arguments: int, data: bytes) -> list[TableUpdate]:
    """The table updates that a stored group makes."""
    reader = hiredis.Reader()
    reader.feed(b"*%d\r\n%b" % (arguments, data))
    return updates_in(reader.gets()[3 + 2 * events :])
