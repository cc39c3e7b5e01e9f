"""The script that writes groups of entries: their events, the events' numbers and the entries' effects, all or nothing, and never twice.

Knows no connection, and not how a group is made.
"""

from __future__ import annotations

from .common import OWNER
from .script import Script

EFFECT_SIZES = {
    b"keep": 4,
    b"forget": 3,
    b"note": 3,
    b"released": 2,
    b"reply": 3,
    b"owned": 4,
    b"orphan": 8,
    b"departed": 7,
    b"listed": 3,
    b"unlisted": 3,
    b"broadcast": 6,
    b"recorded": 4,
    b"unchanged": 4,
}
"""How many arguments an effect has, its kind included."""

# A script is not rolled back: what can fail comes first, then the mark that the groups are written, then effects, none of which can end it.
# Groups that were written before renew their mark: WAITAOF and WAIT are about what was written on the same connection.
# Out of memory, read-only and the like are refused by Redis at the first write, and at no later one.
# Returned are the effects that were dropped, each with why, and the number of each event, 0 of one that is left out.
# A reply goes to a list that is not there yet, or that expires as its own do: any other is somebody's, who would lose it in an hour.
# A charger of which nothing is known is a stranger (`ocpp_tw.redis.strangers`), and may be one that was forgotten.
# Where another gateway has taken over a command of the group, the event of the command's end is left out: that gateway publishes it. So is
# the event of an orphan that another gateway has published, whose gateway is heard of again, or which is back; and of a departure that the
# roster was not asked about, of a charger that has another connection.
# What depends on a record as it was read is looked at when its turn comes: the effects before it, of the same batch too, count.
WRITE = Script(
    OWNER
    + """
local batch, seq, events, processing, reclaimed, floor, strangers = unpack(KEYS)
local last = tonumber(redis.call('GET', batch) or '0')
for key, wanted in pairs({[seq] = 'hash', [events] = 'list', [floor] = 'string', [strangers] = 'zset'}) do
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
local removed = {}
local function orphaned(charger, held, living, owners)
  if removed[charger] or redis.pcall('HGET', owners, charger) ~= held or (living ~= '' and redis.call('EXISTS', living) == 1) then
    return false
  end
  removed[charger] = true
  return true
end

local function first_number(charger)
  redis.call('ZADD', strangers, redis.call('TIME')[1], charger)
  return redis.call('HINCRBY', seq, charger, tonumber(redis.call('GET', floor) or '0'))
end

local function elsewhere(charger, gateway, connection, owners)
  local held = redis.pcall('HGET', owners, charger)
  local theirs, on = parsed(type(held) == 'string' and held)
  return theirs and (theirs ~= gateway or on ~= connection)
end

local newest, numbered, numbers, tails = last, {}, {}, {}
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
      local kind, after = ARGV[j], j + sizes[ARGV[j]]
      if (robbed and kind == 'owned' and absent(ARGV[j + 1]))
        or (kind == 'orphan' and not orphaned(ARGV[j + 1], ARGV[j + 4], ARGV[j + 5], ARGV[j + 6]))
        or (kind == 'departed' and elsewhere(ARGV[j + 1], ARGV[j + 4], ARGV[j + 5], ARGV[j + 6])) then
        gone[tonumber(ARGV[j + 2])] = true
        after = after + tonumber(ARGV[j + 3])
      else
        tails[#tails + 1] = j
      end
      j = after
    end
    for n = 1, count do
      if gone[n] then
        numbers[#numbers + 1] = 0
      else
        local charger = ARGV[first + 2 * n - 2]
        local seen = redis.call('HINCRBY', seq, charger, 1)
        if seen == 1 then
          seen = first_number(charger)
        end
        numbers[#numbers + 1] = seen
        numbered[#numbered + 1] = string.sub(ARGV[first + 2 * n - 1], 1, -2) .. ',"seq":' .. seen .. '}'
      end
    end
  end
end
if newest == last then
  redis.call('EXPIRE', batch, ARGV[1])
  return {{}, {}}
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
local function expires_as_ours(list)
  local left = redis.pcall('TTL', list)
  return type(left) == 'number' and left ~= -1 and left <= 3600
end
local function broadcast(gateways, element, ours, living, own)
  local names = redis.pcall('HKEYS', gateways)
  for _, name in ipairs(names['err'] and {} or names) do
    if name ~= ours and redis.call('EXISTS', living .. name) == 1 then
      try(own .. name, 'RPUSH', own .. name, element)
    end
  end
end
local function unchanged(record, fields)
  for _, field in ipairs(cjson.decode(fields)) do
    local value = redis.pcall('HGET', record, field[1])
    if (type(value) == 'string' and value or '') ~= field[2] then
      return false
    end
  end
  return true
end
local omitted = 0
for _, j in ipairs(tails) do
  local kind, a, b, c = ARGV[j], ARGV[j + 1], ARGV[j + 2], ARGV[j + 3]
  if j < omitted then
    -- the record is another by now
  elseif kind == 'unchanged' then
    if not unchanged(a, c) then
      omitted = j + sizes[kind] + tonumber(b)
    end
  elseif kind == 'keep' then
    try(a, 'HSET', a, b, c)
  elseif kind == 'forget' then
    try(a, 'HDEL', a, b)
  elseif kind == 'note' then
    try(a, 'RPUSH', a, b)
  elseif kind == 'listed' then
    try(a, 'ZADD', a, 0, b)
  elseif kind == 'unlisted' then
    try(a, 'ZREM', a, b)
  elseif kind == 'broadcast' then
    broadcast(a, b, c, ARGV[j + 4], ARGV[j + 5])
  elseif kind == 'recorded' then
    try(a, 'XADD', a, 'MAXLEN', '~', c, '*', 'value', b)
  elseif kind == 'released' then
    try(a, 'DEL', a)
  elseif kind == 'owned' then
    try(processing, 'LREM', processing, 1, a)
  elseif kind == 'orphan' then
    try(ARGV[j + 6], 'HDEL', ARGV[j + 6], a)
    try(ARGV[j + 7], 'HDEL', ARGV[j + 7], a)
  elseif not expires_as_ours(a) then
    if try(a, 'LLEN', a) then
      dropped[#dropped + 1] = a
      dropped[#dropped + 1] = 'it is no list of replies: it was there before, and does not expire within the hour'
    end
  elseif try(a, 'RPUSH', a, b) then
    redis.call('EXPIRE', a, 3600)
  end
end
return {dropped, numbers}
""".replace("SIZES", ", ".join(f"{kind.decode()} = {size}" for kind, size in EFFECT_SIZES.items()))
)
