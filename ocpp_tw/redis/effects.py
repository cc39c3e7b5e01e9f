"""The effects of an entry as arguments of `WRITE`, and the table updates that they make.

Knows neither the event that they go with nor the group that they are in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import msgspec

from ..core.entries import (
    Acknowledged,
    Broadcast,
    Departed,
    Effect,
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

Condition = Acknowledged | Orphaned | Departed
"""The script leaves the entry's event and its other effects out if another gateway has the element, if the charger is no orphan any more, or
if it has another connection."""

CONDITIONS = frozenset(get_args(Condition))

_read_fields = msgspec.json.Decoder(list[tuple[str, str]]).decode


class Effects(msgspec.Struct, frozen=True, gc=False):
    """The effects of one entry: ``number`` arguments with all but the ``conditions``, packed as ``data``, and the ``updates`` that they make."""

    number: int
    data: bytes
    conditions: tuple[Condition, ...]
    updates: Sequence[TableUpdate]


NO_EFFECTS = Effects(0, b"", (), ())


def effects_of(keys: Keys, charger: str, effects: tuple[Effect, ...]) -> Effects:
    """Those of an entry about this charger."""
    if len(effects) == 1 and type(effects[0]) is Put:  # nearly all of the messages that have effects
        number, data, update = _put(keys, charger, effects[0])
        return Effects(number, data, (), (update,))
    conditions: Any = tuple([each for each in effects if type(each) in CONDITIONS])
    packed, updates = _unconditional(keys, charger, [each for each in effects if type(each) not in CONDITIONS])
    return Effects(*packed, conditions, updates)


def condition(keys: Keys, charger: str, effect: Condition, place: int, behind: int) -> Packed:
    """Of the event at that ``place`` in its group, with so many arguments ``behind`` it that are other effects."""
    of = str(place), str(behind)
    if isinstance(effect, Acknowledged):
        return Packed(4, pack(b"owned", effect.element, *of))
    if isinstance(effect, Departed):
        return Packed(7, pack(b"departed", charger, *of, keys.gateway, effect.connection, keys.owners))
    lease = "" if effect.gateway == keys.gateway else keys.lease(effect.gateway)  # of our own earlier runs: the lease is ours
    return Packed(8, pack(b"orphan", charger, *of, effect.held, lease, keys.owners, keys.connections))


def updates_in(values: list[bytes]) -> list[TableUpdate]:
    """The table updates that effects make, from their arguments."""
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
            updates += conditional(values[at + 1], _expected(_read_fields(values[at + 3])), updates_in(values[begin:end]))
            at = end
            continue
        at += EFFECT_SIZES[kind]
    return updates


def _put(keys: Keys, charger: str, put: Put) -> tuple[int, bytes, TableUpdate]:
    """How many arguments, these, and the update."""
    table, name, value = encode(keys.table(put.table, charger if put.owner is None else put.owner)), encode(put.name), put.value
    if value is None:
        return 3, pack(b"forget", table, name), (table, name, None)
    data = b"$4\r\nkeep\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(table), table, len(name), name, len(value), value)
    return 4, data, (table, name, value)


def _unconditional(keys: Keys, charger: str, effects: Sequence[Effect]) -> tuple[Packed, list[TableUpdate]]:
    number, parts, updates = 0, [], list[TableUpdate]()
    for place, each in enumerate(effects):
        if isinstance(each, Put):
            size, data, update = _put(keys, charger, each)
            updates.append(update)
            number += size
            parts.append(data)
        elif isinstance(each, Unchanged):
            (behind, data), dependent = _unconditional(keys, charger, effects[place + 1 :])
            record = encode(keys.table("record", charger))
            updates += conditional(record, _expected(each.fields), dependent)
            number += 4 + behind
            parts += [pack(b"unchanged", record, str(behind), msgspec.json.encode(each.fields)), data]
            break
        else:
            size, data = _packed(keys, charger, each)
            number += size
            parts.append(data)
    return Packed(number, b"".join(parts)), updates


def _expected(fields: Iterable[tuple[str, str]]) -> dict[bytes, bytes]:
    return {encode(name): encode(value) for name, value in fields}


def _packed(keys: Keys, charger: str, effect: Effect) -> Packed:
    """One that makes no table update."""
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
    assert not isinstance(effect, Put | Unchanged | Condition)
    if keys.reserved(effect.list):
        _log.error("reply dropped: {list} is no list for replies", list=effect.list)
        return Packed(0, b"")
    return Packed(3, pack(b"reply", effect.list, effect.value))
