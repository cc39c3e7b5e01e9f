"""The scripts of the roster: Redis decides which gateway has a charger.

Knows neither connections nor what a gateway has in its memory.
"""

from __future__ import annotations

from .common import CLOCK, OWNER
from .script import Script

# Of two connections the one that arrived later has the charger, in whichever order they are written, and whether or not its gateway has a
# lease: after an outage none has. The gateway that loses it is told by whom, as far as that is known.
_PLACE = (
    CLOCK
    + OWNER
    + """
local owners, connections, gateway, living, own = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]
local now = math.floor(seconds() * 1000)
local function evict(from, written, connection, by)
  by = (by or '') ~= '' and ',"by":' .. cjson.encode(by) or ''
  redis.call('RPUSH', own .. from, '{"evict":' .. written .. ',"connection":' .. cjson.encode(connection) .. by .. '}')
end
local function remove(charger)
  redis.call('HDEL', owners, charger)
  redis.call('HDEL', connections, charger)
end
local function place(charger, written, connection, described, stamp, by, held)
  if held == nil then
    held = redis.call('HGET', owners, charger)
  end
  local other, old, since = parsed(held)
  local theirs = other and other ~= gateway
  if stamp == nil then
    stamp = math.max(now, since + 1)
  elseif theirs and since >= stamp then
    evict(gateway, written, connection)
    return '0'
  end
  redis.call('HSET', owners, charger, gateway .. ' ' .. connection .. ' ' .. string.format('%.0f', stamp))
  redis.call('HSET', connections, charger, connection .. ' ' .. described)
  local unseated = theirs and redis.call('EXISTS', living .. other) == 1
  if unseated then
    evict(other, written, old, by)
  end
  return string.format('%.0f', stamp), unseated and old or ''
end
"""
)
# Arrivals and departures in their order. A departure that is sent again after the connection was lost may find its own work done: no gateway
# has the charger, so no other one took it from us. Who has no security profile may not unseat a connection of another living gateway that
# has one, or is from another network, and is told who has the charger instead of a time; an older release writes neither. Of a stranger (`ocpp_tw.redis.strangers`) it is noted when it came or went.
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
local function holder(charger, held, network, profile, dead)
  local other, old = parsed(held)
  if profile ~= '0' or network == '' or not other or other == gateway or old == dead or redis.call('EXISTS', living .. other) == 0 then
    return nil
  end
  local described = redis.call('HGET', connections, charger) or ''
  if string.sub(described, 1, #old + 1) ~= old .. ' ' then
    return nil
  end
  local read, seen = pcall(cjson.decode, string.sub(described, #old + 2))
  if not read or not seen[4] or seen[3] == '' or (seen[3] == network and seen[4] == 0) then
    return nil
  end
  return other, old
end
local function arrive(charger, written, connection, described, network, profile, dead)
  local held = redis.call('HGET', owners, charger)
  local other, old = holder(charger, held, network, profile, dead)
  if other then
    return '', old, other
  end
  return place(charger, written, connection, described, nil, network, held)
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
    local stamp, old, other = arrive(unpack(ARGV, at + 1, at + 7))
    local answer = {stamp, old, other}
    if not other then
      for i, value in ipairs(redis.call('HMGET', KEYS[key], unpack(fields))) do
        answer[2 + i] = value
      end
    end
    told[#told + 1] = answer
    at = at + 8
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
