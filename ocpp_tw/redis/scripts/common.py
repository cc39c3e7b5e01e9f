"""Functions that several scripts share.

Knows no key.
"""

from __future__ import annotations

CLOCK = """
local function seconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
"""
"""The time in seconds: the fleet's one clock is Redis's."""

OWNER = """
local function parsed(held)
  local gateway, connection, stamp = string.match(held or '', '^(%S+) (.*) (%d+)$')
  if not gateway then
    gateway, connection = string.match(held or '', '^(%S+) (.*)$')
  end
  return gateway, connection, tonumber(stamp or 0)
end
"""
"""Which gateway has a charger, on which connection, and when it arrived (ms)."""

PEER_MESSAGE = """
local function note(element)
  local start = string.sub(element, 1, 8)
  return start == '{"evict"' or start == '{"event"' or start == '{"decide' or start == '{"probe"' or start == '{"probed'
end
"""
"""Whether an element is no command but a peer message, and so for one gateway alone (`ocpp_tw.core.commands.PEER_MESSAGES`)."""

TYPES = """
local function wanted(kinds)
  for key, kind in pairs(kinds) do
    local is = redis.call('TYPE', key)['ok']
    if is ~= 'none' and is ~= kind then
      return redis.error_reply('WRONGTYPE ' .. key .. ' should be a ' .. kind .. ' but is a ' .. is)
    end
  end
end
"""
"""Checks the types of all keys that a script will change, before the first change: a script is not rolled back."""
