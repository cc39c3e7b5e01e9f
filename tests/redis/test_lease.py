"""Gateway leases, and takeover: the commands that a gateway had in flight go to one other gateway, once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from fleets import PATIENCE, RedisFleet, pause, soon, until
from ocpp_tw.core.commands import Claim, Command, Taken
from ocpp_tw.redis import commands, lease
from ocpp_tw.redis.scripts import leases
from support.lost_answers import lose_first_answer


@pytest_twisted.async_yield_fixture
async def fleet(clean) -> AsyncIterator[RedisFleet]:
    made = RedisFleet(clean)
    yield made
    await made.close()


@pytest.fixture
def hasty(monkeypatch) -> None:
    """Leases expire soon, and are soon taken over from."""
    for name, value in (("LEASE_TTL", 1), ("RENEW_INTERVAL", 0.2), ("TAKEOVER_AFTER", 1.0), ("TAKEOVER_INTERVAL", 0.2)):
        monkeypatch.setattr(lease, name, value)
    monkeypatch.setattr(commands, "BLOCK_TIMEOUT", 1)


def suspended(gateway):
    """It does nothing any more, as a machine that was put to sleep (F16); its connections stay as they are. Returns what wakes it up."""
    store, later = gateway.store, []
    clients = [connection.client for connection in store.connections]
    for client in clients:
        client.transport.pauseProducing()
    send = [client.send for client in clients]
    for client in clients:
        client.send = lambda *args, **rest: later.append((Deferred(), args, rest)) or later[-1][0]

    def wake() -> None:
        for client, original in zip(clients, send, strict=True):
            client.send = original
            client.transport.resumeProducing()
        for answer, args, rest in later:
            clients[1].send(*args, **rest).chainDeferred(answer)

    return wake


async def test_a_gateway_with_a_lease_is_not_taken_over_from(fleet, clean, hasty):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    fleet.push(b"one")
    taker = first.commands.take() if not second.commands.take().addErrback(lambda why: None).called else None
    assert taker is not None
    await pause(2.0)
    assert len(fleet.processing("a")) + len(fleet.processing("b")) == 1
    assert not clean("KEYS", "ocpp:reclaimed:*")


async def test_gateways_take_over_from_one_that_is_gone_once(fleet, clean, hasty, said):
    """F14: it never comes back, and two are there to see to it."""
    first = await fleet.gateway("a")
    for n in range(200):
        fleet.push(b"%d" % n)
    taken = [(await soon(first.commands.take())).element for _ in range(150)]
    await soon(first.commands.claim(Command("c1", "1", action="Reset", element=taken[0]), "1"))
    clean("HSET", "ocpp:provisional:a", "tx1", "kept")
    incarnation = first.store.keys.incarnation
    await fleet.crash(first)
    others = [await fleet.gateway(name) for name in "bc"]
    for n in range(3):
        clean("RPUSH", "commands:for:a", b"own %d" % n)
    got: list[Taken] = []

    async def take(gateway) -> None:
        while True:
            got.append(await gateway.commands.take())

    takers = [Deferred.fromCoroutine(take(each)).addErrback(lambda why: None) for each in others]
    await until(lambda: len(got) >= 203)
    await pause(0.5)
    assert sorted(each.element for each in got) == sorted([*(b"%d" % n for n in range(200)), *(b"own %d" % n for n in range(3))])
    assert [each.element for each in got if each.sent] == [taken[0]]
    assert fleet.processing("a") == [] and clean("LLEN", "commands:for:a") == 0
    heir = b"b" if clean("HGET", "ocpp:provisional:b", "tx1") else b"c"
    assert clean("GET", f"ocpp:reclaimed:{incarnation}") == heir
    assert clean("HGETALL", "ocpp:provisional:" + heir.decode()) == [b"tx1", b"kept"] and not clean("EXISTS", "ocpp:provisional:a")
    assert 6 * 86_400 < clean("TTL", f"ocpp:reclaimed:{incarnation}") <= 7 * 86_400
    assert not clean("HEXISTS", "ocpp:gateways", "a")
    assert sum("gateway a is gone: its " in line for line in said) == 1
    for each in takers:
        each.cancel()


async def test_a_gateway_that_resumes_knows_that_it_was_taken_over_from(fleet, clean, hasty, said):
    """F16."""
    first = await fleet.gateway("a")
    fleet.push(b"in hand")
    assert (await soon(first.commands.take())).element == b"in hand"
    for n in range(5):
        fleet.push(b"%d" % n)
    await until(lambda: len(fleet.processing("a")) == 6)
    wake = suspended(first)
    second = await fleet.gateway("b")
    got = [await soon(second.commands.take()) for _ in range(6)]
    assert len({each.element for each in got}) == 6 and all(each.silent > 1 for each in got)
    wake()
    claim = await soon(first.commands.claim(Command("c1", "1", action="Reset", element=b"in hand"), "1"))
    assert claim == Claim("gone")
    await until(lambda: any("another one has taken over" in line for line in said))
    await until(lambda: clean("HEXISTS", "ocpp:gateways", "a"))
    nothing = first.commands.take()
    await pause(0.1)
    assert not nothing.called
    second.commands.take().addErrback(lambda why: None).cancel()
    for n in range(2):
        clean("RPUSH", "commands:for:a", b"fresh %d" % n)
    assert (await soon(nothing)).element == b"fresh 0"
    assert (await soon(first.commands.take())).element == b"fresh 1"


async def test_a_gateway_whose_lease_had_expired_learns_which_chargers_it_has_lost(fleet, clean, hasty):
    """F16: nobody told it, for it was dead."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "old"))
    await soon(first.roster.arrive("c2", "still"))
    wake = suspended(first)
    await until(lambda: not clean("EXISTS", "ocpp:gateway:a"))
    await soon(second.roster.arrive("c1", "new"))
    wake()
    assert (await soon(first.commands.take())).element == b'{"evict":"c1","connection":"old"}'
    assert await soon(second.roster.locate("c1")) == "b"
    assert await soon(second.roster.locate("c2")) == "a"


async def test_two_processes_of_one_name_are_logged_and_only_the_later_one_claims(fleet, hasty, said):
    first = await fleet.gateway("a")
    fleet.push(b"one")
    await soon(first.commands.take())
    second = await fleet.gateway("a")
    assert (await soon(second.commands.take())).element == b"one"
    command = Command("c1", "1", action="Reset", element=b"one")
    assert await soon(first.commands.claim(command, "1")) == Claim("gone")
    assert await soon(second.commands.claim(command, "1")) == Claim("new")
    await until(lambda: any("gateway name a is used by another process" in line for line in said))


async def test_how_long_ago_the_previous_incarnation_ended_is_known_even_when_the_answer_was_lost(fleet, clean, monkeypatch):
    gateway = await fleet.gateway("a")
    fleet.push(b"one")
    await soon(gateway.commands.take())
    await fleet.crash(gateway)
    incarnation = clean("HGET", "ocpp:gateways", "a").split()[0].decode()
    clean("HSET", "ocpp:gateways", "a", f"{incarnation} {time.time() - 30:.3f}")
    lost = lose_first_answer(monkeypatch, leases.BEGIN)
    again = await fleet.gateway("a")
    taken = await soon(again.commands.take())
    assert lost and 30 <= taken.silent < 30 + PATIENCE


@pytest.mark.parametrize("key", ["commands", "commands:processing:b", "ocpp:sent:b", "ocpp:provisional:b"])
async def test_what_cannot_be_taken_over_stays_where_it_is(fleet, clean, key, said):
    """A list of the wrong type, and nothing half done."""
    first = await fleet.gateway("a")
    fleet.push(b"one")
    await soon(first.commands.take())
    await fleet.crash(first)
    second = await fleet.gateway("b")
    clean("RENAMENX", key, "aside") if clean("EXISTS", key) else None
    clean("SET", key, "mine")
    failed = []
    Deferred.fromCoroutine(fleet.reclaim(first, second)).addErrback(failed.append)
    await until(lambda: failed)
    assert "WRONGTYPE" in failed.pop().getErrorMessage()
    assert fleet.processing("a") == [b"one"]
    clean("DEL", key)
    await soon(fleet.reclaim(first, second))
    assert (await soon(second.commands.take())).element == b"one"


async def test_a_hash_of_the_wrong_type_is_waited_for(clean, fleet, said):
    clean("SET", "ocpp:gateways", "mine")
    starting = Deferred.fromCoroutine(fleet.gateway("a"))
    await until(lambda: any("gateway lease cannot be renewed" in line for line in said))
    clean("DEL", "ocpp:gateways")
    gateway = await soon(starting)
    fleet.push(b"one")
    assert (await soon(gateway.commands.take())).element == b"one"
