"""A Lua script, and how it is run on a connection to Redis.

Knows nothing of what scripts do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..protocol import RedisClient, ResponseError


class Script:
    """A Lua script: sent in full once for each connection, named by its hash from then on."""

    def __init__(self, source: str) -> None:
        self._source = source.strip().encode()
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest().encode()

    def run(self, client: RedisClient, keys: Iterable[str | bytes], *args: Any) -> Deferred[Any]:
        """Run it; fails with `RedisError`."""
        keys = tuple(keys)
        if self._sha in client.script_hashes:
            return client.send(b"EVALSHA", self._sha, len(keys), *keys, *args).addErrback(self._unknown, client, keys, args)
        client.script_hashes.add(self._sha)
        return client.send(b"EVAL", self._source, len(keys), *keys, *args)

    def _unknown(self, why: Failure, client: RedisClient, keys: tuple[str | bytes, ...], args: tuple[Any, ...]) -> Any:
        if why.check(ResponseError) and str(why.value).startswith("NOSCRIPT"):
            return client.send(b"EVAL", self._source, len(keys), *keys, *args)
        return why
