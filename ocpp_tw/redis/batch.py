"""A batch of entries as one script: the events, their numbers and their effects, all or nothing, and never twice.

Knows neither when a batch is sent nor what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.logger import Logger

from ..store import Effect, Entry, Keep, Note, Released, Settled
from .line import Packed, Script, encode, pack
from .names import Names

_log = Logger()

MOST_EVENTS = 1000
"""How many events are in a batch at most: Lua's ``unpack`` has a limit of some 8000."""
MOST_BYTES = 8 << 20
"""How many bytes of events are in a batch of more than one; Redis hangs up on a client that sends 1 GB."""
REMEMBERED = 86_400
"""Seconds that Redis remembers the last batch of a gateway that was lost, which is as long as one can be sent again."""

# A script is not rolled back, so what can fail comes first, then the mark that the batch is written, then effects, none of which can end it.
# Out of memory, read-only and the like are refused by Redis at the first write, and at no later one.
WRITE = Script("""
local batch, seq, events, processing = unpack(KEYS)
local last = redis.call('GET', batch)
if last and tonumber(last) >= tonumber(ARGV[1]) then
  return {}
end
for key, wanted in pairs({[seq] = 'hash', [events] = 'list'}) do
  local kind = redis.call('TYPE', key)['ok']
  if kind ~= 'none' and kind ~= wanted then
    return redis.error_reply('WRONGTYPE ' .. key .. ' should be a ' .. wanted .. ' but is a ' .. kind)
  end
end

local count = tonumber(ARGV[3])
local numbered = {}
for i = 1, count do
  local number = redis.call('HINCRBY', seq, ARGV[2 * i + 2], 1)
  numbered[i] = string.sub(ARGV[2 * i + 3], 1, -2) .. ',"seq":' .. number .. '}'
end
if count > 0 then
  redis.call('RPUSH', events, unpack(numbered))
end
redis.call('SET', batch, ARGV[1], 'EX', ARGV[2])

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
local i = 2 * count + 4
while i <= #ARGV do
  local kind, a, b, c = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if kind == 'keep' then
    try(a, 'HSET', a, b, c)
    i = i + 4
  elseif kind == 'forget' then
    try(a, 'HDEL', a, b)
    i = i + 3
  elseif kind == 'note' then
    try(a, 'RPUSH', a, b)
    i = i + 3
  elseif kind == 'released' then
    try(a, 'DEL', a)
    i = i + 2
  elseif kind == 'settled' then
    try(processing, 'LREM', processing, 1, a)
    i = i + 2
  else
    if try(a, 'RPUSH', a, b) then
      redis.call('EXPIRE', a, 3600)
    end
    i = i + 3
  end
end
return dropped
""")


class Waiting(NamedTuple):
    """An entry that is not safe yet: its charger and event, packed, and what to do afterwards."""

    packed: bytes
    charger: str
    effects: tuple[Effect, ...]
    then: Callable[[Any], None] | None
    value: Any

    @classmethod
    def of(cls, entry: Entry, then: Callable[[Any], None] | None, value: Any) -> Waiting:
        """Pack the entry's event now, for the batch is made when there is no time."""
        charger, event = encode(entry.charger), entry.event
        packed = b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(charger), charger, len(event), event) if event else b""
        return cls(packed, entry.charger, entry.effects, then, value)


def load(queue: list[Waiting], names: Names, number: int) -> tuple[list[Waiting], tuple[Any, ...]]:
    """The entries that make the next batch, taken out of the queue, and the script's arguments."""
    size = MOST_EVENTS
    while True:
        chosen = queue[:size]
        data = b"".join([each.packed for each in chosen])
        tail = [_packed(names, each.charger, effect) for each in chosen if each.effects for effect in each.effects]
        effects = b"".join([each.data for each in tail])
        if len(data) + len(effects) <= MOST_BYTES or len(chosen) == 1:
            break
        size = len(chosen) // 2
    del queue[: len(chosen)]
    events = len(chosen) - sum([not each.packed for each in chosen])
    return chosen, (number, REMEMBERED, events, Packed(2 * events, data), Packed(sum([each.number for each in tail]), effects))


def _packed(names: Names, charger: str, effect: Effect) -> Packed:
    if isinstance(effect, Keep):
        shelf = names.shelf(effect.shelf, charger if effect.of is None else effect.of)
        if effect.value is None:
            return Packed(3, pack(b"forget", shelf, effect.name))
        return Packed(4, pack(b"keep", shelf, effect.name, effect.value))
    if isinstance(effect, Settled):
        return Packed(2, pack(b"settled", effect.element))
    if isinstance(effect, Released):
        return Packed(2, pack(b"released", names.done(effect.charger, effect.id)))
    if isinstance(effect, Note):
        return Packed(3, pack(b"note", names.own(effect.gateway), effect.element))
    if names.reserved(effect.list):
        _log.error("events: {list} is no list for replies; the reply is dropped", list=effect.list)
        return Packed(0, b"")
    return Packed(3, pack(b"reply", effect.list, effect.value))
