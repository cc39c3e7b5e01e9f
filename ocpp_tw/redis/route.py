"""Where events go: the routes of `RedisEvents`, and what leads from one to another.

| route | the next group goes | next route |
|---|---|---|
| DIRECT | to Redis, when the one in flight is written | SPOOL: Redis has had `events.REDIS_TIMEOUT` for the group in flight, which is stored first |
| SPOOL | to the spool, which is drained meanwhile | HELD: no more than `groups.MAX_EVENTS` events are left in the spool |
| HELD | nowhere: it waits until the spool is empty | SPOOL: Redis has not emptied the spool within `events.REDIS_TIMEOUT` |
| SPOOL, HELD | | DIRECT: the spool is empty, or the disk refuses a group and all that is before it is in Redis (the group goes to Redis) |
| DIRECT, SPOOL, HELD | | ALWAYS: Redis cannot sync what it is told to (the setting ``durability``) |
| ALWAYS | to the spool, which is drained meanwhile | DIRECT: the disk refuses a group and all that is before it is in Redis |

At its start the route is SPOOL if an earlier run has left something in the spool, else DIRECT. Where Redis cannot sync, a Redis that is too
slow leads from DIRECT back to ALWAYS. A group is in flight only if the route is DIRECT, or was when the group was sent.
"""

from __future__ import annotations

from enum import Enum


class Route(Enum):
    """Where the next group goes (see the table above)."""

    DIRECT = "direct"
    SPOOL = "spool"
    HELD = "held"
    ALWAYS = "always"
