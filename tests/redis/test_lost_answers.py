"""A script that is sent again because its answer was lost has been run once, and answers as it did the first time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, fail

from fleets import RedisFleet, soon
from ocpp_tw.core.commands import Claim, Command
from ocpp_tw.redis.protocol import LostError
from ocpp_tw.redis.scripts import claims, presence
from ocpp_tw.redis.scripts.script import Script
from ocpp_tw.waiting import deferred
from support.lost_answers import lose_first_answer


@pytest_twisted.async_yield_fixture
async def fleet(clean) -> AsyncIterator[RedisFleet]:
    made = RedisFleet(clean)
    yield made
    await made.close()


@pytest.fixture
def lose(monkeypatch):
    """Lose the first answer to a script; the list it returns is not empty once that has happened."""
    return lambda script: lose_first_answer(monkeypatch, script)


async def test_an_id_is_claimed_once(fleet, lose):
    gateway, lost = await fleet.gateway("a"), lose(claims.CLAIM)
    command = Command("c1", "1", action="Reset")
    assert (await soon(gateway.commands.claim(command, "1"))).kind == "new"
    assert (await soon(gateway.commands.claim(command, "1"))).kind == "duplicate"
    assert lost


async def test_a_claim_waits_until_a_cancelled_one_of_the_same_id_has_been_undone(fleet, monkeypatch):
    gateway, command = await fleet.gateway("a"), Command("c1", "1", action="Reset")
    run, failed = Script.run, []

    def failing(self, client, keys, *args):
        if self is claims.UNDO_CLAIM and not failed:  # it comes again after a pause, in which others are sent
            failed.append(True)
            return fail(LostError("as if"))
        return run(self, client, keys, *args)

    monkeypatch.setattr(Script, "run", failing)
    claiming = deferred(gateway.commands.claim(command, "1")).addErrback(lambda why: why.trap(CancelledError))
    claiming.cancel()
    await soon(claiming)
    assert await soon(gateway.commands.claim(command, "1")) == Claim("new")
    assert failed


async def test_an_element_is_forwarded_once(fleet, clean, lose):
    gateway, lost = await fleet.gateway("a"), lose(claims.MOVE)
    fleet.push(b"x")
    await soon(gateway.commands.take())
    await soon(gateway.commands.forward(b"x", "b", b"x"))
    assert clean("LRANGE", "commands:for:b", 0, -1) == [b"x"]
    assert lost


async def test_leaving_is_known_to_have_worked(fleet, lose):
    gateway = await fleet.gateway("a")
    await soon(gateway.roster.arrive("c1", "1"))
    lost = lose(presence.UPDATE)
    assert await soon(gateway.roster.leave("c1", "1")) is True
    assert await soon(gateway.roster.leave("c1", "1")) is False
    assert lost


async def test_the_other_gateway_gets_one_peer_message(fleet, clean, lose):
    first, second, lost = await fleet.gateway("a"), await fleet.gateway("b"), lose(presence.UPDATE)
    await soon(first.roster.arrive("c1", "1"))
    assert lost
    lost.clear()
    await soon(second.roster.arrive("c1", "2"))
    assert lost
    await soon(first.commands.take())
    assert clean("LLEN", "commands:for:a") + len(fleet.processing("a")) == 1
