"""Histories in Redis: how long they get, and what comes by way of the spool."""

from __future__ import annotations

from pathlib import Path

from fleets import Gateway, RedisFleet, Valkey, soon, until
from ocpp_tw.core.entries import Entry, Recorded


async def record(gateway: Gateway, count: int) -> None:
    for n in range(count):
        gateway.events.publish(Entry("c1", effects=(Recorded("troubles", b"%d" % n),)))
    await soon(gateway.events.flushed())


async def test_a_history_keeps_about_as_many_as_the_setting_says(clean: Valkey) -> None:
    fleet = RedisFleet(clean, history=300)
    await record(await fleet.gateway("a"), 2000)
    assert 300 <= clean("XLEN", "ocpp:recent:troubles") <= 400
    await fleet.close()


async def test_there_is_none_if_the_setting_says_so(clean: Valkey) -> None:
    fleet = RedisFleet(clean, history=0)
    gateway = await fleet.gateway("a")
    await record(gateway, 3)
    assert clean("EXISTS", "ocpp:recent:troubles") == 0
    assert await soon(gateway.history.recent("troubles", 10)) == []
    await fleet.close()


async def test_what_is_recorded_during_an_outage_comes_by_the_spool(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    fleet = RedisFleet(server, spool=str(tmp_path / "spool"))
    gateway = await fleet.gateway("a")
    server.kill()
    await record(gateway, 3)
    server.start()
    await until(lambda: server("XLEN", "ocpp:recent:troubles") == 3)
    assert [value for _, value in await soon(gateway.history.recent("troubles", 10))] == [b"2", b"1", b"0"]
    await fleet.close()
    server.close()


async def test_a_key_of_another_type_costs_the_history_only(clean: Valkey) -> None:
    fleet = RedisFleet(clean)
    gateway = await fleet.gateway("a")
    clean("SET", "ocpp:recent:troubles", "mine")
    gateway.events.publish(Entry("c1", b'{"n":1}', (Recorded("troubles", b"1"),)))
    await soon(gateway.events.flushed())
    assert clean("LLEN", "events") == 1 and clean("GET", "ocpp:recent:troubles") == b"mine"
    await fleet.close()
