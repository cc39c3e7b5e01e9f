"""Queued entries, and the groups they are written in: one group is one number and one piece of a script's arguments.

Knows neither when a group is written nor what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import hiredis
import msgspec

from ..core.entries import (
    Acknowledged,
    Broadcast,
    Departed,
    Effect,
    Entry,
    IdReleased,
    Listed,
    Orphaned,
    PeerMessage,
    Put,
    Recorded,
    Unchanged,
)
from ..log import Logger
from ..spool import TableUpdate, conditional
from .keys import Keys
from .protocol import Packed, encode, pack
from .scripts.write import EFFECT_SIZES

_log = Logger()

MAX_EVENTS = 1000
"""Most events in a group; the rest of the queue makes the next one."""

MAX_BYTES = 2 << 20
"""Most bytes of events in a group of more than one; Redis closes the connection of a client that sends 1 GB."""

GROUP_TTL = 7 * 86_400
"""Seconds for which Redis remembers the last group of each incarnation: as long may one be sent again that was written before."""


_read_fields = msgspec.json.Decoder(list[tuple[str, str]]).decode


class QueuedEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry that is not durable yet: its charger and event, packed, its table updates, and what to call afterwards. It is in no cycle."""

    packed: bytes
    charger: str
    effects: tuple[Effect, ...]
    updates: tuple[TableUpdate, ...]
    then: Callable[[Any], None] | None
    value: Any

    @classmethod
    def of(cls, entry: Entry, keys: Keys, then: Callable[[Any], None] | None, value: Any) -> QueuedEntry:
        """Pack the entry's event now: while the group is made everything waits."""
        charger, event = encode(entry.charger), entry.event
        packed = b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(charger), charger, len(event), event) if event else b""
        return cls(packed, entry.charger, entry.effects, _updates(keys, entry) if entry.effects else (), then, value)


class Group:
    """Entries that are written together, as arguments of `WRITE`; an incarnation numbers its groups from 1. It has so many ``events``, of
    so many ``bytes``.

    ``durable``: Redis or the spool has it, and its entries' callbacks have been called. ``diverted``: it was taken from Redis to the spool.
    """

    __slots__ = ("bytes", "diverted", "durable", "entries", "events", "number", "packed")

    def __init__(self, number: int, entries: list[QueuedEntry], events: int, bytes: int, packed: Packed) -> None:
        self.number, self.entries, self.events, self.bytes, self.packed = number, entries, events, bytes, packed
        self.durable = self.diverted = False

    @classmethod
    def load(cls, queue: list[QueuedEntry], keys: Keys, number: int) -> Group:
        """The next group; its entries are taken out of the queue."""
        size = MAX_EVENTS
        while True:
            entries = queue[:size]
            parts = [each.packed for each in entries]
            total = sum(map(len, parts))
            if len(entries) == 1 or total <= MAX_BYTES:
                break
            size = len(entries) // 2
        del queue[: len(entries)]
        events, effects = 0, []
        for each in entries:
            events += bool(each.packed)
            if each.effects:
                effects += _effects(keys, each, events if each.packed else 0)
        arguments = sum([each.number for each in effects])
        parts = [pack(str(number), str(events), str(arguments)), *parts, *[each.data for each in effects]]
        return cls(number, entries, events, total, Packed(3 + 2 * events + arguments, b"".join(parts)))

    @property
    def acknowledged(self) -> list[bytes]:
        """The elements of the command list that the group acknowledges."""
        return [effect.element for each in self.entries if each.effects for effect in each.effects if isinstance(effect, Acknowledged)]


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
    return _updates_in(reader.gets()[3 + 2 * events :])


def _updates_in(values: list[bytes]) -> list[TableUpdate]:
    updates: list[TableUpdate] = []
    at = 0
    while at < len(values):
        kind = values[at]
        if kind == b"keep":
            updates.append((values[at + 1], values[at + 2], values[at + 3]))
        elif kind == b"forget":
            updates.append((values[at + 1], values[at + 2], None))
        elif kind == b"unchanged":
            begin = at + EFFECT_SIZES[kind]
            end = begin + int(values[at + 2])
            updates += conditional(values[at + 1], _expected(_read_fields(values[at + 3])), _updates_in(values[begin:end]))
            at = end
            continue
        at += EFFECT_SIZES[kind]
    return updates


def _table(keys: Keys, charger: str, put: Put) -> str:
    """The key of the table that an effect of an entry of this charger is about."""
    return keys.table(put.table, charger if put.owner is None else put.owner)


def _record(keys: Keys, charger: str) -> str:
    return keys.table("record", charger)


def _expected(fields: Iterable[tuple[str, str]]) -> dict[bytes, bytes]:
    return {encode(name): encode(value) for name, value in fields}


def _updates(keys: Keys, entry: Entry) -> tuple[TableUpdate, ...]:
    updates: list[TableUpdate] = []
    for each in reversed(entry.effects):  # what is behind a condition is known when it is reached
        if isinstance(each, Put):
            updates.insert(0, (encode(_table(keys, entry.charger, each)), encode(each.name), each.value))
        elif isinstance(each, Unchanged):
            updates = conditional(encode(_record(keys, entry.charger)), _expected(each.fields), updates)
    return tuple(updates)


def _effects(keys: Keys, entry: QueuedEntry, place: int) -> list[Packed]:
    """The entry's effects. Those on which the event at ``place`` depends come first, with the number of arguments that follow: the script
    leaves them out with the event if another gateway has the element, or if the charger is no orphan any more."""
    conditions = [each for each in entry.effects if isinstance(each, Acknowledged | Orphaned | Departed)]
    others: list[Packed] = []
    for each in reversed(entry.effects):
        if isinstance(each, Unchanged):
            others.insert(0, _unchanged(keys, entry.charger, each, sum([other.number for other in others])))
        elif not isinstance(each, Acknowledged | Orphaned | Departed):
            others.insert(0, _packed(keys, entry.charger, each))
    behind = str(sum([each.number for each in others]))
    return [*(_condition(keys, entry.charger, each, str(place), behind) for each in conditions), *others]


def _condition(keys: Keys, charger: str, effect: Acknowledged | Orphaned | Departed, place: str, behind: str) -> Packed:
    if isinstance(effect, Acknowledged):
        return Packed(4, pack(b"owned", effect.element, place, behind))
    if isinstance(effect, Departed):
        return Packed(7, pack(b"departed", charger, place, behind, keys.gateway, effect.connection, keys.owners))
    lease = "" if effect.gateway == keys.gateway else keys.lease(effect.gateway)  # of our own earlier runs: the lease is ours
    return Packed(8, pack(b"orphan", charger, place, behind, effect.held, lease, keys.owners, keys.connections))


def _unchanged(keys: Keys, charger: str, effect: Unchanged, behind: int) -> Packed:
    return Packed(4, pack(b"unchanged", _record(keys, charger), str(behind), msgspec.json.encode(effect.fields)))


def _packed(keys: Keys, charger: str, effect: Effect) -> Packed:
    if isinstance(effect, Put):
        table = _table(keys, charger, effect)
        if effect.value is None:
            return Packed(3, pack(b"forget", table, effect.name))
        return Packed(4, pack(b"keep", table, effect.name, effect.value))
    if isinstance(effect, Recorded):
        if not keys.history:
            return Packed(0, b"")
        return Packed(4, pack(b"recorded", keys.recent(effect.history), effect.value, str(keys.history)))
    if isinstance(effect, IdReleased):
        return Packed(2, pack(b"released", keys.claimed_id(effect.charger, effect.id)))
    if isinstance(effect, PeerMessage):
        return Packed(3, pack(b"note", keys.own_commands(effect.gateway), effect.element))
    if isinstance(effect, Listed):
        return Packed(3, pack(b"listed" if effect.on else b"unlisted", keys.registered, charger))
    if isinstance(effect, Broadcast):
        prefixes = (keys.lease(" ")[:-1], keys.own_commands(" ")[:-1])
        return Packed(6, pack(b"broadcast", keys.gateways, effect.element, keys.gateway, *prefixes))
    assert not isinstance(effect, Acknowledged | Orphaned | Departed | Unchanged)
    if keys.reserved(effect.list):
        _log.error("reply dropped: {list} is no list for replies", list=effect.list)
        return Packed(0, b"")
    return Packed(3, pack(b"reply", effect.list, effect.value))
