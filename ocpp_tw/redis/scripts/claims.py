"""Scripts for the elements that a gateway has in flight: claim, move, give back, list.

Knows no connection.
"""

from __future__ import annotations

from .common import OWNER, PEER_MESSAGE
from .script import Script

# Each of these is sent again when the connection was lost, and so must do nothing the second time.
CLAIM = Script(
    OWNER
    + """
local done, owners, reclaimed, gateways, processing, sent = unpack(KEYS)
local token, remembered, charger, gateway, connection, living, boot, digest, element = unpack(ARGV)
local held = redis.call('GET', done)
local other, current = parsed(redis.call('HGET', owners, charger))
local refused = nil
if element ~= '' and redis.call('EXISTS', reclaimed) == 1 then
  local run = redis.call('HGET', gateways, gateway)
  if not redis.call('LPOS', processing, element) or (run and string.sub(run, 1, #boot + 1) ~= boot .. ' ') then
    refused = {'gone', ''}
  end
end
if not refused and other and (other ~= gateway or current ~= connection) then
  refused = {'elsewhere', redis.call('EXISTS', living .. other) == 1 and other or gateway}
end
if refused then
  if held == token then
    redis.call('DEL', done)
    redis.call('HDEL', sent, digest)
  end
  return refused
end
if held and held ~= token then
  return {'duplicate', ''}
end
redis.call('SET', done, token, 'EX', remembered)
if element ~= '' then
  redis.call('HSET', sent, digest, boot)
end
return {'new', ''}
"""
)
# The claim that has this token, if it was carried out at all.
UNDO_CLAIM = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], ARGV[2])
end
""")
MOVE = Script("""
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 1 then
  redis.call('RPUSH', KEYS[2], ARGV[2])
end
""")
# What an earlier incarnation has claimed stays: only a gateway that knows of the claim can publish its outcome.
GIVE_BACK = Script(
    PEER_MESSAGE
    + """
local taken, back = {}, {}
for _, element in ipairs(ARGV) do
  taken[element] = (taken[element] or 0) + 1
end
for _, element in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if (taken[element] or 0) > 0 then
    taken[element] = taken[element] - 1
  elseif redis.call('HEXISTS', KEYS[3], redis.sha1hex(element)) == 0 then
    back[#back + 1] = element
  end
end
for i = #back, 1, -1 do
  redis.call('LREM', KEYS[1], -1, back[i])
  if not note(back[i]) then
    redis.call('LPUSH', KEYS[2], back[i])
  end
end
"""
)
LIST = Script("""
return {redis.call('LRANGE', KEYS[1], 0, -1), redis.call('HKEYS', KEYS[2])}
""")
