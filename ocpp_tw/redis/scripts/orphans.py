"""The script that tells what many chargers have last reported of themselves, in one go.

Knows no connection, and not who is asked about.
"""

from __future__ import annotations

from .script import Script

REPORTED = ("vendor", "model", "firmware", "serial")
"""The fields of their records that are told, in this order."""

RECORDED = Script(
    """
local record, told = ARGV[1], {}
for at = 2, #ARGV do
  told[at - 1] = redis.call('HMGET', record .. ARGV[at], REPORTED)
end
return told
""".replace("REPORTED", ", ".join(f"'{name}'" for name in REPORTED))
)
