"""Events while the server is dead, hangs, is full or read-only: nothing is lost, nothing is written twice, all is in order."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import protocol, reactor
from twisted.internet.defer import CancelledError, Deferred

from fleets import RedisFleet, Valkey, pause, soon, until
from ocpp_tw.core.entries import Entry, Put, Reply
from ocpp_tw.redis import RedisStore, groups
from ocpp_tw.settings import Settings
from support.source import Source, assert_complete


@pytest_twisted.async_yield_fixture
async def server(tmp_path) -> AsyncIterator[Valkey]:
    """A server of this test's own, whose data outlives it."""
    made = Valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes")
    yield made
    made.close()


@pytest_twisted.async_yield_fixture
async def fleet(server) -> AsyncIterator[RedisFleet]:
    made = RedisFleet(server, reply_timeout=0.4)
    yield made
    await made.close()


async def test_a_server_is_killed_and_comes_back(server, fleet, said):
    source = Source(await fleet.gateway("a"))
    delays = []
    for _ in range(2):
        await pause(0.2)
        server.kill()
        await pause(0.2)
        server.start()
        back = time.monotonic()
        await until(lambda: source.last > back)  # noqa: B023
        delays.append(time.monotonic() - back)
    assert min(delays) < 1.5  # the machine may be busy with other work, but not all the time
    await source.end()
    assert_complete(server, source)
    assert [sum(words in line for line in said) for words in ("takes no events", "takes events again")] == [2, 2]


async def test_a_server_hangs_and_resumes(server, fleet):
    source = Source(await fleet.gateway("a"))
    await pause(0.1)
    server.signal(signal.SIGSTOP)
    # It is given up on, and carries out what it had been sent when it comes round: the same batch is sent again.
    await pause(0.9)
    assert not await soon(fleet.stores[0].ping())
    server.signal(signal.SIGCONT)
    await until(lambda: source.last > time.monotonic() - 0.1)
    await source.end()
    assert source.gap > 0.8
    assert_complete(server, source)


async def test_a_server_that_hangs_is_not_ready_even_before_that_is_noticed(server, fleet):
    gateway = await fleet.gateway("a")
    server.signal(signal.SIGSTOP)
    assert not await soon(gateway.store.ping(0.1))
    server.signal(signal.SIGCONT)


async def test_a_server_that_is_full_gets_everything_once_there_is_room(server, fleet):
    gateway = await fleet.gateway("a")
    source = Source(gateway)
    await pause(0.1)
    server("CONFIG", "SET", "maxmemory", "1")
    await until(lambda: gateway.events.trouble.startswith("OOM"))
    gateway.events.publish(Entry("c9", effects=(Put("transactions", "1", b"kept"),)))
    assert not await soon(fleet.stores[0].ping())
    await pause(0.3)
    server("CONFIG", "SET", "maxmemory", "0")
    await source.end()
    assert await soon(fleet.stores[0].ping())
    assert_complete(server, source)
    assert await soon(gateway.records.transactions("c9")) == [b"kept"]


async def test_only_effects_wait_for_room_too(server, fleet):
    gateway = await fleet.gateway("a")
    server("CONFIG", "SET", "maxmemory", "1")
    gateway.events.publish(Entry("c9", effects=(Put("transactions", "1", b"kept"),)))
    await until(lambda: gateway.events.trouble)
    server("CONFIG", "SET", "maxmemory", "0")
    await soon(gateway.events.flushed())
    assert await soon(gateway.records.transactions("c9")) == [b"kept"]


async def test_a_server_that_may_only_be_read_is_waited_for(server, fleet, said):
    gateway = await fleet.gateway("a")
    source = Source(gateway)
    await pause(0.1)
    server("REPLICAOF", "127.0.0.1", "1")
    await until(lambda: any("takes no events: READONLY" in line for line in said))
    leased = Deferred.fromCoroutine(gateway.records.lease(5))
    await pause(0.3)
    server("REPLICAOF", "NO", "ONE")
    await source.end()
    assert await soon(leased) == 1_000_000_001
    assert_complete(server, source)


async def test_a_server_that_is_loading_is_waited_for(server, fleet):
    gateway = await fleet.gateway("a")
    server("EVAL", "for i = 1, 10000 do redis.call('SET', 'k' .. i, 'v') end", 0)
    server.kill()
    # Microseconds for each command of its log.
    server.options += ("--key-load-delay", "50")
    server.start(enough=b"\nloading:1")
    gateway.events.publish(Entry("c1", b'{"n":0}'))
    await until(lambda: gateway.events.trouble.startswith("LOADING"))
    await soon(gateway.events.flushed())
    assert server("LRANGE", "events", 0, -1) == [b'{"n":0,"seq":1}']


async def test_a_list_of_the_wrong_type_is_logged_and_waited_for(server, fleet, said):
    gateway = await fleet.gateway("a")
    server("SET", "events", "mine")
    gateway.events.publish(Entry("c1", b'{"n":0}'))
    await until(lambda: any("events should be a list but is a string" in line for line in said))
    await pause(0.5)
    assert gateway.events.waiting == 1
    server("DEL", "events")
    await soon(gateway.events.flushed())
    assert server("LRANGE", "events", 0, -1) == [b'{"n":0,"seq":1}']


async def test_an_effect_that_fails_is_dropped_and_logged(server, fleet, said):
    gateway = await fleet.gateway("a")
    server("SET", "mine", "a string")
    replies = [Reply("mine", b"x"), Reply("events", b"x"), Reply("commands:dead", b"x"), Reply("ocpp:seq", b"x"), Reply("good", b"x")]
    for n, reply in enumerate(replies):
        gateway.events.publish(Entry("c1", b'{"n":%d}' % n, (reply,)))
    await soon(gateway.events.flushed())
    assert [json.loads(each)["n"] for each in server("LRANGE", "events", 0, -1)] == [0, 1, 2, 3, 4]
    assert server("LRANGE", "good", 0, -1) == [b"x"]
    assert 3500 < server("TTL", "good") <= 3600
    assert server("TTL", "events") == -1
    assert sum("effect on mine dropped: WRONGTYPE" in line for line in said) == 1
    assert sum("is no list for replies" in line for line in said) == 3


async def test_a_reply_neither_fills_nor_ends_somebody_elses_list(server, fleet, said):
    """HOSTILE F15: a list of replies expires within the hour, and any other is not one."""
    gateway = await fleet.gateway("a")
    server("RPUSH", "celery", "job")
    server("RPUSH", "weekly", "report")
    server("EXPIRE", "weekly", 7 * 86_400)
    server("RPUSH", "replies", "from an hour ago")
    server("EXPIRE", "replies", 60)
    gateway.events.publish(Entry("c1", b'{"n":0}', tuple(Reply(each, b"x") for each in ("celery", "weekly", "replies"))))
    await soon(gateway.events.flushed())
    assert server("LLEN", "events") == 1
    assert [server("LLEN", each) for each in ("celery", "weekly", "replies")] == [1, 1, 2]
    assert server("TTL", "celery") == -1 and server("TTL", "weekly") > 86_400 and 3500 < server("TTL", "replies") <= 3600
    assert [sum(f"effect on {each} dropped: it is no list of replies" in line for line in said) for each in ("celery", "weekly")] == [1, 1]


async def test_scripts_that_the_server_has_lost_are_sent_again(server, fleet):
    gateway = await fleet.gateway("a")
    for n in range(3):
        gateway.events.publish(Entry("c1", b'{"n":%d}' % n))
        await soon(gateway.events.flushed())
        server("SCRIPT", "FLUSH")
    assert server("LLEN", "events") == 3


async def test_more_than_fits_in_a_group_goes_in_several(server, fleet, monkeypatch):
    monkeypatch.setattr(groups, "MAX_BYTES", 10_000)
    gateway = await fleet.gateway("a")
    for n in range(30):
        gateway.events.publish(Entry("c1", b'{"n":%d,"long":"%b"}' % (n, b"x" * (20_000 if n == 7 else 2_000))))
    await soon(gateway.events.flushed())
    assert [json.loads(each)["n"] for each in server("LRANGE", "events", 0, -1)] == list(range(30))
    (written,) = server("KEYS", "ocpp:batch:*")
    assert int(server("GET", written)) > 6


async def test_a_password_that_is_wrong_at_first_does_not_stop_it_for_ever(server):
    server("CONFIG", "SET", "requirepass", "other")
    server.password = "other"
    store = RedisStore(Settings(redis=f"redis://:right@127.0.0.1:{server.port}/3", name="a"), reactor)
    store.startService()
    store.events.publish(Entry("c1", b'{"n":0}'))
    await until(lambda: "WRONGPASS" in store.events.trouble)
    server("CONFIG", "SET", "requirepass", "right")
    server.password = "right"
    await soon(store.events.flushed())
    await store.stopService()
    assert b"db3:keys=" in server("INFO", "keyspace")


async def test_a_server_that_disconnects_during_the_handshake_is_tried_again(server):
    """txredisapi's own handshake gives up for ever here."""

    class Disconnecting(protocol.Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.loseConnection()

    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Disconnecting), interface="127.0.0.1")
    server.kill()
    server.port, server.password = port.getHost().port, "pw"
    store = RedisStore(Settings(redis=server.url + "/2", name="a"), reactor)
    store.startService()
    store.events.publish(Entry("c1", b'{"n":0}'))
    await until(lambda: store.events.trouble)
    await pause(0.3)
    await port.stopListening()
    server.start()
    await soon(store.events.flushed())
    await store.stopService()


@pytest.mark.parametrize("how", ["dead", "frozen"])
async def test_stopping_takes_no_longer_when_the_server_is_unavailable(server, fleet, how):
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c1", b'{"n":0}'))
    await soon(gateway.events.flushed())
    server.kill() if how == "dead" else server.signal(signal.SIGSTOP)
    gateway.events.publish(Entry("c1", b'{"n":1}'))
    asked = Deferred.fromCoroutine(gateway.records.lease(1))
    asked.addErrback(lambda why: why.trap(CancelledError))
    await pause(0.1)
    began = time.monotonic()
    await fleet.stop(gateway)
    assert time.monotonic() - began < 10
    assert asked.called
