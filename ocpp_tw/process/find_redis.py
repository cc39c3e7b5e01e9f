"""Which Redis a gateway uses whose settings name none.

Knows where one usually is, and that an embedded one can be started; not how.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger

from ..redis.address import probe
from .embedded_valkey import EmbeddedValkey

log = Logger()

DEFAULT_REDIS = "redis://127.0.0.1:6379"


async def find_redis(parent: MultiService, reactor: Any, data: str | Path) -> str:
    """The URL of a Redis for settings that name none: the one at the default address, or else an embedded server that runs as long as
    ``parent`` does.

    Raises:
        EmbeddedFailed: the embedded server could not be started.
    """
    if await probe(reactor, DEFAULT_REDIS):
        log.warn(
            "Redis at 127.0.0.1:6379 is used, since none is configured and one answers there: whoever runs it has all events and may send"
            " commands. If it is yours, say so with --redis 127.0.0.1:6379 (REDIS_ADDR)"
        )
        return DEFAULT_REDIS
    embedded = EmbeddedValkey(reactor, data)
    embedded.setServiceParent(parent)
    await embedded.ready()
    log.info(
        "embedded Valkey started, since no Redis is configured and none answers at 127.0.0.1:6379; to look: redis-cli -s {socket}",
        socket=str(embedded.socket),
    )
    return embedded.url
