"""Chargers that nobody has vouched for are forgotten when they stay away, and no number is ever given again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from fleets import Gateway, RedisFleet, Valkey, soon
from ocpp_tw.core.entries import AWAY, FLEET, REFUSED_HANDSHAKES, SPELLINGS, STATES, Entry, Put

LONG = 40 * 86_400


@pytest_twisted.async_yield_fixture
async def gateway(clean) -> AsyncIterator[Gateway]:
    made = RedisFleet(clean)
    yield await made.gateway("a")
    await made.close()


async def publish(gateway: Gateway, charger: str, *effects: Put) -> None:
    """One event."""
    durable: Deferred[None] = Deferred()
    gateway.events.publish(Entry(charger, b'{"event":"x"}', effects), durable.callback)
    await soon(durable)


async def visit(gateway: Gateway, charger: str, *effects: Put) -> None:
    """It comes, registers, and leaves: three events."""
    await publish(gateway, charger)
    await soon(gateway.roster.arrive(charger, "1"))
    await publish(gateway, charger, Put("record", "boot", b"Accepted"), Put("record", "model", b"M"), *effects)
    await soon(gateway.roster.leave(charger, "1"))
    await publish(gateway, charger)


def pass_time(server: Valkey, seconds: int, *chargers: str) -> None:
    for each in chargers:
        if seen := server("ZSCORE", "ocpp:strangers", each):
            server("ZADD", "ocpp:strangers", str(float(seen) - seconds), each)


def kept(server: Valkey, charger: str) -> tuple[Any, ...]:
    """Its number, whether there is a record, and whether it still is a stranger."""
    number = server("HGET", "ocpp:seq", charger)
    return number and int(number), server("EXISTS", f"ocpp:record:{charger}"), server("ZSCORE", "ocpp:strangers", charger) is not None


async def test_a_stranger_that_stays_away_leaves_nothing_behind(clean: Valkey, gateway: Gateway) -> None:
    await visit(gateway, "made-up")
    pass_time(clean, 29 * 86_400, "made-up")
    assert await soon(gateway.store.strangers.forget()) == 0
    assert kept(clean, "made-up") == (3, 1, True)
    pass_time(clean, 2 * 86_400, "made-up")
    assert await soon(gateway.store.strangers.forget()) == 1
    assert kept(clean, "made-up") == (None, 0, False)
    assert b"made-up" not in b" ".join(clean("KEYS", "*"))


async def test_its_spelling_of_the_identity_is_forgotten_and_no_other(clean: Valkey, gateway: Gateway) -> None:
    """It has come in with a certificate, and nobody has decided about it."""
    await visit(gateway, "Made-Up", Put(SPELLINGS, "Made-Up", b"yes", "made-up"), Put(SPELLINGS, "MADE-UP", b"yes", "made-up"))
    pass_time(clean, LONG, "Made-Up")
    assert await soon(gateway.store.strangers.forget()) == 1
    assert clean("HGETALL", "ocpp:spellings:made-up") == [b"MADE-UP", b"yes"]


@pytest.mark.parametrize(
    "voucher", [Put("record", "boot_status", b"Accepted"), Put("record", "version", b"1.6"), Put("transactions", "7", b"{}")]
)
async def test_a_transaction_or_an_operator_s_decision_vouches_for_it(clean: Valkey, gateway: Gateway, voucher: Put) -> None:
    await visit(gateway, "cp1", voucher)
    pass_time(clean, LONG, "cp1")
    assert await soon(gateway.store.strangers.forget()) == 0
    assert kept(clean, "cp1") == (3, 1, False)


async def test_a_decision_that_was_taken_back_does_not(clean: Valkey, gateway: Gateway) -> None:
    await visit(gateway, "cp1", Put("record", "boot_status", b""))
    pass_time(clean, LONG, "cp1")
    assert await soon(gateway.store.strangers.forget()) == 1


async def test_who_is_connected_or_comes_again_is_not_forgotten(clean: Valkey, gateway: Gateway) -> None:
    await visit(gateway, "again"), await visit(gateway, "left")
    await soon(gateway.roster.arrive("left", "2"))
    pass_time(clean, LONG, "again", "left")
    await soon(gateway.roster.arrive("again", "2"))
    assert await soon(gateway.store.strangers.forget()) == 0
    await soon(gateway.roster.leave("left", "2"))
    assert await soon(gateway.store.strangers.forget()) == 0
    assert kept(clean, "again") == kept(clean, "left") == (3, 1, True)


async def test_no_number_is_given_again(clean: Valkey, gateway: Gateway) -> None:
    """The backend may remember those of a charger that is forgotten here; whoever is new begins above them."""
    await visit(gateway, "much"), await visit(gateway, "much"), await visit(gateway, "little")
    pass_time(clean, LONG, "much", "little")
    assert await soon(gateway.store.strangers.forget()) == 2
    await visit(gateway, "little"), await publish(gateway, "new")
    assert (kept(clean, "little")[0], kept(clean, "new")[0]) == (9, 7)
    pass_time(clean, LONG, "new")
    assert await soon(gateway.store.strangers.forget()) == 1
    await publish(gateway, "much")
    assert kept(clean, "much")[0] == 8


async def test_many_are_forgotten_a_part_at_a_time(clean: Valkey, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"x{each}" for each in range(2500)]
    for each in names:
        gateway.events.publish(Entry(each, b'{"event":"x"}'))
    await soon(gateway.events.flushed())
    pass_time(clean, LONG, *names[:2400])
    assert await soon(gateway.store.strangers.forget()) == 2400
    assert (clean("HLEN", "ocpp:seq"), clean("ZCARD", "ocpp:strangers")) == (100, 100)


async def test_refused_handshakes_keep_their_numbers(clean: Valkey, gateway: Gateway) -> None:
    await publish(gateway, REFUSED_HANDSHAKES)
    pass_time(clean, LONG, REFUSED_HANDSHAKES)
    assert await soon(gateway.store.strangers.forget()) == 0
    assert kept(clean, REFUSED_HANDSHAKES)[0] == 1


async def test_what_an_earlier_release_has_stored_stays(clean: Valkey, gateway: Gateway) -> None:
    clean("HSET", "ocpp:seq", "cp1", "57")
    await visit(gateway, "cp1")
    pass_time(clean, LONG, "cp1")
    assert await soon(gateway.store.strangers.forget()) == 0
    assert kept(clean, "cp1")[0] == 60


async def test_a_stranger_that_is_forgotten_is_not_away_any_more(clean: Valkey, gateway: Gateway) -> None:
    await visit(gateway, "made-up", Put(FLEET, "made-up", b"{}", AWAY))
    await visit(gateway, "other", Put(FLEET, "other", b"{}", AWAY))
    pass_time(clean, LONG, "made-up")
    assert await soon(gateway.store.strangers.forget()) == 1
    assert set(await soon(gateway.records.table(FLEET, AWAY))) == {"other"}


async def test_what_was_known_of_its_state_is_forgotten_too(clean: Valkey, gateway: Gateway) -> None:
    for charger in ("made-up", "other"):
        await visit(gateway, charger)
    await soon(gateway.states.write({"made-up": b"[]", "other": b"[]"}))
    pass_time(clean, LONG, "made-up")
    assert await soon(gateway.store.strangers.forget()) == 1
    assert await soon(gateway.records.table(FLEET, STATES)) == {"other": b"[]"}
