"""The script that forgets strangers: chargers that nobody has vouched for and that have been away for long.

Knows no connection, and not when it is run.
"""

from __future__ import annotations

from ...core.entries import DECIDED, SAID_BY_BACKEND
from .common import CLOCK
from .script import Script

# What the forgotten had reached at most is kept: a number that the backend may remember is never given again, whoever comes back.
FORGET = Script(
    CLOCK
    + """
local strangers, owners, seq, floor, away, states = unpack(KEYS)
local after, most, record, transactions, spellings, spared = unpack(ARGV)
local now, reached, forgotten = seconds(), tonumber(redis.call('GET', floor) or '0'), {}
local function vouched(charger)
  if charger == spared or redis.call('EXISTS', transactions .. charger) == 1 then
    return true
  end
  for _, decision in ipairs(redis.call('HMGET', record .. charger, DECIDED)) do
    if decision and decision ~= '' then
      return true
    end
  end
  return false
end
local due = redis.call('ZRANGEBYSCORE', strangers, '-inf', now - after, 'LIMIT', 0, most)
for _, charger in ipairs(due) do
  if redis.call('HEXISTS', owners, charger) == 1 then
    redis.call('ZADD', strangers, now, charger)
  else
    redis.call('ZREM', strangers, charger)
    if not vouched(charger) then
      forgotten[#forgotten + 1] = charger
      reached = math.max(reached, tonumber(redis.call('HGET', seq, charger) or '0'))
    end
  end
end
if #forgotten > 0 then
  redis.call('SET', floor, string.format('%.0f', reached))
end
for _, charger in ipairs(forgotten) do
  redis.call('HDEL', seq, charger)
  redis.call('DEL', record .. charger)
  redis.pcall('HDEL', spellings .. string.lower(charger), charger)
  redis.call('HDEL', away, charger)
  redis.call('HDEL', states, charger)
end
return {#due, #forgotten}
""".replace("DECIDED", ", ".join(f"'{name}'" for name in (*DECIDED, *SAID_BY_BACKEND)))
)
