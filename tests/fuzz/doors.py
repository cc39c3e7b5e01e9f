"""The two doors of a harness' gateway, fed with bytes: the chargers' WebSocket and operators' HTTP, with the real protocols on a fake transport.

Knows nothing of what the bytes say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from fuzz.harness import Finding, Harness
from ocpp_tw.operators.api import OperatorsApi
from ocpp_tw.operators.channel import SHARE
from ocpp_tw.operators.guard import Guard
from ocpp_tw.operators.tokens import Tokens
from ocpp_tw.turns import Turns
from ocpp_tw.websocket.factory import ChargerFactory
from ocpp_tw.websocket.turns import ConnectionTurns

ADDRESS = IPv4Address("TCP", "127.0.0.1", 50_000)
"""Of every client."""

MANY_TURNS = 1000
"""Turns of the reactor in which all that one connection has sent must have been served."""


class Transport(StringTransport):
    """One that can be closed halfway, and ignores what comes after its end, as a socket does."""

    def loseWriteConnection(self) -> None:
        pass

    def unregisterProducer(self) -> None:
        self.producer = None


class Store:
    """The store of an in-memory gateway as readiness sees it: always there."""

    async def ping(self) -> bool:
        return True

    def unread(self) -> int:
        return 0

    def spooled(self) -> dict[str, Any]:
        return {}


class Door:
    """One of the two; ``factory`` makes its protocols, and ``turns`` are those in which they are served."""

    def __init__(self, harness: Harness, factory: Any, turns: Turns[Any]) -> None:
        self._clock = harness.here.clock
        self._factory, self._turns = factory, turns

    def come(self, text: bytes, cut: int) -> bytes:
        """A connection sends this in pieces of that many bytes, as long as it is read from, and ends. What it was answered."""
        protocol, transport = self._factory.buildProtocol(ADDRESS), Transport(peerAddress=ADDRESS, lenient=True)
        protocol.makeConnection(transport)
        for at in range(0, len(text), cut):
            protocol.dataReceived(text[at : at + cut])
            self._serve(text)
            if transport.disconnecting or transport.producerState == "paused":
                break
        protocol.connectionLost(Failure(ConnectionDone()))
        return transport.value()

    def _serve(self, text: bytes) -> None:
        for _ in range(MANY_TURNS):
            if not self._turns.busy:
                return
            self._clock.advance(0)
        raise Finding(f"{text[:300]!r}: it waits for a turn for ever")


def operators(harness: Harness) -> Callable[[bytes, int], bytes]:
    """Operators' HTTP, without a port."""
    here, clock = harness.here, harness.here.clock
    app = here.application
    site = OperatorsApi(here.gateway, here.dispatcher, app.verdicts, Store(), app.reader.evidence, app.security).site(
        Guard(Tokens("", "", clock), clock), clock=clock
    )
    site.turns = Turns(clock, SHARE, clock.seconds)
    door = Door(harness, site, site.turns)

    def come(text: bytes, cut: int) -> bytes:
        answer = door.come(text, cut)
        if answer.startswith(b"HTTP/1.1 500") or b"\r\nHTTP/1.1 500" in answer:
            raise Finding(f"500 to {text[:300]!r}")
        return answer

    return come


def chargers(harness: Harness) -> Callable[[bytes, int], bytes]:
    """The chargers' port, without a port."""
    here, clock = harness.here, harness.here.clock
    factory = ChargerFactory(here.gateway, here.settings, clock)
    factory.turns = ConnectionTurns(clock, here.gateway.has_room, clock.seconds)
    factory.start()
    return Door(harness, factory, factory.turns).come
