"""Events that the backend does not take: an engineer learns of it before Redis has no memory left."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_twisted

from fleets import RedisFleet, Valkey, pause, until
from ocpp_tw.redis import backlog


@pytest_twisted.async_yield_fixture
async def fleet(clean, monkeypatch) -> AsyncIterator[RedisFleet]:
    monkeypatch.setattr(backlog, "INTERVAL", 0.02)
    monkeypatch.setattr(backlog, "ALARM", 10)
    made = RedisFleet(clean)
    yield made
    await made.close()


async def test_a_long_list_is_told_of_at_each_doubling_and_when_it_is_short_again(fleet, said):
    gateway = await fleet.gateway("a")
    await until(lambda: gateway.store.unread() == 0)
    for count in (9, 10, 15, 25):
        while fleet.server("LLEN", "events") < count:
            fleet.server("RPUSH", "events", "{}")
        await until(lambda: gateway.store.unread() == count)  # noqa: B023
    told = [line for line in said if "events wait" in line]
    assert len(told) == 2 and "10 events wait in the list events" in told[0] and "25 events" in told[1]
    fleet.server("DEL", "events")
    await until(lambda: len([line for line in said if "takes them again" in line]) == 1)


async def test_a_list_that_is_none_does_no_harm(fleet):
    """Its error is nobody's to handle: the events driver tells of it."""
    gateway = await fleet.gateway("a")
    await until(lambda: gateway.store.unread() == 0)
    fleet.server("SET", "events", "x")
    await pause(0.1)
    assert gateway.store.unread() == 0
    fleet.server("DEL", "events")
    fleet.server("RPUSH", "events", "{}")
    await until(lambda: gateway.store.unread() == 1)


async def test_after_an_outage_it_is_known_again_at_once(fleet, monkeypatch, tmp_path):
    """Not only at the next look, half a minute later; and nothing is known meanwhile."""
    monkeypatch.setattr(backlog, "INTERVAL", 1000.0)
    server = Valkey(tmp_path, "--appendonly", "yes")
    made = RedisFleet(server)
    try:
        gateway = await made.gateway("a")
        server("RPUSH", "events", "{}", "{}")
        await made.outage()
        assert gateway.store.unread() is None
        await made.back()
        await until(lambda: gateway.store.unread() == 2, within=5.0)
    finally:
        await made.close()
        server.close()
