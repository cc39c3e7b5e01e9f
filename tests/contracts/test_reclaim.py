"""What a gateway that is gone for good had in hand goes to another one, and has one result, whatever it does should it come round."""

from __future__ import annotations

from fleets import soon
from ocpp_tw.core.commands import Claim, Command, Taken
from ocpp_tw.core.entries import Acknowledged, Entry, Put


async def in_hand(fleet, gateway, *elements: bytes) -> None:
    for element in elements:
        fleet.push(element, gateway.name)
        assert (await soon(gateway.commands.take())).element == element


async def test_what_it_had_in_hand_is_taken_as_left_over(fleet):
    """F14, F16."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    sent, unsent, note = b'{"n":1}', b'{"n":2}', b'{"evict":"c1","connection":"1"}'
    await in_hand(fleet, first, sent, unsent, note)
    assert await soon(first.commands.claim(Command("c1", "1", action="Reset", element=sent), "1")) == Claim("new")
    await soon(fleet.reclaim(first, second))
    taken = [await soon(second.commands.take()) for _ in range(2)]
    assert [(each.element, each.sent) for each in taken] == [(sent, True), (unsent, False)]
    assert all(each.silent >= 60 for each in taken)
    assert (fleet.processing("a"), fleet.processing("b")) == ([], [sent, unsent])


async def test_what_was_for_it_alone_is_for_whoever_comes_first(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await in_hand(fleet, second, b"one", b"two")
    await fleet.crash(first)
    await soon(second.commands.forward(b"one", "a", b"one"))
    await soon(second.commands.forward(b"two", "a", b"two"))
    await soon(fleet.reclaim(first, second))
    assert [await soon(second.commands.take()) for _ in range(2)] == [Taken(b"one"), Taken(b"two")]


async def test_it_can_claim_nothing_of_it_when_it_comes_round(fleet):
    """F16."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await in_hand(fleet, first, b"stale")
    await soon(fleet.reclaim(first, second))
    assert await soon(first.commands.claim(Command("c1", "1", action="Reset", element=b"stale"), "1")) == Claim("gone")
    assert await soon(second.commands.claim(Command("c1", "1", action="Reset", element=b"stale"), "1")) == Claim("new")
    await in_hand(fleet, first, b"fresh")
    assert await soon(first.commands.claim(Command("c1", "2", action="Reset", element=b"fresh"), "1")) == Claim("new")


async def test_it_hands_nothing_of_it_over(fleet):
    first, second, third = [await fleet.gateway(name) for name in "abc"]
    await in_hand(fleet, first, b"stale", b"broken")
    await soon(fleet.reclaim(first, second))
    await soon(first.commands.forward(b"stale", "c", b"stale"))
    await soon(first.commands.dead_letter(b"broken", "no id"))
    nothing = third.commands.take()
    nothing.addErrback(lambda why: None)
    assert fleet.dead() == [] and not nothing.called
    nothing.cancel()


async def test_its_results_are_told_no_more(fleet):
    """F16: the other gateway has told of them, or will."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await in_hand(fleet, first, b"stale")
    await soon(fleet.reclaim(first, second))
    await soon(second.commands.take())
    called = []
    effects = (Acknowledged(b"stale"), Put("transactions", "1", b"never"))
    first.events.publish(Entry("c1", b'{"n":1}', effects), called.append, "safe")
    await soon(first.events.flushed())
    assert fleet.events() == [] and called == ["safe"]
    assert await soon(first.records.transactions("c1")) == []
    second.events.publish(Entry("c1", b'{"n":2}', (Acknowledged(b"stale"),)))
    await soon(second.events.flushed())
    await in_hand(fleet, first, b"fresh")
    first.events.publish(Entry("c1", b'{"n":3}', (Acknowledged(b"fresh"),)))
    first.events.publish(Entry("c1", b'{"n":4}'))
    await soon(first.events.flushed())
    assert [(each["n"], each["seq"]) for each in fleet.events()] == [(2, 1), (3, 2), (4, 3)]
    assert (fleet.processing("a"), fleet.processing("b")) == ([], [])
