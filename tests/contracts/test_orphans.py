"""Chargers of a gateway that is gone: found by every other one, published once, in memory and over Redis."""

from __future__ import annotations

import json
import time

import pytest
from zope.interface.verify import verifyObject

from fleets import pause, soon, until
from ocpp_tw.core.entries import Departed, Entry, Orphan, Orphaned, Put
from ocpp_tw.interfaces import IOrphans


def publish(gateway, orphan: Orphan, *effects) -> None:
    """As the gateway publishes it."""
    event = json.dumps({"by": gateway.name, "of": orphan.charger}).encode()
    gateway.events.publish(Entry(orphan.charger, event, (*effects, Orphaned(orphan.gateway, orphan.held))))


async def told(fleet, *gateways) -> list[tuple[str, str, int]]:
    """By whom, of which charger, and its number."""
    for each in gateways:
        await soon(each.events.flushed())
    return [(event["by"], event["of"], event["seq"]) for event in fleet.events()]


async def test_it_is_the_interface(fleet):
    assert verifyObject(IOrphans, (await fleet.gateway("a")).orphans)


async def test_nobody_is_an_orphan_while_its_gateway_lives(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "1"))
    await soon(second.roster.arrive("c2", "1"))
    assert await fleet.orphans(first) == await fleet.orphans(second) == []


async def test_every_survivor_finds_them_and_one_publishes(fleet):
    gone, *others = [await fleet.gateway(name) for name in "abc"]
    await soon(gone.roster.arrive("c1", "1", "csms.example.com", "2.0.1"))
    await soon(gone.roster.arrive('c"2 ä', 'on "it"', 'ho"st', "1.6"))
    await soon(others[0].roster.arrive("c3", "1"))
    for each in others:
        await fleet.orphans(each)  # they see that it lives
    await fleet.gone(gone)
    found = [sorted(await fleet.orphans(each), key=lambda orphan: orphan.charger) for each in others]
    assert found[0] == found[1]
    assert [(each.charger, each.gateway, each.domain, each.ocpp) for each in found[0]] == [
        ('c"2 ä', "a", 'ho"st', "1.6"),
        ("c1", "a", "csms.example.com", "2.0.1"),
    ]
    for gateway, orphans in zip(others, found, strict=True):
        for orphan in orphans:
            publish(gateway, orphan, Put("record", "by", gateway.name.encode()))
        await soon(gateway.events.flushed())
    assert await told(fleet, *others) == [("b", 'c"2 ä', 1), ("b", "c1", 1)]
    assert (await soon(gone.records.table("record", "c1"))) == {"by": b"b"}  # what goes with the event is left out with it
    assert await fleet.orphans(others[0]) == []
    assert await soon(others[0].roster.locate("c1")) is None


async def test_those_of_gateways_that_do_not_answer_are_found_whether_or_not_they_live(fleet):
    first, second, third = [await fleet.gateway(name) for name in "abc"]
    began = time.time()
    for gateway, charger in ((first, "c1"), (second, "c2"), (second, 'c"3 ä'), (third, "c4")):
        await soon(gateway.roster.arrive(charger, "1", "csms.example.com", "2.0.1"))
    second.events.publish(Entry("c2", effects=(Put("record", "vendor", b"V"),)))
    await soon(second.events.flushed())
    assert await soon(first.orphans.left_behind({"a", "b", "c"})) == []
    left = sorted(await soon(first.orphans.left_behind({"a", "c"})), key=lambda orphan: orphan.charger)
    assert [(each.charger, each.gateway, each.ocpp, each.known[0]) for each in left] == [
        ('c"3 ä', "b", "2.0.1", None),
        ("c2", "b", "2.0.1", "V"),
    ]
    assert all(began - 5 < each.since < time.time() + 5 for each in left)
    await fleet.gone(second)
    assert len(await soon(first.orphans.left_behind({"a", "c"}))) == 2
    await soon(first.roster.arrive("c2", "2"))
    assert [each.charger for each in await soon(third.orphans.left_behind({"a", "c"}))] == ['c"3 ä']


async def test_those_of_an_earlier_run_are_left_behind_until_they_come(fleet):
    first = await fleet.gateway("a")
    for charger in ("c1", "c2"):
        await soon(first.roster.arrive(charger, "1"))
    await fleet.crash(first)
    again = await fleet.gateway("a")
    await soon(again.roster.arrive("c1", "2"))
    assert [(each.charger, each.gateway) for each in await soon(again.orphans.left_behind({"a"}))] == [("c2", "a")]


async def test_what_the_charger_last_reported_of_itself_is_known(fleet):
    gone, other = await fleet.gateway("a"), await fleet.gateway("b")
    for charger in ("c1", 'c"2 ä', "c3"):
        await soon(gone.roster.arrive(charger, "1"))
    gone.events.publish(
        Entry('c"2 ä', effects=(Put("record", "vendor", b"V"), Put("record", "model", "Mä".encode()), Put("record", "boot", b"Accepted")))
    )
    gone.events.publish(Entry("c3", effects=(Put("record", "firmware", b"1.0"), Put("record", "serial", b"S"))))
    await soon(gone.events.flushed())
    await fleet.orphans(other)
    await fleet.gone(gone)
    assert {each.charger: each.known for each in await fleet.orphans(other)} == {
        "c1": (None, None, None, None), 'c"2 ä': ("V", "Mä", None, None), "c3": (None, None, "1.0", "S"),
    }  # fmt: skip


@pytest.mark.parametrize("where", ["a", "b", "c"])
async def test_nothing_is_published_of_one_that_is_back_meanwhile(fleet, where):
    gateways = {name: await fleet.gateway(name) for name in "abc"}
    await soon(gateways["a"].roster.arrive("c1", "1"))
    await fleet.orphans(gateways["b"])
    await fleet.gone(gateways["a"])
    (orphan,) = await fleet.orphans(gateways["b"])
    if where == "a":
        await fleet.renewed(gateways["a"])
    await soon(gateways[where].roster.arrive("c1", "2"))
    publish(gateways["b"], orphan)
    assert await told(fleet, gateways["b"]) == []
    assert await soon(gateways["b"].roster.locate("c1")) == where


async def test_nothing_is_published_of_those_of_a_gateway_that_is_heard_of_again(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "1"))
    await fleet.orphans(second)
    await fleet.gone(first)
    (orphan,) = await fleet.orphans(second)
    await fleet.renewed(first)
    publish(second, orphan)
    assert await told(fleet, second) == []
    assert await soon(second.roster.locate("c1")) == "a"


async def test_a_gateway_learns_which_of_its_chargers_were_taken_for_orphans(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    forgotten: list[str] = []
    first.roster.on_forgotten = forgotten.append
    await soon(first.roster.arrive("c1", "1", "h", "1.6"))
    await fleet.orphans(second)
    await fleet.gone(first)
    (orphan,) = await fleet.orphans(second)
    publish(second, orphan)
    await soon(second.events.flushed())
    await soon(first.roster.arrive("c2", "1"))  # this one nobody has taken for anything
    await fleet.renewed(first)
    await until(lambda: forgotten)
    await pause(0.05)
    assert forgotten == ["c1"]
    assert await soon(second.roster.locate("c1")) == "a"
    await fleet.gone(first)
    assert {each.charger: each.domain for each in await fleet.orphans(second)} == {"c1": "h", "c2": ""}


async def test_a_charger_that_left_meanwhile_is_published_by_nobody_again(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "1"))
    await fleet.orphans(second)
    await fleet.gone(first)
    (orphan,) = await fleet.orphans(second)
    publish(second, orphan)
    await soon(second.events.flushed())
    assert not await soon(first.roster.leave("c1", "1"))  # so that its own departure is not published


async def test_chargers_of_an_earlier_run_of_the_same_gateway(fleet):
    earlier = await fleet.gateway("a")
    for charger in ("c1", "c2"):
        await soon(earlier.roster.arrive(charger, f"{charger}-1", "h", "1.6"))
    await fleet.crash(earlier)
    later = await fleet.gateway("a")
    await soon(later.roster.arrive("c1", "c1-2"))
    (orphan,) = await fleet.orphans(later)
    assert (orphan.charger, orphan.gateway, orphan.domain, orphan.ocpp) == ("c2", "a", "h", "1.6")
    publish(later, orphan)
    assert await told(fleet, later) == [("a", "c2", 1)]
    assert await fleet.orphans(later) == []
    assert await soon(later.roster.locate("c1")) == "a"


@pytest.mark.parametrize(("where", "connection", "told_of"), [("", "", 1), ("a", "1", 1), ("a", "2", 0), ("b", "2", 0)])
async def test_a_departure_that_the_roster_was_not_asked_about(fleet, where, connection, told_of):
    """Only of a charger that has no other connection."""
    gateways = {name: await fleet.gateway(name) for name in "ab"}
    if where:
        await soon(gateways[where].roster.arrive("c1", connection))
    gateways["a"].events.publish(Entry("c1", b'{"by":"a","of":"c1"}', (Departed("1"), Put("record", "boot", b"x"))))
    assert len(await told(fleet, gateways["a"])) == told_of
    assert (await soon(gateways["a"].records.table("record", "c1"))) == ({"boot": b"x"} if told_of else {})
