"""Scripts for gateway leases and takeover: the renewal of a lease, and the elements that an incarnation that has ended had in flight.

Knows no connection, and no durations.
"""

from __future__ import annotations

from .common import CLOCK, PEER_MESSAGE, TYPES
from .script import Script

_INCARNATION = """
local function run(held)
  local boot, last, silent = string.match(held or '', '^(%S+) (%S+) ?(%S*)$')
  return boot, tonumber(last), tonumber(silent)
end
"""
# Elements, each with whether its command was claimed: of equal elements only one, because an id is claimed once.
_WITH_CLAIMS = """
local function left(elements, marks)
  local found, seen = {}, {}
  for _, element in ipairs(elements) do
    local digest = redis.sha1hex(element)
    local sent = not seen[digest] and redis.call('HEXISTS', marks, digest) == 1
    seen[digest] = seen[digest] or sent
    found[#found + 1] = element
    found[#found + 1] = sent and '1' or ''
  end
  return found
end
"""
# Idempotent: sent again because its answer was lost, it gives the same answer.
BEGIN = Script(
    CLOCK
    + _INCARNATION
    + _WITH_CLAIMS
    + TYPES
    + """
local gateways, living, processing, sent = unpack(KEYS)
local name, boot, lives, reclaimed, remembered = unpack(ARGV)
local wrong = wanted({[gateways] = 'hash', [living] = 'string', [processing] = 'list', [sent] = 'hash'})
if wrong then
  return wrong
end
local now, before, last, silent = seconds(), run(redis.call('HGET', gateways, name))
if before and before ~= boot then
  redis.call('SET', reclaimed .. before, name, 'EX', remembered)
  silent = math.max(0, now - last)
end
silent = silent or 0
redis.call('HSET', gateways, name, string.format('%s %.3f %.3f', boot, now, silent))
redis.call('SET', living, '1', 'EX', lives)
return {tostring(silent), left(redis.call('LRANGE', processing, 0, -1), sent)}
"""
)
RENEW = Script(
    CLOCK
    + _INCARNATION
    + """
local boot = run(redis.call('HGET', KEYS[1], ARGV[1]))
local taken_over = redis.call('EXISTS', KEYS[3]) == 1
if boot and boot ~= ARGV[2] and taken_over then
  return 'usurped'
end
local lived = redis.call('EXISTS', KEYS[2]) == 1
redis.call('SET', KEYS[2], '1', 'EX', ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%s %.3f', ARGV[2], seconds()))
return (not boot and taken_over) and 'reclaimed' or lived and 'lives' or 'missed'
"""
)
EXPIRED = Script(
    CLOCK
    + _INCARNATION
    + """
local now, held, dead = seconds(), redis.call('HGETALL', KEYS[1]), {}
for i = 1, #held, 2 do
  local boot, last = run(held[i + 1])
  if last and now - last > tonumber(ARGV[2]) and redis.call('EXISTS', ARGV[1] .. held[i]) == 0 then
    dead[#dead + 1] = held[i]
    dead[#dead + 1] = boot
  end
end
return dead
"""
)
RECLAIM = Script(
    CLOCK
    + _INCARNATION
    + _WITH_CLAIMS
    + PEER_MESSAGE
    + TYPES
    + """
local gateways, living, reclaimed, from, to, own, commands, marks, our_marks, provisional, our_provisional = unpack(KEYS)
local name, boot, gone, us, remembered = unpack(ARGV)
local run_of, last = run(redis.call('HGET', gateways, name))
local silent = last and seconds() - last
if run_of ~= boot or silent <= tonumber(gone) or redis.call('EXISTS', living) == 1 then
  return false
end
local wrong = wanted({[from] = 'list', [to] = 'list', [own] = 'list', [commands] = 'list', [reclaimed] = 'string'})
  or wanted({[marks] = 'hash', [our_marks] = 'hash', [provisional] = 'hash', [our_provisional] = 'hash'})
if wrong then
  return wrong
end

local found, kept = left(redis.call('LRANGE', from, 0, -1), marks), {}
for i = 1, #found, 2 do
  if not note(found[i]) then
    redis.call('RPUSH', to, found[i])
    kept[#kept + 1] = found[i]
    kept[#kept + 1] = found[i + 1]
  end
end
local waiting = redis.call('LRANGE', own, 0, -1)
for i = #waiting, 1, -1 do
  if not note(waiting[i]) then
    redis.call('LPUSH', commands, waiting[i])
  end
end
for source, target in pairs({[marks] = our_marks, [provisional] = our_provisional}) do
  local fields = redis.call('HGETALL', source)
  for i = 1, #fields, 2 do
    redis.call('HSET', target, fields[i], fields[i + 1])
  end
end
redis.call('SET', reclaimed, us, 'EX', remembered)
redis.call('DEL', from, own, marks, provisional)
redis.call('HDEL', gateways, name)
return {tostring(silent), kept}
"""
)
LIVING = Script(
    """
local living = {}
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('EXISTS', ARGV[1] .. name) == 1 then
    living[#living + 1] = name
  end
end
return living
"""
)
