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
        return DEFAULT_REDIS
    embedded = EmbeddedValkey(reactor, data)
    embedded.setServiceParent(parent)
    await embedded.ready()
    log.info(
        "embedded Valkey started at 127.0.0.1:6379, since no Redis is configured and none answers there; its data is in {data}", data=data
    )
    return embedded.url
