"""When a charger counts as an orphan, over a real server whose leases end at the test's word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted

from fleets import RedisFleet, pause, soon, until
from ocpp_tw.redis import lease, lease_health, orphans


@pytest_twisted.async_yield_fixture
async def fleet(clean, monkeypatch) -> AsyncIterator[RedisFleet]:
    monkeypatch.setattr(orphans, "SETTLED_AFTER", 0.0)
    made = RedisFleet(clean)
    yield made
    await made.close()


async def found(gateway) -> list[str]:
    return sorted(each.charger for each in await soon(gateway.orphans.found()))


async def test_those_of_a_gateway_that_was_gone_before_have_a_minute_to_come_back(fleet, monkeypatch):
    gone = await fleet.gateway("a")
    await soon(gone.roster.arrive("c1", "1"))
    await fleet.gone(gone)
    gateway = await fleet.gateway("b")
    assert await found(gateway) == []
    monkeypatch.setattr(orphans, "RETURN_WITHIN", 0.0)
    assert await found(gateway) == ["c1"]
    assert await found(gateway) == []  # it is looked for once: what was published of it is durable by now


async def test_one_that_dies_after_our_start_is_noticed_at_once(fleet):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(gone.roster.arrive("c1", "1"))
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    assert await found(gateway) == []
    await fleet.gone(gone)
    assert await found(gateway) == ["c1"]
    assert await found(gateway) == []


async def test_one_that_dies_again_is_noticed_again(fleet):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(gone.roster.arrive("c1", "1"))
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    await found(gateway)
    await fleet.gone(gone)
    assert await found(gateway) == ["c1"]
    before = fleet.server("HGET", "ocpp:gateways", "a")
    await fleet.renewed(gone)
    await until(lambda: fleet.server("HGET", "ocpp:gateways", "a") != before)
    await fleet.gone(gone)  # nobody has looked while it lived
    assert await found(gateway) == ["c1"]
    await fleet.renewed(gone)
    await until(lambda: fleet.server("EXISTS", "ocpp:gateway:a"))
    assert await found(gateway) == []
    await fleet.gone(gone)
    assert await found(gateway) == ["c1"]


async def test_nobody_is_looked_for_soon_after_an_outage(fleet, monkeypatch):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(gone.roster.arrive("c1", "1"))
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    await found(gateway)
    await fleet.gone(gone)
    monkeypatch.setattr(orphans, "SETTLED_AFTER", 1000.0)
    assert await found(gateway) == []
    monkeypatch.setattr(orphans, "SETTLED_AFTER", 0.0)
    assert await found(gateway) == ["c1"]


async def test_nobody_is_looked_for_while_no_lease_can_be_renewed(fleet, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_INTERVAL", 0.1)
    monkeypatch.setattr(lease_health, "SETTLED_AFTER", 0.5)
    other, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(other.roster.arrive("c1", "1"))
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    await found(gateway)
    await fleet.full()
    try:
        fleet.server("DEL", "ocpp:gateway:a", "ocpp:gateway:b")  # they have expired
        assert await found(gateway) == []
    finally:
        await fleet.back()
    assert await found(gateway) == [] and fleet.server("EXISTS", "ocpp:gateway:a")
    await fleet.gone(other)
    assert await found(gateway) == ["c1"]


async def test_the_seconds_are_those_until_the_gateway_was_heard_of_last(fleet):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(gone.roster.arrive("c1", "1"))
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    await found(gateway)
    await fleet.gone(gone)
    arrived = int(fleet.server("HGET", "ocpp:owners", "c1").split()[-1]) / 1000
    fleet.server("HSET", "ocpp:gateways", "a", f"{'0' * 16} {arrived + 12.34:.3f}")
    (orphan,) = await soon(gateway.orphans.found())
    assert orphan.seconds == 12.3


@pytest.mark.parametrize("described", [None, b'other ["h","1.6"]'])
async def test_what_an_older_release_has_written(fleet, described):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    await found(gateway)
    await fleet.gone(gone)
    fleet.server("HSET", "ocpp:owners", "c1", "a 1", "c2", "a 2 1700000000000", "c3", "nonsense")
    if described is not None:
        fleet.server("HSET", "ocpp:connections", "c2", described)
    (orphan,) = await soon(gateway.orphans.found())
    assert (orphan.charger, orphan.domain, orphan.ocpp) == ("c2", "", None)


async def test_thousands_are_found(fleet):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    await found(gateway)
    for start in range(0, 5000, 500):
        waiting = [gone.roster.arrive(f"c{n:04}", "1") for n in range(start, start + 500)]
        for each in waiting:
            await soon(each)
        await pause()
    await fleet.gone(gone)
    assert await found(gateway) == [f"c{n:04}" for n in range(5000)]


async def test_one_that_dies_with_redis_and_is_taken_over_from_as_soon_as_that_is_back(fleet, monkeypatch):
    gone, gateway = await fleet.gateway("a"), await fleet.gateway("b")
    monkeypatch.setattr(orphans, "RETURN_WITHIN", 0.0)
    await soon(gone.roster.arrive("c1", "1"))
    await until(lambda: fleet.server("HEXISTS", "ocpp:gateways", "a"))
    assert await found(gateway) == []
    await fleet.crash(gone)
    await fleet.reclaim(gone, gateway)
    assert not fleet.server("HEXISTS", "ocpp:gateways", "a")
    client = gateway.store.connections.ordinary.client
    fleet.server("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await until(lambda: gateway.store.connections.ordinary.client not in (None, client))
    assert await found(gateway) == ["c1"]
    assert await found(gateway) == []
