"""The scripts of the roster: Redis decides which gateway has a charger.

Knows neither connections nor what a gateway has in its memory.
"""

from __future__ import annotations

from .common import CLOCK, OWNER
from .script import Script

# Of two connections the one that arrived later has the charger, in whichever order they are written, and whether or not its gateway has a
# lease: after an outage none has.
_PLACE = (
    CLOCK
    + OWNER
    + """
local owners, connections, gateway, living, own = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local now = math.floor(seconds() * 1000)
local function evict(from, written, connection)
  redis.call('RPUSH', own .. from, '{"evict":' .. written .. ',"connection":' .. cjson.encode(connection) .. '}')
end
local function remove(charger)
  redis.call('HDEL', owners, charger)
  redis.call('HDEL', connections, charger)
end
local function place(charger, written, connection, described, stamp)
  local other, old, since = parsed(redis.call('HGET', owners, charger))
  local theirs = other and other ~= gateway
  if stamp == nil then
    stamp = math.max(now, since + 1)
  elseif theirs and since >= stamp then
    evict(gateway, written, connection)
    return '0'
  end
  redis.call('HSET', owners, charger, gateway .. ' ' .. connection .. ' ' .. string.format('%.0f', stamp))
  redis.call('HSET', connections, charger, connection .. ' ' .. described)
  if theirs and redis.call('EXISTS', living .. other) == 1 then
    evict(other, written, old)
  end
  return string.format('%.0f', stamp)
end
"""
)
# Arrivals and departures in their order. A departure that is sent again after the connection was lost may find its own work done: no gateway
# has the charger, so no other one took it from us. Of a stranger (`ocpp_tw.redis.strangers`) it is noted when it came or went.
UPDATE = Script(
    _PLACE
    + """
local function leave(charger, connection, again, current)
  local held = redis.call('HGET', owners, charger)
  local theirs, on = parsed(held)
  if theirs == gateway and (on == connection or current == '1') then
    remove(charger)
    return 1
  end
  return (not held and again == '1') and 1 or 0
end
local function seen(charger)
  redis.pcall('ZADD', KEYS[3], 'XX', now / 1000, charger)
end
local fields, told, key = {}, {}, 3
local at = 5 + tonumber(ARGV[4])
for i = 5, at - 1 do
  fields[#fields + 1] = ARGV[i]
end
while ARGV[at] do
  seen(ARGV[at + 1])
  if ARGV[at] == 'leave' then
    told[#told + 1] = leave(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    at = at + 5
  else
    key = key + 1
    told[#told + 1] = {place(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]), unpack(redis.call('HMGET', KEYS[key], unpack(fields)))}
    at = at + 5
  end
end
return told
"""
)
# A charger that the roster had and has no more is given its time of arrival with a minus sign.
ANNOUNCE = Script(
    _PLACE
    + """
local stamps, here = {}, 5 + 5 * tonumber(ARGV[4])
for i = 5, here - 1, 5 do
  local stamp = tonumber(ARGV[i + 4])
  local forgotten = stamp > 0 and redis.call('HEXISTS', owners, ARGV[i]) == 0
  local placed = place(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], stamp > 0 and stamp or now + stamp)
  stamps[#stamps + 1] = forgotten and '-' .. placed or placed
end
for i = here, #ARGV do
  if parsed(redis.call('HGET', owners, ARGV[i])) == gateway then
    remove(ARGV[i])
  end
end
return stamps
"""
)
LOCATE = Script(
    OWNER
    + """
local gateway = parsed(redis.call('HGET', KEYS[1], ARGV[1]))
return gateway and {gateway, redis.call('EXISTS', ARGV[2] .. gateway)}
"""
)
