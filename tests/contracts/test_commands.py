"""`ICommands`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from twisted.internet.defer import CancelledError
from zope.interface.verify import verifyObject

from fleets import soon, until
from ocpp_tw.core.commands import Claim, Command, Taken, digest
from ocpp_tw.core.entries import Acknowledged, Entry, Put
from ocpp_tw.interfaces import ICommands
from ocpp_tw.waiting import deferred


async def test_it_provides_the_interface(fleet):
    assert verifyObject(ICommands, (await fleet.gateway("a")).commands)


async def test_elements_come_in_order_and_stay_in_hand(fleet):
    gateway = await fleet.gateway("a")
    for n in range(10):
        fleet.push(b"%d" % n)
    assert [(await soon(gateway.commands.take())).element for _ in range(10)] == [b"%d" % n for n in range(10)]
    assert fleet.processing("a") == [b"%d" % n for n in range(10)]


async def test_who_waits_gets_what_comes_later(fleet):
    gateway = await fleet.gateway("a")
    taken = gateway.commands.take()
    assert not taken.called
    fleet.push(b"\x00\xff\r\n")
    assert await soon(taken) == Taken(b"\x00\xff\r\n")


async def test_a_taker_that_gives_up_loses_nothing(fleet):
    gateway = await fleet.gateway("a")
    gone = gateway.commands.take()
    gone.addErrback(lambda why: why.trap(CancelledError))
    gone.cancel()
    fleet.push(b"one")
    assert await soon(gateway.commands.take()) == Taken(b"one")


async def test_each_element_goes_to_one_gateway_only(fleet):
    """How many each gets is not promised: one that is quicker pulls more."""
    gateways, told = [await fleet.gateway("a"), await fleet.gateway("b")], []
    waiting = [gateway.commands.take().addCallback(told.append) for gateway in gateways for _ in range(10)]
    for n in range(10):
        fleet.push(b"%d" % n)
    await until(lambda: len(told) >= 10)
    for each in waiting:
        each.addErrback(lambda why: why.trap(CancelledError)).cancel()
    assert sorted(each.element for each in told) == sorted(fleet.processing("a") + fleet.processing("b")) == [b"%d" % n for n in range(10)]


async def test_what_was_in_hand_at_the_end_comes_first_after_a_restart(fleet):
    gateway = await fleet.gateway("a")
    for n in range(3):
        fleet.push(b"old %d" % n)
    for _ in range(3):
        await soon(gateway.commands.take())
    gateway.events.publish(Entry("c", b'{"n":1}', (Acknowledged(b"old 1"),)))
    await soon(gateway.events.flushed())
    await fleet.stop(gateway)
    fleet.push(b"new")
    again = await fleet.gateway("a")
    assert [(await soon(again.commands.take())).element for _ in range(3)] == [b"old 0", b"old 2", b"new"]
    assert fleet.processing("a") == [b"old 0", b"old 2", b"new"]


async def test_an_id_can_be_claimed_once_for_a_charger_by_whomever(fleet):
    """F33."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    command = Command("c1", "id-1", action="Reset")
    assert await soon(first.commands.claim(command, "1")) == Claim("new")
    assert await soon(first.commands.claim(command, "1")) == Claim("duplicate")
    assert await soon(second.commands.claim(command, "1")) == Claim("duplicate")
    assert await soon(second.commands.claim(Command("c2", "id-1", action="Reset"), "1")) == Claim("new")


async def test_a_command_is_claimed_only_on_the_connection_that_has_its_charger(fleet):
    """F13."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    command = Command("c1", "id-1", action="Reset")
    await soon(first.roster.arrive("c1", "old"))
    await soon(first.roster.arrive("c1", "new"))
    assert await soon(first.commands.claim(command, "old")) == Claim("elsewhere", "a")
    await soon(second.roster.arrive("c1", "newest"))
    assert await soon(first.commands.claim(command, "new")) == Claim("elsewhere", "b")
    assert await soon(second.commands.claim(command, "newest")) == Claim("new")
    assert await soon(second.commands.claim(command, "newest")) == Claim("duplicate")


async def test_a_claim_that_is_cancelled_is_undone(fleet):
    gateway = await fleet.gateway("a")
    command = Command("c1", "id-1", action="Reset")
    for _ in range(3):
        claiming = deferred(gateway.commands.claim(command, "1"))
        if claiming.called:  # there is nothing to cancel where the answer is there at once
            return
        claiming.addErrback(lambda why: why.trap(CancelledError)).cancel()
        await soon(claiming)
    assert await soon(gateway.commands.claim(command, "1")) == Claim("new")


async def test_what_was_claimed_is_known_after_a_restart(fleet):
    """F14: of two copies one was."""
    gateway = await fleet.gateway("a")
    one, other = b'{"n":1}', b'{"n":2}'
    for element in (one, other, one):
        fleet.push(element)
        assert await soon(gateway.commands.take()) == Taken(element)
    assert await soon(gateway.commands.claim(Command("c1", "1", action="Reset", element=one), "1")) == Claim("new")
    await fleet.crash(gateway)
    again = await fleet.gateway("a")
    taken = [await soon(again.commands.take()) for _ in range(3)]
    assert [(each.element, each.sent) for each in taken] == [(one, True), (other, False), (one, False)]
    assert all(each.silent is not None and each.silent < 30 for each in taken)
    effects = (Acknowledged(one), Put("sent", digest(one), None, owner="a"))
    again.events.publish(Entry("c1", b'{"n":1}', effects))
    await soon(again.events.flushed())
    await fleet.crash(again)
    last = await fleet.gateway("a")
    assert [(each.element, each.sent) for each in [await soon(last.commands.take()) for _ in range(2)]] == [(other, False), (one, False)]
    assert await soon(last.commands.claim(Command("c1", "1", action="Reset", element=one), "1")) == Claim("duplicate")


async def test_an_element_is_handed_over(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    taken = first.commands.take()
    fleet.push(b"theirs")
    await soon(taken)
    await soon(first.commands.forward(b"theirs", "b", b"theirs, with more"))
    assert await soon(second.commands.take()) == Taken(b"theirs, with more")
    assert (fleet.processing("a"), fleet.processing("b")) == ([], [b"theirs, with more"])


async def test_an_element_that_is_not_in_hand_is_not_handed_over(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.commands.forward(b"nobody's", "b", b"nobody's"))
    later = second.commands.take()
    fleet.push(b"first")
    fleet.push(b"second")
    assert (await soon(later)).element in (b"first", b"second")


async def test_what_nobody_can_answer_is_buried(fleet):
    gateway = await fleet.gateway("a")
    for element in (b'{"n":1}', b"\xff\x00broken"):
        fleet.push(element)
        await soon(gateway.commands.take())
        await soon(gateway.commands.dead_letter(element, "no id"))
    text, raw = fleet.dead()
    assert datetime.fromisoformat(text["time"]).tzinfo == UTC
    assert (text["element"], text["reason"], "base64" in text) == ('{"n":1}', "no id", False)
    assert base64.b64decode(raw["base64"]) == b"\xff\x00broken"
    assert fleet.processing("a") == []
