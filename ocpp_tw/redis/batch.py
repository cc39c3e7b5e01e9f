"""Entries in groups, and a batch of groups as one script: events, their numbers and their effects, all or nothing, and never twice.

Knows neither when a batch is sent nor what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import hiredis
import msgspec
from twisted.logger import Logger

from ..core.entries import Acknowledged, Effect, Entry, IdReleased, PeerMessage, Put
from ..spool.spool import Kept
from .keys import Keys
from .protocol import Packed, encode, pack
from .scripts.script import Script

_log = Logger()

MAX_EVENTS = 1000
"""How many events are in a group at most."""
MAX_BYTES = 8 << 20
"""How many bytes of events are in a group of more than one; Redis hangs up on a client that sends 1 GB."""
REMEMBERED = 7 * 86_400
"""Seconds that Redis remembers the last group of each run of a gateway: as long may one be sent again that was written before."""

_SIZES = {b"keep": 4, b"forget": 3, b"note": 3, b"released": 2, b"reply": 3, b"owned": 4}
"""How many arguments an effect has, its kind included."""

# A script is not rolled back, so what can fail comes first, then the mark that the groups are written, then effects, none of which can end it.
# What was written before is marked anew, for who asks whether all it wrote is synced must have written something on its connection.
# Out of memory, read-only and the like are refused by Redis at the first write, and at no later one.
# A group that another gateway has reclaimed a command of must not tell of that command's end: somebody else does.
WRITE = Script(
    """
local batch, seq, events, processing, reclaimed = unpack(KEYS)
local last = tonumber(redis.call('GET', batch) or '0')
for key, wanted in pairs({[seq] = 'hash', [events] = 'list'}) do
  local kind = redis.call('TYPE', key)['ok']
  if kind ~= 'none' and kind ~= wanted then
    return redis.error_reply('WRONGTYPE ' .. key .. ' should be a ' .. wanted .. ' but is a ' .. kind)
  end
end
local sizes = {SIZES}
local robbed = redis.call('EXISTS', reclaimed) == 1
local function absent(element)
  local place = redis.pcall('LPOS', processing, element)
  return type(place) ~= 'number'
end

local newest, numbered, tails = last, {}, {}
local i = 2
while i <= #ARGV do
  local number, count, tail = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local first = i + 3
  local rest = first + 2 * count
  i = rest + tail
  if number > last then
    newest = number
    local gone = {}
    local j = rest
    while j < i do
      local after = j + sizes[ARGV[j]]
      if robbed and ARGV[j] == 'owned' and absent(ARGV[j + 1]) then
        gone[tonumber(ARGV[j + 2])] = true
        after = after + tonumber(ARGV[j + 3])
      else
        tails[#tails + 1] = j
      end
      j = after
    end
    for n = 1, count do
      if not gone[n] then
        local seen = redis.call('HINCRBY', seq, ARGV[first + 2 * n - 2], 1)
        numbered[#numbered + 1] = string.sub(ARGV[first + 2 * n - 1], 1, -2) .. ',"seq":' .. seen .. '}'
      end
    end
  end
end
if newest == last then
  redis.call('EXPIRE', batch, ARGV[1])
  return {}
end
for j = 1, #numbered, 1000 do
  redis.call('RPUSH', events, unpack(numbered, j, math.min(j + 999, #numbered)))
end
redis.call('SET', batch, newest, 'EX', ARGV[1])

local dropped = {}
local function try(what, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply['err'] then
    dropped[#dropped + 1] = what
    dropped[#dropped + 1] = reply['err']
    return false
  end
  return true
end
for _, j in ipairs(tails) do
  local kind, a, b, c = ARGV[j], ARGV[j + 1], ARGV[j + 2], ARGV[j + 3]
  if kind == 'keep' then
    try(a, 'HSET', a, b, c)
  elseif kind == 'forget' then
    try(a, 'HDEL', a, b)
  elseif kind == 'note' then
    try(a, 'RPUSH', a, b)
  elseif kind == 'released' then
    try(a, 'DEL', a)
  elseif kind == 'owned' then
    try(processing, 'LREM', processing, 1, a)
  elseif try(a, 'RPUSH', a, b) then
    redis.call('EXPIRE', a, 3600)
  end
end
return dropped
""".replace("SIZES", ", ".join(f"{kind.decode()} = {size}" for kind, size in _SIZES.items()))
)


class QueuedEntry(msgspec.Struct, frozen=True, gc=False):
    """An entry that is not safe yet: its charger and event, packed, what it does to shelves, and what to do afterwards. It is in no cycle."""

    packed: bytes
    charger: str
    effects: tuple[Effect, ...]
    kept: tuple[Kept, ...]
    then: Callable[[Any], None] | None
    value: Any

    @classmethod
    def of(cls, entry: Entry, names: Keys, then: Callable[[Any], None] | None, value: Any) -> QueuedEntry:
        """Pack the entry's event now, for the group is made when there is no time."""
        charger, event = encode(entry.charger), entry.event
        packed = b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(charger), charger, len(event), event) if event else b""
        return cls(packed, entry.charger, entry.effects, _kept(names, entry) if entry.effects else (), then, value)


class Group(NamedTuple):
    """Entries that are written together, as arguments of `WRITE`. A run of a gateway numbers its groups from 1; ``events`` are in it."""

    number: int
    events: int
    packed: Packed


def load(queue: list[QueuedEntry], names: Keys, number: int) -> tuple[list[QueuedEntry], Group]:
    """The entries that make the next group, taken out of the queue, and the group."""
    size = MAX_EVENTS
    while True:
        chosen = queue[:size]
        parts = [each.packed for each in chosen]
        if len(chosen) == 1 or sum(map(len, parts)) <= MAX_BYTES:
            break
        size = len(chosen) // 2
    del queue[: len(chosen)]
    events, tail = 0, []
    for each in chosen:
        events += bool(each.packed)
        if each.effects:
            tail += _effects(names, each, events if each.packed else 0)
    arguments = sum([each.number for each in tail])
    parts = [pack(str(number), str(events), str(arguments)), *parts, *[each.data for each in tail]]
    return chosen, Group(number, events, Packed(3 + 2 * events + arguments, b"".join(parts)))


def arguments(groups: list[Packed]) -> tuple[Any, ...]:
    """The arguments of `WRITE` for groups of one run of the gateway, in their order."""
    return (REMEMBERED, *groups)


def table_of(names: Keys, charger: str, keep: Put) -> str:
    """The key of the shelf that an effect of an entry of this charger is about."""
    return names.table(keep.table, charger if keep.owner is None else keep.owner)


def _kept(names: Keys, entry: Entry) -> tuple[Kept, ...]:
    keeps = [each for each in entry.effects if isinstance(each, Put)]
    return tuple([(encode(table_of(names, entry.charger, each)), encode(each.name), each.value) for each in keeps])


def keeps(events: int, arguments: int, data: bytes) -> list[Kept]:
    """What a group leaves on shelves."""
    reader = hiredis.Reader()
    reader.feed(b"*%d\r\n%b" % (arguments, data))
    told: list[bytes] = reader.gets()
    found: list[Kept] = []
    at = 3 + 2 * events
    while at < len(told):
        kind = told[at]
        if kind == b"keep":
            found.append((told[at + 1], told[at + 2], told[at + 3]))
        elif kind == b"forget":
            found.append((told[at + 1], told[at + 2], None))
        at += _SIZES[kind]
    return found


def _effects(names: Keys, entry: QueuedEntry, place: int) -> list[Packed]:
    """The entry's effects; those of one that ends a command come after the command's element, which they stand and fall with."""
    ends = [each for each in entry.effects if isinstance(each, Acknowledged)]
    others = [_packed(names, entry.charger, each) for each in entry.effects if not isinstance(each, Acknowledged)]
    behind = sum([each.number for each in others])
    return [*(Packed(4, pack(b"owned", each.element, str(place), str(behind))) for each in ends), *others]


def _packed(names: Keys, charger: str, effect: Effect) -> Packed:
    if isinstance(effect, Put):
        shelf = table_of(names, charger, effect)
        if effect.value is None:
            return Packed(3, pack(b"forget", shelf, effect.name))
        return Packed(4, pack(b"keep", shelf, effect.name, effect.value))
    if isinstance(effect, IdReleased):
        return Packed(2, pack(b"released", names.claimed_id(effect.charger, effect.id)))
    if isinstance(effect, PeerMessage):
        return Packed(3, pack(b"note", names.own_commands(effect.gateway), effect.element))
    assert not isinstance(effect, Acknowledged)
    if names.reserved(effect.list):
        _log.error("events: {list} is no list for replies; the reply is dropped", list=effect.list)
        return Packed(0, b"")
    return Packed(3, pack(b"reply", effect.list, effect.value))
