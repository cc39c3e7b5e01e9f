"""What was known last of the state of chargers, in a hash of the fleet's.

Knows neither what it says nor when it is written. Nothing waits for Redis here: who writes a state has a newer one soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from ..core.entries import FLEET, STATES
from ..interfaces import IStates, StoreUnavailable
from .connection import Connection
from .keys import Keys
from .protocol import RedisError, encode


@implementer(IStates)
class RedisStates:
    """States over an ordinary connection."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._key = encode(keys.table(FLEET, STATES))

    async def read(self, chargers: Sequence[str]) -> dict[str, bytes]:
        """See `IStates`."""
        if not chargers:
            return {}
        found: list[bytes | None] = await self._send(b"HMGET", *map(encode, chargers))
        return {charger: state for charger, state in zip(chargers, found, strict=True) if state is not None}

    async def write(self, states: dict[str, bytes]) -> None:
        """See `IStates`."""
        if states:
            await self._send(b"HSET", *[each for charger, state in states.items() for each in (encode(charger), state)])

    async def _send(self, command: bytes, *args: bytes) -> Any:
        client = self._connection.client
        if client is None:
            raise StoreUnavailable(self._connection.trouble)
        try:
            return await client.send(command, self._key, *args)
        except RedisError as why:
            raise StoreUnavailable(str(why)) from None
