"""Pieces that several scripts have in common.

Knows no key's name.
"""

from __future__ import annotations

CLOCK = """
local function seconds()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
"""
"""The one clock of the fleet is Redis's."""

HELD = """
local function parsed(held)
  local gateway, connection, stamp = string.match(held or '', '^(%S+) (.*) (%d+)$')
  if not gateway then
    gateway, connection = string.match(held or '', '^(%S+) (.*)$')
  end
  return gateway, connection, tonumber(stamp or 0)
end
"""
"""Who has a charger: the gateway, the connection, and when it arrived (ms)."""

NOTE = """
local function note(element)
  local start = string.sub(element, 1, 8)
  return start == '{"evict"' or start == '{"event"' or start == '{"decide'
end
"""
"""Whether an element is no command but word from another gateway, and for nobody else (`ocpp_tw.core.commands.NOTES`)."""

KINDS = """
local function wanted(kinds)
  for key, kind in pairs(kinds) do
    local is = redis.call('TYPE', key)['ok']
    if is ~= 'none' and is ~= kind then
      return redis.error_reply('WRONGTYPE ' .. key .. ' should be a ' .. kind .. ' but is a ' .. is)
    end
  end
end
"""
"""A script is not rolled back: what it is going to change is looked at first."""
