"""What was known last of the state of chargers and of gateways, in hashes of the fleet's.

Knows neither what it says nor when it is written. Nothing waits for Redis here: who writes a state has a newer one soon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from ..core.entries import FLEET, GATEWAYS, STATES
from ..interfaces import IStates, StoreUnavailable
from .connection import Connection
from .keys import Keys
from .protocol import RedisError, encode


@implementer(IStates)
class RedisStates:
    """States over an ordinary connection."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self._connection = connection
        self._states, self._gateways = [encode(keys.table(FLEET, each)) for each in (STATES, GATEWAYS)]

    async def read(self, chargers: Sequence[str]) -> dict[str, bytes]:
        """See `IStates`."""
        if not chargers:
            return {}
        found: list[bytes | None] = await self._send(b"HMGET", self._states, *map(encode, chargers))
        return {charger: state for charger, state in zip(chargers, found, strict=True) if state is not None}

    async def write(self, states: dict[str, bytes]) -> None:
        """See `IStates`."""
        if states:
            await self._send(b"HSET", self._states, *[each for charger, state in states.items() for each in (encode(charger), state)])

    async def gateways(self) -> dict[str, bytes]:
        """See `IStates`."""
        found: list[bytes] = await self._send(b"HGETALL", self._gateways)
        return {name.decode(errors="replace"): value for name, value in zip(found[::2], found[1::2], strict=True)}

    async def tell(self, gateways: dict[str, bytes | None]) -> None:
        """See `IStates`."""
        told = [each for name, value in gateways.items() if value is not None for each in (encode(name), value)]
        forgotten = [encode(name) for name, value in gateways.items() if value is None]
        if told:
            await self._send(b"HSET", self._gateways, *told)
        if forgotten:
            await self._send(b"HDEL", self._gateways, *forgotten)

    async def _send(self, command: bytes, *args: bytes) -> Any:
        client = self._connection.client
        if client is None:
            raise StoreUnavailable(self._connection.trouble)
        try:
            return await client.send(command, *args)
        except RedisError as why:
            raise StoreUnavailable(str(why)) from None
