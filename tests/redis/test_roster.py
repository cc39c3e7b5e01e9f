"""Presence through outages of Redis: nothing waits for it, and the newest connection has the charger afterwards."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.python.failure import Failure

from fleets import RedisFleet, Valkey, pause, soon, until
from ocpp_tw.core.entries import Record, Seated
from ocpp_tw.interfaces import StoreUnavailable
from ocpp_tw.redis import RedisStore, batch, connection, lease, roster
from ocpp_tw.redis.protocol import LostError
from ocpp_tw.redis.scripts import presence
from ocpp_tw.redis.scripts.script import Script
from ocpp_tw.waiting import deferred
from support.lost_answers import lose_first_answer


@pytest_twisted.async_yield_fixture
async def server(tmp_path) -> AsyncIterator[Valkey]:
    """A server of this test's own, whose data outlives it."""
    made = Valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    yield made
    made.close()


@pytest_twisted.async_yield_fixture
async def fleet(server) -> AsyncIterator[RedisFleet]:
    made = RedisFleet(server, reply_timeout=0.4)
    yield made
    await made.close()


async def away(awaitable, turns: int = 1_000_000) -> None:
    """It says so, in this many turns of the loop."""
    asked = awaitable if isinstance(awaitable, Deferred) else Deferred.fromCoroutine(awaitable)
    failed: list[Failure] = []
    asked.addErrback(failed.append)
    for _ in range(turns):
        if asked.called:
            break
        await pause()
    assert failed and failed[0].check(StoreUnavailable)


def have(server: Valkey) -> dict[str, list[str]]:
    """Gateway and connection of each charger."""
    held = [each.decode() for each in server("HGETALL", "ocpp:owners")]
    return {charger: each.split()[:2] for charger, each in zip(held[::2], held[1::2], strict=True)}


async def down(server: Valkey, *gateways) -> None:
    server.kill()
    await until(lambda: all(each.store.connections.ordinary.client is None for each in gateways))


async def test_nothing_waits_for_a_redis_that_is_unavailable_and_presence_is_written_afterwards(server, fleet):
    gateway = await fleet.gateway("a")
    for n in range(3):
        await soon(gateway.roster.arrive(f"c{n}", "1"))
    await down(server, gateway)
    await away(gateway.roster.arrive("c3", "1"), 5)
    await away(gateway.roster.arrive("c0", "2"), 5)
    await away(gateway.roster.leave("c1", "1"), 5)
    await away(gateway.roster.leave("c0", "1"), 5)
    server.start()
    await until(lambda: have(server) == {"c0": ["a", "2"], "c2": ["a", "1"], "c3": ["a", "1"]})


async def test_presence_is_written_again_to_a_redis_that_has_lost_everything(server, fleet):
    gateway = await fleet.gateway("a")
    many = 2 * roster.MAX_ANNOUNCED + 7
    for arriving in [deferred(gateway.roster.arrive(f"c{n}", "1")) for n in range(many)]:
        await soon(arriving)
    server("FLUSHALL")
    server("CLIENT", "KILL", "TYPE", "normal")
    await until(lambda: len(have(server)) == many)
    other = await fleet.gateway("b")
    assert await soon(other.roster.locate("c0")) == "a"


async def test_an_arrival_before_there_was_any_connection_waits_for_it(server, fleet):
    """The first moments of a gateway: Redis is not known to be away."""
    store = RedisStore(replace(fleet.settings, name="a"), reactor)
    arriving = deferred(store.roster.arrive("c1", "1"))
    fleet.stores.append(store)
    store.startService()
    assert await soon(arriving) == Seated(Record())


async def test_a_later_arrival_elsewhere_keeps_the_charger(server, fleet):
    """F13: the older connection is dropped by the gateway that has it."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "old"))
    await down(server, first, second)
    await away(second.roster.arrive("c1", "new"))
    await pause(0.05)
    server.start()
    assert (await soon(first.commands.take())).element == b'{"evict":"c1","connection":"old"}'
    await until(lambda: have(server) == {"c1": ["b", "new"]})
    await away_is_over(first, second)
    assert await soon(first.roster.locate("c1")) == "b"


async def away_is_over(*gateways) -> None:
    await until(lambda: all(each.store.connections.ordinary.client is not None for each in gateways))
    for each in gateways:
        await soon(each.store.connections.ordinary.send("PING"))


async def test_an_arrival_whose_answer_was_lost_does_not_undo_a_later_one(server, fleet, monkeypatch):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    lose_first_answer(monkeypatch, presence.UPDATE)
    arriving = deferred(first.roster.arrive("c1", "old"))
    await until(lambda: have(server))
    await soon(second.roster.arrive("c1", "new"))
    await soon(arriving)
    assert have(server) == {"c1": ["b", "new"]}
    assert (await soon(first.commands.take())).element == b'{"evict":"c1","connection":"old"}'


async def test_arrivals_and_departures_of_one_turn_are_sent_at_once_in_their_order(server, fleet, monkeypatch):
    gateway, runs = await fleet.gateway("a"), []
    run = Script.run
    monkeypatch.setattr(Script, "run", lambda self, client, keys, *args: runs.append(self) or run(self, client, keys, *args))
    server("HSET", "ocpp:record:c2", "boot", "Accepted")
    here = gateway.roster
    waiting = [
        here.arrive("c1", "1"), here.arrive("c2", "1"), here.leave("c1", "1"), here.leave("c2", "0"), here.arrive("c1", "2"),
        here.arrive("c3", "1"), here.leave("c3", "1"), here.leave("c3", "1"),
    ]  # fmt: skip
    answers, new = [await soon(each) for each in waiting], Seated(Record())
    assert answers == [new, Seated(Record(boot="Accepted")), True, False, new, new, True, False]
    assert have(server) == {"c1": ["a", "2"], "c2": ["a", "1"]}
    assert runs.count(presence.UPDATE) == 1


async def test_of_many_arrivals_only_some_are_concluded_in_a_turn(server, fleet, monkeypatch):
    gateway, sizes = await fleet.gateway("a"), []
    waiting = [gateway.roster.arrive(f"c{n}", "1") for n in range(3 * batch.MAX_BATCH + 5)]
    now: list[int] = []

    def turn() -> None:
        sizes.append(len(now))
        now.clear()
        if not all(each.called for each in waiting):
            reactor.callLater(0, turn)

    for each in waiting:
        each.addCallback(lambda _: now.append(1))
    turn()
    for each in waiting:
        await soon(each)
    await until(lambda: len(have(server)) == len(waiting))
    assert 0 < max(*sizes, len(now)) <= batch.MAX_BATCH


@pytest.mark.parametrize("seed", range(6))
async def test_connections_that_are_lost_at_any_time_change_nothing_for_chargers_that_are_present(server, fleet, monkeypatch, seed):
    """A batch that was sent may have been received, or not."""
    dice, gateway = random.Random(seed), await fleet.gateway("a")
    run, here = Script.run, {}

    def losing(self, client, keys, *args):
        if self is not presence.UPDATE or dice.random() < 0.5:
            return run(self, client, keys, *args)
        if dice.random() < 0.5:
            return fail(LostError("before it was received"))

        def lose(_):
            raise LostError("after it was received")

        return run(self, client, keys, *args).addCallback(lose)

    monkeypatch.setattr(Script, "run", losing)
    monkeypatch.setattr(connection, "backoff", lambda attempt: 0.005)
    waiting = []
    for step in range(60):
        charger = f"c{dice.randrange(4)}"
        if charger in here and dice.random() < 0.5:
            waiting.append(gateway.roster.leave(charger, here.pop(charger)))
        else:
            here[charger] = f"x{step}"
            waiting.append(gateway.roster.arrive(charger, here[charger]))
        if dice.random() < 0.3:
            await pause(0.002)
    for each in waiting:
        await soon(each)
    assert have(server) == {charger: ["a", connection] for charger, connection in here.items()}


async def test_what_an_earlier_version_wrote_is_understood(server, fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    server("HSET", "ocpp:owners", "c1", "a 1")
    assert await soon(second.roster.locate("c1")) == "a"
    await soon(second.roster.arrive("c1", "2"))
    assert (await soon(first.commands.take())).element == b'{"evict":"c1","connection":"1"}'
    assert have(server) == {"c1": ["b", "2"]}


@pytest.mark.parametrize("described", ['1 ["h","1.6"]', '0 ["h","1.6","192.0.2.1",2]', "1 []", "1 nothing", ""])
async def test_a_connection_of_which_too_little_is_known_holds_no_charger(server, fleet, described):
    """An older release writes less, or nothing for its own connection."""
    _, second = await fleet.gateway("a"), await fleet.gateway("b")
    server("HSET", "ocpp:owners", "c1", "a 1 1700000000000")
    server("HSET", "ocpp:connections", "c1", described)
    assert await soon(second.roster.arrive("c1", "2", "h", "1.6", "198.51.100.7")) == Seated(Record(), "1")


async def test_right_after_an_outage_a_gateway_that_is_slower_is_waited_for(server, fleet):
    """Its lease has expired, and it has not been able to renew it."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "1"))
    await down(server, first, second)
    server.start()
    await away_is_over(first, second)
    server("DEL", "ocpp:gateway:a")
    second.roster.announce()
    asked = Deferred.fromCoroutine(second.roster.locate("c1"))
    await pause(0.3)
    assert not asked.called
    server("SET", "ocpp:gateway:a", "1")
    assert await soon(asked) == "a"


@pytest.mark.parametrize("again", ["announce", "announce_rest"])
async def test_presence_that_is_written_while_chargers_leave_does_not_hide_that_they_were_here(server, fleet, again):
    gateway = await fleet.gateway("a")
    many = 3 * batch.MAX_BATCH
    await soon(gatherResults([gateway.roster.arrive(f"c{n}", "1") for n in range(many)]))
    leaving = gatherResults([gateway.roster.leave(f"c{n}", "1") for n in range(many)])
    getattr(gateway.roster, again)()
    assert await soon(leaving) == [True] * many
    assert have(server) == {}


async def test_a_presence_that_could_not_be_written_is_written_without_a_new_connection(server, fleet, monkeypatch):
    """Redis is there, but full."""
    monkeypatch.setattr(lease, "RENEW_INTERVAL", 0.2)
    gateway = await fleet.gateway("a")
    server("CONFIG", "SET", "maxmemory", "1")
    arriving = deferred(gateway.roster.arrive("c1", "1")).addErrback(lambda why: None)
    await pause(0.3)
    arriving.cancel()
    server("CONFIG", "SET", "maxmemory", "0")
    await until(lambda: have(server) == {"c1": ["a", "1"]})


@pytest_twisted.async_yield_fixture
async def near(clean) -> AsyncIterator[RedisFleet]:
    """A fleet on the server that all tests share."""
    made = RedisFleet(clean)
    yield made
    await made.close()


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_the_order_the_newest_connection_has_the_charger(clean, near, seed):
    """Two gateways; each can be out of Redis's reach at any time, and is back in the end."""
    dice, gateways = random.Random(seed), [await near.gateway(name) for name in "ab"]
    lines = [each.store.connections.ordinary.client for each in gateways]
    current: dict[str, tuple[int, str]] = {}
    held: list[dict[str, str]] = [{}, {}]  # the connections that each gateway has been told of and not yet the end of

    async def tried(awaitable) -> None:
        with suppress(StoreUnavailable):
            await soon(awaitable)

    def reach(n: int, *, can: bool) -> None:
        connection = gateways[n].store.connections.ordinary
        connection.client = lines[n] if can else None
        if can:
            gateways[n].roster.announce()

    for step in range(60):
        n, charger = dice.randrange(2), f"c{dice.randrange(3)}"
        match dice.choice(["arrive", "arrive", "leave", "away", "back"]):
            case "arrive":
                if charger in current and current[charger][0] != n and dice.random() < 0.5:
                    continue
                current[charger] = n, f"x{step}"
                held[n][charger] = f"x{step}"
                await tried(gateways[n].roster.arrive(charger, f"x{step}"))
            case "leave":
                if charger in current:
                    n, connection = current.pop(charger)
                    del held[n][charger]
                    await tried(gateways[n].roster.leave(charger, connection))
                    # the other gateway may still hold an older connection, which has ended as well
                    if older := held[1 - n].pop(charger, ""):
                        await tried(gateways[1 - n].roster.leave(charger, older))
            case "away":
                reach(n, can=False)
            case "back":
                reach(n, can=True)
        await pause(0.002)
    for n in dice.sample(range(2), 2):
        reach(n, can=True)
    expected = {charger: ["ab"[n], connection] for charger, (n, connection) in current.items()}
    with suppress(AssertionError):
        await until(lambda: have(clean) == expected)
    assert have(clean) == expected


async def test_a_charger_whose_gateway_could_not_renew_its_lease_is_not_taken_for_absent(server, fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(second.roster.arrive("c1", "1"))
    await fleet.full()
    server("DEL", "ocpp:gateway:b")  # as it ends when nobody can renew it
    asked = deferred(first.roster.locate("c1"))
    unknown = deferred(first.roster.locate("never-seen"))
    assert await soon(unknown) is None
    await pause(1)
    assert not asked.called
    await fleet.back()
    assert await soon(asked) == "b"
