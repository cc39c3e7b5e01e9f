"""Chargers that are connected when the gateway is killed and never come back: each is published as disconnected, once (F14).

They send nothing, and connect past the proxy.
"""

from __future__ import annotations

import time
from contextlib import suppress

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from chaos.system_under_test import SystemUnderTest
from chaos.websocket_client import WebSocketClient
from fleets import pause

LISTED_WITHIN = 1.0
"""Seconds in which they are in the roster; without a Redis they are not, and nobody can know of them."""


async def connect_visitors(system: SystemUnderTest, count: int) -> None:
    """Connect some, and note in the ledger those that the roster has."""
    names = [f"v{len(system.ledger.visitors) + n:04}-{time.monotonic_ns() % 1_000_000:06}" for n in range(count)]
    for name in names:
        client = WebSocketClient(f"/{name}", "ocpp1.6", lambda: None, lambda text: None, lambda: None)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", system.gateway.port, timeout=1)
        with suppress(Exception):
            await connectProtocol(endpoint, client)
    await pause(LISTED_WITHIN)
    with suppress(Exception):
        listed = await system.blocking(system.valkey, "HMGET", "ocpp:owners", *names)
        system.ledger.visitors += [name for name, held in zip(names, listed, strict=True) if held]
