"""Events in a long outage of Redis: on the disk before a CALL is answered, and in Redis afterwards, all of them and in order."""

from __future__ import annotations

import json
import signal
import sqlite3

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from fleets import RedisFleet, Valkey, pause, soon, until
from ocpp_tw.core.entries import Acknowledged, Entry, Put, Record, Reply
from ocpp_tw.gateway.transaction_ids import RANDOM_RANGE, TransactionIds
from ocpp_tw.redis import Route, events, records
from ocpp_tw.spool.file import SpoolFile
from support.source import Source, assert_complete


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
    monkeypatch.setattr(events, "REDIS_TIMEOUT", 0.3)
    monkeypatch.setattr(events, "CHECK_INTERVAL", 0.05)
    monkeypatch.setattr(records, "WAIT_AFTER_START", 0.5)


def stored(server: Valkey) -> list[int]:
    return [json.loads(each)["n"] for each in server("LRANGE", "events", 0, -1)]


def numbers(server: Valkey) -> list[int]:
    return [json.loads(each)["seq"] for each in server("LRANGE", "events", 0, -1)]


async def test_a_dead_server_delays_answers_only_for_a_moment(server, fleet):
    """F1"""
    source = Source(await fleet.gateway("a"))
    await until(lambda: source.durable)
    server.kill()
    sent = source.sent
    await until(lambda: len(source.durable) > sent + 20)  # from the disk
    server.start()
    await until(lambda: fleet.stores[0].events.route is Route.DIRECT)
    await source.end()
    assert source.gap < 20
    assert_complete(server, source)


async def test_a_server_that_hangs_is_waited_for_a_moment_only(server, fleet):
    """F3: what it was sent it carries out when it comes round, and the spool brings it again."""
    source = Source(await fleet.gateway("a"))
    gaps = []
    for _ in range(3):
        await until(lambda: fleet.stores[0].events.route is Route.DIRECT)
        sent = source.sent
        await until(lambda: len(source.durable) > sent)  # noqa: B023
        server.signal(signal.SIGSTOP)
        source.gap, sent = 0.0, source.sent
        await until(lambda: len(source.durable) > sent + 20)  # noqa: B023  # from the disk
        server.signal(signal.SIGCONT)
        gaps.append(source.gap)
    await source.end()
    await until(lambda: len(stored(server)) == source.sent)
    assert min(gaps) < 1.2  # the machine may be busy with other work, but not all the time
    assert_complete(server, source)


async def test_a_gateway_starts_without_a_server_and_its_next_incarnation_drains_the_spool(server, fleet):
    """F2: nothing is held in memory only."""
    server.kill()
    for run in range(3):
        gateway = await fleet.gateway("a")
        for n in range(10):
            gateway.events.publish(Entry("c", b'{"n":%d}' % (10 * run + n)))
        await soon(gateway.events.flushed())
        assert gateway.store.spool.events == 10 * (run + 1)
        await fleet.stop(gateway)
    gateway = await fleet.gateway("a")
    server.start()
    await soon(gateway.events.caught_up())
    gateway.events.publish(Entry("c", b'{"n":30}'))
    await soon(gateway.events.flushed())
    assert stored(server) == list(range(31))
    assert numbers(server) == list(range(1, 32))
    assert gateway.store.spool.groups == 0


async def test_what_an_earlier_incarnation_left_comes_before_events_of_this_one(server, fleet):
    server.kill()
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":0}'))
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)
    server.start()
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":1}'))
    await soon(gateway.events.flushed())
    await soon(gateway.events.caught_up())
    await until(lambda: stored(server) == [0, 1])


async def test_a_run_that_ends_after_a_write_of_unknown_outcome_writes_nothing_twice(server, fleet, tmp_path, monkeypatch):
    """F3, F14: the gateway dies while a hung server has its events; the next run sends them again, and the server knows them."""
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":0}'))
    await soon(gateway.events.flushed())
    server.signal(signal.SIGSTOP)
    gateway.events.publish(Entry("c", b'{"n":1}'))
    await soon(gateway.events.flushed())
    await soon(gateway.store.stopService())
    fleet.stores.remove(gateway.store)
    server.signal(signal.SIGCONT)
    gateway = await fleet.gateway("a")
    await soon(gateway.events.caught_up())
    gateway.events.publish(Entry("c", b'{"n":2}'))
    await soon(gateway.events.flushed())
    assert stored(server) == [0, 1, 2]


async def test_effects_come_true_with_their_events_when_the_spool_is_drained(server, fleet):
    gateway = await fleet.gateway("a")
    fleet.push(b"order")
    assert (await soon(gateway.commands.take())).element == b"order"
    server.kill()
    effects = (Put("transactions", "1", b"one"), Reply("replies", b"yes"), Acknowledged(b"order"))
    gateway.events.publish(Entry("c", b'{"n":0}', effects))
    await soon(gateway.events.flushed())
    server.start()
    await soon(gateway.events.caught_up())
    assert server("HGETALL", "ocpp:transactions:c") == [b"1", b"one"]
    assert fleet.replies("replies") == [b"yes"] and fleet.processing("a") == []


async def test_a_command_whose_end_waits_in_the_spool_is_not_taken_up_again(server, fleet):
    gateway = await fleet.gateway("a")
    fleet.push(b"order")
    assert (await soon(gateway.commands.take())).element == b"order"
    server.kill()
    gateway.events.publish(Entry("c", b'{"n":0}', (Acknowledged(b"order"),)))
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)
    server.start()
    gateway = await fleet.gateway("a")
    fleet.push(b"next")
    assert (await soon(gateway.commands.take(), 10)).element == b"next"


async def test_ten_thousand_events_a_second_are_drained(server, fleet):
    """F2; as a ratio it is in the benchmarks, here it only must not take for ever."""
    gateway = await fleet.gateway("a")
    server.kill()
    for n in range(20_000):
        gateway.events.publish(Entry(f"c{n % 50}", b'{"n":%d,"x":"%b"}' % (n, b"y" * 400)))
    await soon(gateway.events.flushed())
    assert gateway.events.waiting == 0
    server.start()
    await soon(gateway.events.caught_up())
    assert stored(server) == list(range(20_000))


async def test_what_is_remembered_is_known_without_a_server(server, fleet):
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":0}', (Put("transactions", "1", b"one"), Put("record", "boot", b"Accepted"))))
    await soon(gateway.events.flushed())
    server.kill()
    gateway.events.publish(Entry("c", b'{"n":1}', (Put("transactions", "2", b"two"),)))
    await soon(gateway.events.flushed())
    gateway.events.publish(Entry("c", b'{"n":2}', (Put("transactions", "3", b"three"), Put("transactions", "1", None))))
    assert sorted(await soon(gateway.records.transactions("c"))) == [b"three", b"two"]
    assert await soon(gateway.records.record("c")) == Record(boot="Accepted")
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)
    gateway = await fleet.gateway("a")  # the next run of it knows as much
    assert sorted(await soon(gateway.records.transactions("c"))) == [b"three", b"two"]
    assert await soon(gateway.records.record("c")) == Record(boot="Accepted")


async def test_a_new_incarnation_asks_redis_for_what_the_one_before_could_not_write_to_the_journal(server, fleet, monkeypatch):
    """F14 and F1 together: killed after a start was in Redis and before it was noted, then Redis goes once more: the start is known all the same."""
    monkeypatch.setattr(records, "WAIT_AFTER_START", 8.0)
    gateway = await fleet.gateway("a")
    server("HSET", gateway.store.keys.table("transactions", "c"), "7", "a start")
    assert await soon(gateway.records.transactions("other")) == []
    server.kill()
    await until(lambda: gateway.store.connections.ordinary.client is None)
    asked = Deferred.fromCoroutine(gateway.records.transactions("c"))
    await pause(0.5)
    server.start()
    assert await soon(asked) == [b"a start"]


async def test_what_waits_in_the_spool_counts_before_what_redis_has(server, fleet, monkeypatch):
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":0}', (Put("transactions", "1", b"one"),)))
    await soon(gateway.events.flushed())
    server("CONFIG", "SET", "min-replicas-to-write", "1")
    gateway.events.publish(Entry("c", b'{"n":1}', (Put("transactions", "1", b"uno"), Put("transactions", "2", b"dos"))))
    await soon(gateway.events.flushed())
    assert sorted(await soon(gateway.records.transactions("c"))) == [b"dos", b"uno"]
    server("CONFIG", "SET", "min-replicas-to-write", "0")
    await soon(gateway.events.caught_up())
    assert sorted(await soon(gateway.records.transactions("c"))) == [b"dos", b"uno"]


async def test_transaction_ids_do_not_run_out_in_an_outage(server, fleet):
    gateway = await fleet.gateway("a")
    ids = TransactionIds(gateway.records, reactor, gateway.store.spool)
    ids.lease()
    given = [await soon(Deferred.fromCoroutine(_next(ids)))]
    while await soon(gateway.store.spool.reserve()) is None:
        await pause(0.01)
    server.kill()
    await fleet.stop(gateway)
    gateway = await fleet.gateway("a")
    ids = TransactionIds(gateway.records, reactor, gateway.store.spool)
    ids.lease()
    given += [await soon(_next(ids)) for _ in range(1500)]
    assert len(set(given)) == 1501 and all(1_000_000_000 < id < RANDOM_RANGE[0] for id in given)
    await fleet.stop(gateway)
    gateway = await fleet.gateway("a")  # what was put by is used, so that it cannot be given again
    ids = TransactionIds(gateway.records, reactor, gateway.store.spool)
    assert await soon(_next(ids)) >= RANDOM_RANGE[0]


async def _next(ids: TransactionIds) -> int:
    id = ids.next()
    return id if isinstance(id, int) else await id


async def test_with_neither_a_server_nor_a_disk_nothing_is_durable_and_with_either_all_is(server, fleet, said, monkeypatch):
    """F17"""
    gateway = await fleet.gateway("a")
    broken, append = [True], SpoolFile.append

    def full(self, *group):
        if broken:
            raise sqlite3.OperationalError("database or disk is full")
        return append(self, *group)

    monkeypatch.setattr(SpoolFile, "append", full)
    for back in ("disk", "server"):
        server.kill()
        broken[:] = [True]
        source = Source(gateway)
        await pause(0.8)
        durable = len(source.durable)
        await pause(0.3)
        assert len(source.durable) == durable and gateway.events.waiting and gateway.store.spooled()["trouble"]
        if back == "disk":
            broken.clear()
        else:
            server.start()
        await until(lambda: len(source.durable) > durable + 20)  # noqa: B023
        await source.end()
        if back == "disk":
            assert not gateway.store.spooled()["trouble"]
            server.start()
        await soon(gateway.events.caught_up())
        assert_complete(server, source)
        server("FLUSHALL")
    assert sum("takes no events, and CALLs are not answered" in line for line in said) == 2


async def test_commands_are_taken_when_redis_is_back_before_the_disk(server, fleet, monkeypatch):
    """F17"""
    server.kill()
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":0}'))
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)

    def full(self, *group):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(SpoolFile, "append", full)
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":1}'))
    await until(lambda: gateway.store.spooled()["trouble"])
    caught_up = gateway.events.caught_up()
    server.start()
    fleet.push(b"order")
    await soon(caught_up)
    assert (await soon(gateway.commands.take(), 10)).element == b"order"
    assert stored(server) == [0, 1]


async def test_what_redis_has_is_not_news_after_a_restart_though_the_disk_stayed_full(server, fleet, monkeypatch):
    """F17: a provisional start that was deleted meanwhile would be there again, and be reconciled twice."""
    server.kill()
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":0}', (Put("provisional", "k", b"start", owner="a"),)))
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)

    def full(self, *_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(SpoolFile, "append", full)
    monkeypatch.setattr(SpoolFile, "delete", full)
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c", b'{"n":1}'))
    await until(lambda: gateway.store.spooled()["trouble"])
    caught_up = gateway.events.caught_up()
    server.start()
    await soon(caught_up)
    gateway.events.publish(Entry("c", b'{"n":2}', (Put("provisional", "k", None, owner="a"),)))
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)
    assert stored(server) == [0, 1, 2]
    server.kill()
    assert (await fleet.gateway("a")).store.spool.groups == 0


async def test_a_file_that_was_begun_anew_is_not_taken_for_empty(server, fleet, monkeypatch):
    """Ids go on where they were, for the reader remembers how far it is."""
    gateway = await fleet.gateway("a")
    for n in range(3):
        server.kill()
        gateway.events.publish(Entry("c", b'{"n":%d}' % n))
        await soon(gateway.events.flushed())
        if n == 0:
            delete = SpoolFile.delete

            def full(self, upto):
                raise sqlite3.OperationalError("database or disk is full")

            monkeypatch.setattr(SpoolFile, "delete", full)
        server.start()
        await soon(gateway.events.caught_up())
        monkeypatch.setattr(SpoolFile, "delete", delete)
    assert stored(server) == [0, 1, 2]


async def test_a_gateway_with_neither_takes_no_more_than_it_can_hold(server, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "MAX_WAITING", 100)
    fleet = RedisFleet(server)
    gateway = await fleet.gateway("a")
    server.kill()
    for n in range(100):
        gateway.events.publish(Entry("c", b'{"n":%d}' % n))
        await pause()
    assert not gateway.events.overloaded
    gateway.events.publish(Entry("c", b'{"n":100}'))
    assert gateway.events.overloaded
    server.start()
    await soon(gateway.events.flushed())
    assert not gateway.events.overloaded and stored(server) == list(range(101))
    await fleet.close()


@pytest.mark.parametrize("synced", ["always", "everysec"])
async def test_fsync_waits_until_the_server_has_it_on_its_disk(tmp_path, synced):
    (tmp_path / "v").mkdir()
    server = Valkey(tmp_path / "v", "--appendonly", "yes", "--appendfsync", synced)
    fleet = RedisFleet(server, spool=str(tmp_path / "spool"), durability="fsync")
    gateway = await fleet.gateway("a")
    for n in range(20):
        gateway.events.publish(Entry("c", b'{"n":%d}' % n))
        await soon(gateway.events.flushed())
    assert stored(server) == list(range(20)) and gateway.store.spool.groups == 0
    assert b"calls=" in server("INFO", "commandstats").partition(b"cmdstat_waitaof:")[2]
    await fleet.close()
    server.close()


async def test_fsync_with_a_server_that_syncs_nothing_goes_through_the_spool(tmp_path, said):
    (tmp_path / "v").mkdir()
    server = Valkey(tmp_path / "v")
    fleet = RedisFleet(server, spool=str(tmp_path / "spool"), durability="fsync")
    gateway = await fleet.gateway("a")
    appended, append = [], gateway.store.spool.append
    gateway.store.spool.append = lambda *group: appended.append(group) or append(*group)
    for n in range(50):
        gateway.events.publish(Entry("c", b'{"n":%d}' % n))
        await soon(gateway.events.flushed())
    assert len(appended) == 49  # all but the first, which found out
    await until(lambda: stored(server) == list(range(50)))
    assert sum("goes to the spool first" in line for line in said) == 1
    await fleet.close()
    server.close()


async def test_the_store_says_what_waits_on_the_disk(server, fleet):
    gateway = await fleet.gateway("a")
    assert gateway.store.spooled() == {"groups": 0, "events": 0, "trouble": ""}
    server.kill()
    gateway.events.publish(Entry("c", b'{"n":0}'))
    await soon(gateway.events.flushed())
    assert gateway.store.spooled() == {"groups": 1, "events": 1, "trouble": ""}
    assert not await soon(gateway.store.ping())


async def test_entries_behind_the_group_that_finds_out_that_the_server_syncs_nothing_are_stored_at_once(tmp_path):
    """And the elements that this group acknowledges are not in flight any more."""
    (tmp_path / "v").mkdir()
    server = Valkey(tmp_path / "v")
    fleet = RedisFleet(server, spool=str(tmp_path / "spool"), durability="fsync")
    gateway = await fleet.gateway("a")
    fleet.push(b"order")
    assert (await soon(gateway.commands.take())).element == b"order"
    gateway.events.publish(Entry("c", b'{"n":0}', (Acknowledged(b"order"),)))
    await pause()
    gateway.events.publish(Entry("c", b'{"n":1}'))
    assert gateway.events.waiting == 2
    await soon(gateway.events.flushed())
    assert gateway.events.route is Route.ALWAYS and not gateway.commands.in_flight.elements
    await until(lambda: stored(server) == [0, 1])
    await fleet.close()
    server.close()
