"""Who is admitted while Redis is away: those whose credentials this gateway has seen, and nobody by a failure."""

from __future__ import annotations

import signal
import time

import pytest
import pytest_twisted

from fleets import PATIENCE, RedisFleet, Valkey, soon, until
from ocpp_tw.core.entries import FLEET, GUARDED, SECURITY, SPELLINGS, Entry, Listed, Put, Record, Unchanged
from ocpp_tw.interfaces import StoreUnavailable
from ocpp_tw.redis import register


@pytest_twisted.async_yield_fixture
async def server(tmp_path):
    """A server of this test's own, whose data outlives it."""
    (tmp_path / "valkey").mkdir()
    made = Valkey(tmp_path / "valkey", "--appendonly", "yes", "--appendfsync", "always")
    yield made
    made.close()


@pytest_twisted.async_yield_fixture
async def fleet(server, tmp_path):
    made = RedisFleet(server, reply_timeout=0.6, spool=str(tmp_path / "spool"))
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(register, "INTERVAL", 0.05)


async def found(gateway, charger: str = "c1") -> Record:
    return await soon(gateway.register.find(charger))


async def put(gateway, charger: str = "c1", **fields: str | None) -> None:
    puts = [Put("record", name, None if value is None else value.encode()) for name, value in fields.items()]
    gateway.events.publish(Entry(charger, effects=(*puts, Put(FLEET, GUARDED, b"yes", SECURITY))))
    await soon(gateway.events.flushed())


async def test_without_redis_a_charger_has_the_credentials_that_this_gateway_saw_last(fleet, server):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await put(first, registered="yes", password="stored", security_profile="2")
    await found(second)
    await put(first, password="changed")
    await found(second)
    server.kill()
    assert (await found(second)).password == "changed" and (await found(second)).least_profile == 2


async def test_what_this_gateway_stores_after_it_has_looked_a_charger_up_is_newer(fleet, server):
    gateway = await fleet.gateway("a")
    await put(gateway, registered="yes", password="stored", certificate="of its maker")
    await found(gateway)
    await put(gateway, password="changed", certificate=None)
    server.kill()
    assert await found(gateway) == Record(registered="yes", password="changed")


async def test_what_is_looked_up_is_newer_than_what_this_gateway_stored_before(fleet, server):
    """Also if it is again what it was."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await put(first, registered="yes", password="stored")
    await found(second)
    await put(second, password="changed", new_password="sent")
    await put(first, password="stored", new_password=None)
    await found(second)
    server.kill()
    assert await found(second) == Record(registered="yes", password="stored")


async def test_a_redis_that_does_not_answer_is_waited_for_no_longer_than_a_handshake_may(fleet, server, monkeypatch):
    fleet.reply_timeout = 2 * PATIENCE
    monkeypatch.setattr(register, "REDIS_TIMEOUT", 0.2)
    gateway = await fleet.gateway("a")
    await put(gateway, registered="yes", password="stored")
    await found(gateway)
    server.signal(signal.SIGSTOP)
    begin = time.monotonic()
    try:
        assert [await found(gateway), await found(gateway)] == [Record(registered="yes", password="stored")] * 2
    finally:
        server.signal(signal.SIGCONT)
    assert time.monotonic() - begin < PATIENCE / 2
    await put(gateway, password="changed")
    assert (await found(gateway)).password == "changed"


async def test_without_redis_nobody_is_admitted_of_whom_nothing_is_known_once_anybody_has_credentials(fleet, server):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await put(first, registered="yes", password="stored")
    await found(second)  # any charger's
    await until(lambda: second.register.guarded)
    server.kill()
    with pytest.raises(StoreUnavailable):
        await found(second, "c2")


async def test_a_record_that_is_something_else_does_not_keep_the_others_from_being_listed(fleet, server):
    gateway = await fleet.gateway("a")
    for id in ("c1", "c2"):
        gateway.events.publish(Entry(id, effects=(Put("record", "registered", b"yes"), Listed())))
    await soon(gateway.events.flushed())
    server("DEL", "ocpp:record:c1")
    server("SET", "ocpp:record:c1", "x")
    assert (await soon(gateway.register.registered("", 10))).chargers == [("c1", Record()), ("c2", Record(registered="yes"))]


async def test_without_redis_nobody_knows_who_is_first_or_registered(fleet, server):
    gateway = await fleet.gateway("a")
    assert await soon(gateway.register.once("x", 30))
    for end in (lambda: server.signal(signal.SIGSTOP), server.kill):
        end()
        with pytest.raises(StoreUnavailable):
            await soon(gateway.register.once("y", 30))
        with pytest.raises(StoreUnavailable):
            await soon(gateway.register.registered("", 10))


async def test_without_redis_everybody_is_admitted_as_long_as_nobody_has_credentials(fleet, server):
    gateway = await fleet.gateway("a")
    await found(gateway)
    server.kill()
    assert await found(gateway, "c2") == Record()


async def test_a_gateway_that_is_started_without_redis_knows_what_its_earlier_run_saw(fleet, server):
    gateway = await fleet.gateway("a")
    await put(gateway, registered="yes", password="stored")
    await found(gateway)
    await until(lambda: gateway.register.guarded)
    await fleet.stop(gateway)
    server.kill()
    again = await fleet.gateway("a")
    assert (await found(again)).password == "stored"
    with pytest.raises(StoreUnavailable):
        await found(again, "c2")


async def test_without_redis_a_charger_whose_credentials_were_never_looked_up_here_is_not_admitted(fleet, server):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    second.events.publish(Entry("c1", effects=(Put("record", "boot", b"Accepted"),)))  # it was here before, as everybody could be
    await soon(second.events.flushed())
    await put(first, registered="yes", password="stored")
    await until(lambda: second.register.guarded)
    server.kill()
    with pytest.raises(StoreUnavailable):
        await found(second)


async def test_a_gateway_that_has_never_heard_of_redis_admits_nobody_until_it_has(fleet, server):
    server.kill()
    gateway = await fleet.gateway("new")
    with pytest.raises(StoreUnavailable):
        await found(gateway)
    server.start()
    await until(lambda: gateway.register.guarded is False)
    assert await found(gateway) == Record()
    server.kill()
    assert await found(gateway) == Record()


async def test_without_redis_the_spellings_of_an_identity_are_those_that_were_read_here_last(fleet, server):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")

    async def write(spelling: str, value: bytes | None) -> dict[str, bytes]:
        first.events.publish(Entry("", effects=(Put(SPELLINGS, spelling, value, "c1"),)))
        await soon(first.events.flushed())
        return await soon(second.records.table(SPELLINGS, "c1"))

    assert await soon(second.records.table(SPELLINGS, "c1", remembered=True)) == {}
    assert await write("C1", b"yes") == {"C1": b"yes"}
    assert await write("c1", b"yes") == {"C1": b"yes", "c1": b"yes"}
    assert await write("C1", None) == {"c1": b"yes"}
    server.kill()
    for gateway in (first, second):
        assert await soon(gateway.records.table(SPELLINGS, "c1", remembered=True)) == {"c1": b"yes"}
    assert await soon(second.records.table(SPELLINGS, "c2", remembered=True)) == {}


async def learn(gateway, record: Record, **fields: str | None) -> None:
    puts = [Put("record", name, None if value is None else value.encode()) for name, value in fields.items()]
    gateway.events.publish(Entry("c1", effects=(Unchanged.of(record, "password", "new_password"), *puts)))
    await soon(gateway.events.flushed())


async def test_what_a_gateway_has_learnt_without_redis_counts_there_at_once_and_in_redis_unless_others_know_better(fleet, server):
    gateway = await fleet.gateway("a")
    sent = Record(registered="yes", password="one", new_password="two")
    await put(gateway, registered="yes", password="one", new_password="two")
    assert await found(gateway) == sent
    server.kill()
    await learn(gateway, sent, password="two", new_password=None)
    assert await found(gateway) == Record(registered="yes", password="two")
    await learn(gateway, sent, password="not this", new_password=None)
    await learn(gateway, Record(password="two"), new_password="three")
    assert await found(gateway) == Record(registered="yes", password="two", new_password="three")
    server.start()
    await soon(gateway.events.caught_up())
    key = gateway.store.keys.table("record", "c1")
    fields = server("HGETALL", key)
    assert dict(zip(fields[::2], fields[1::2], strict=True)) == {b"registered": b"yes", b"password": b"two", b"new_password": b"three"}


@pytest.mark.parametrize("killed", [False, True])
async def test_what_waits_in_a_spool_does_not_undo_what_others_have_stored_since_not_even_before_it_is_drained(fleet, server, killed):
    gateway = await fleet.gateway("a")
    await put(gateway, registered="yes", password="one", new_password="two")
    sent = await found(gateway)
    server("CONFIG", "SET", "min-replicas-to-write", "1")
    await learn(gateway, sent, password="two", new_password=None, reached_profile="1")
    assert await found(gateway) == Record(registered="yes", password="two", reached_profile="1")
    server("CONFIG", "SET", "min-replicas-to-write", "0")
    await fleet.crash(gateway) if killed else None
    key = "ocpp:record:c1"
    server("HSET", key, "password", "operator's")
    server("HDEL", key, "new_password")
    if killed:
        gateway = await fleet.gateway("a")
    other = await fleet.gateway("b")
    later = Record(registered="yes", password="operator's")
    assert await found(gateway) == later
    await soon(gateway.events.caught_up())
    assert await found(gateway) == later == await found(other)
    server.kill()
    assert await found(gateway) == later
