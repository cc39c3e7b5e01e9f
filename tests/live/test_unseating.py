"""A stranger with a charger's identity, at another gateway of the fleet or at another worker."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from typing import Any

import pytest
import websockets

from clients import eventually
from fleets import PATIENCE

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform != "linux", reason="only Linux has more addresses than one without setup")]

CHARGER, STRANGER = "127.0.0.1", "127.0.0.2"

HEARTBEAT = json.dumps([2, "m", "Heartbeat", {}])


async def connect(gateway: Any, address: str) -> Any:
    url = f"ws://127.0.0.1:{gateway.port}/cp1"
    return await websockets.connect(url, subprotocols=["ocpp1.6"], local_addr=(address, 0), open_timeout=PATIENCE, ping_interval=None)


async def served(connection: Any) -> bool:
    """Whether its message is answered."""
    with suppress(websockets.ConnectionClosed):
        await connection.send(HEARTBEAT)
        return json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))[:2] == [3, "m"]
    return False


def told(events: Any, kind: str) -> list[dict[str, Any]]:
    return [each["data"] for each in events() if each["event"] == "security_event" and each["data"]["kind"] == kind]


def arrivals(events: Any) -> list[tuple[str, Any]]:
    data = [each["data"] for each in events() if each["event"] == "connect_charger"]
    return [(each["remote_address"], each["takeover"]) for each in data]


def test_a_stranger_at_another_gateway_is_refused_and_the_charger_is_not(start, clean, events):
    first, second = start("--name", "one"), start("--name", "two")

    async def run() -> None:
        charger = await connect(first, CHARGER)
        assert await served(charger)
        stranger = await connect(second, STRANGER)
        assert not await served(stranger)
        assert (stranger.close_code, stranger.close_reason) == (1008, "another connection of this identity is alive")
        assert await served(charger)
        again = await connect(second, CHARGER)  # while its first connection is still there, as after a cut
        assert await served(again)
        await eventually(lambda: charger.close_code == 4000 or charger.state.name == "CLOSED")
        await again.close()

    asyncio.run(asyncio.wait_for(run(), 3 * PATIENCE))
    (refused,) = told(events, "take_over_refused")
    assert refused["remote_address"] == STRANGER and refused["detail"] == f"from {CHARGER}, where a connection is alive"
    assert arrivals(events) == [(CHARGER, None), (CHARGER, "same_address")]
    assert first.stop() == second.stop() == 0


def test_a_charger_with_another_address_comes_to_another_gateway_when_its_connection_is_dead(start, clean, events):
    first, second = start("--name", "one"), start("--name", "two")

    async def run() -> None:
        charger = await connect(first, CHARGER)
        assert await served(charger)
        charger.transport.pause_reading()  # it answers no ping any more
        again = await connect(second, STRANGER)
        assert await served(again)
        await again.close()
        charger.transport.abort()

    asyncio.run(asyncio.wait_for(run(), 3 * PATIENCE))
    assert arrivals(events) == [(CHARGER, None), (STRANGER, "dead")]
    assert first.stop() == second.stop() == 0


def test_a_gateway_that_hangs_keeps_no_charger_out(start, clean, events):
    first, second = start("--name", "one"), start("--name", "two")

    async def run() -> None:
        charger = await connect(first, CHARGER)
        assert await served(charger)
        first.process.send_signal(signal.SIGSTOP)
        try:
            again = await connect(second, STRANGER)
            assert await served(again)
        finally:
            first.process.send_signal(signal.SIGCONT)
        with pytest.raises(websockets.ConnectionClosed):  # it is told that it has lost the charger
            await asyncio.wait_for(charger.recv(), PATIENCE)
        await again.close()

    asyncio.run(asyncio.wait_for(run(), 3 * PATIENCE))
    assert first.stop() == second.stop() == 0


def test_strangers_at_all_workers_are_refused(start, clean, events):
    gateway = start("--workers", "2")

    async def run() -> None:
        charger = await connect(gateway, CHARGER)
        assert await served(charger)
        for _ in range(12):  # the kernel gives them to either worker
            stranger = await connect(gateway, STRANGER)
            assert not await served(stranger)
        assert await served(charger)
        for _ in range(6):
            charger = await connect(gateway, CHARGER)
            assert await served(charger)
        await charger.close()

    asyncio.run(asyncio.wait_for(run(), 3 * PATIENCE))
    assert {address for address, _ in arrivals(events)} == {CHARGER}
    assert len(arrivals(events)) == 7 and len(told(events, "take_over_refused")) in (1, 2)
    assert gateway.stop() == 0


def test_another_spelling_that_is_connected_at_another_gateway_is_closed_when_one_is_registered(start, clean, events):
    """In 2.x they are one charger."""
    first, second = start("--name", "one"), start("--name", "two")

    async def come(gateway: Any) -> Any:
        return await websockets.connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=["ocpp2.0.1"], ping_interval=None)

    async def run() -> None:
        stranger = await come(second)
        assert await served(stranger)
        assert (await asyncio.to_thread(first.put, "/api/chargers/CP1", {"password": "a password from the factory"}))[0] == 200
        await asyncio.wait_for(stranger.wait_closed(), PATIENCE)
        assert (stranger.close_code, stranger.close_reason) == (1008, "its identity is registered in another spelling")
        for gateway in (first, second):
            with pytest.raises(websockets.InvalidStatus, match="401"):
                await come(gateway)

    asyncio.run(run())
