"""The scripts that look chargers up in their handshakes, and that read the list of the registered ones.

Knows no connection, and not who is admitted.
"""

from __future__ import annotations

from ...core.entries import GUARDED, Record
from .script import Script

FIELDS = Record.__struct_fields__

# The first of the reply is whether any charger of the fleet has credentials. Of a record there is what is stored: that is a part of what may be.
LOOK_UP = Script(
    """
local found = {redis.call('HEXISTS', KEYS[1], 'GUARDED')}
for i = 2, #KEYS do
  local stored = redis.pcall('HGETALL', KEYS[i])
  found[i] = stored
end
return found
""".replace("GUARDED", GUARDED)
)

# In the order of the bytes of their identities, behind the last of the page before.
PAGE = Script(
    """
local record, after, most, found = ARGV[1], ARGV[2], ARGV[3], {}
for i, charger in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], after == '' and '-' or '(' .. after, '+', 'LIMIT', 0, most)) do
  local kept = redis.pcall('HMGET', record .. charger, FIELDS)
  found[i] = {charger, kept}
end
return found
""".replace("FIELDS", ", ".join(f"'{name}'" for name in FIELDS))
)
