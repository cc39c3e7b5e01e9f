"""The script that looks chargers up in their handshakes.

Knows no connection, and not who is admitted.
"""

from __future__ import annotations

from ...core.entries import GUARDED, Record
from .script import Script

FIELDS = Record.__struct_fields__

# The first of the reply is whether any charger of the fleet has credentials.
LOOK_UP = Script(
    """
local found = {redis.call('HEXISTS', KEYS[1], 'GUARDED')}
for i = 2, #KEYS do
  local kept = redis.pcall('HMGET', KEYS[i], FIELDS)
  found[i] = kept
end
return found
""".replace("FIELDS", ", ".join(f"'{name}'" for name in FIELDS)).replace("GUARDED", GUARDED)
)
