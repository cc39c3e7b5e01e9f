"""`IEvents`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from fleets import soon
from ocpp_tw.core.commands import Command
from ocpp_tw.core.entries import Acknowledged, Broadcast, Departed, Entry, IdReleased, PeerMessage, Put, Record, Reply, Unchanged
from ocpp_tw.interfaces import IEvents


def entry(n: int, charger: str = "c1", *effects) -> Entry:
    return Entry(charger, b'{"n":%d}' % n, effects)


async def test_it_provides_the_interface(fleet):
    gateway = await fleet.gateway("a")
    assert verifyObject(IEvents, gateway.events)


async def test_events_are_appended_in_order_and_numbered_for_each_charger(fleet):
    gateway = await fleet.gateway("a")
    for n in range(2500):
        gateway.events.publish(entry(n, f"c{n % 3}"))
    await soon(gateway.events.flushed())
    events = fleet.events()
    assert [each["n"] for each in events] == list(range(2500))
    for charger in range(3):
        assert [each["seq"] for each in events if each["n"] % 3 == charger] == list(range(1, len(range(charger, 2500, 3)) + 1))


async def test_groups_are_counted_with_their_entries_and_how_long_writing_them_took(fleet):
    gateway = await fleet.gateway("a")
    for n in range(2500):
        gateway.events.publish(entry(n))
    await soon(gateway.events.flushed())
    groups = gateway.events.groups
    assert groups.entries.sum == 2500 and sum(groups.entries.counts) == sum(groups.took.counts) >= 1
    assert 0 <= groups.took.sum < 60 * sum(groups.took.counts)


async def test_two_gateways_share_a_chargers_numbers_without_a_gap(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    for n in range(0, 200, 2):
        first.events.publish(entry(n))
        second.events.publish(entry(n + 1))
    await soon(first.events.flushed())
    await soon(second.events.flushed())
    assert [each["seq"] for each in fleet.events()] == list(range(1, 201))


async def test_what_follows_is_called_in_order_once_the_event_is_safe(fleet):
    gateway, called = await fleet.gateway("a"), []

    def then(n: int) -> None:
        called.append((n, len(fleet.events()) > n, gateway.events.waiting <= 10 - n))

    for n in range(10):
        gateway.events.publish(entry(n), then, n)
    await soon(gateway.events.flushed())
    assert called == [(n, True, True) for n in range(10)]
    assert gateway.events.waiting == 0


async def test_what_follows_may_publish_more(fleet):
    gateway, called = await fleet.gateway("a"), []

    def then(n: int) -> None:
        called.append(n)
        if n < 5:
            gateway.events.publish(entry(n + 1), then, n + 1)

    gateway.events.publish(entry(0), then, 0)
    while len(called) < 6:
        await soon(gateway.events.flushed())
    assert called == [0, 1, 2, 3, 4, 5] == [each["n"] for each in fleet.events()]


async def test_an_exception_in_what_follows_is_logged_and_stops_nobody(fleet, tidy):
    gateway, called = await fleet.gateway("a"), []
    gateway.events.publish(entry(0), lambda _: 1 / 0)
    gateway.events.publish(entry(1), called.append, "second")
    await soon(gateway.events.flushed())
    assert called == ["second"]
    assert tidy.pop()["log_failure"].check(ZeroDivisionError)


async def test_settled_fires_at_once_when_nothing_waits(fleet):
    gateway = await fleet.gateway("a")
    await soon(gateway.events.flushed())


async def test_transactions_are_kept_and_forgotten(fleet):
    gateway = await fleet.gateway("a")
    gateway.events.publish(entry(0, "c1", Put("transactions", "7", b"seven"), Put("transactions", "8", b"\xff\x00")))
    gateway.events.publish(entry(1, "c2", Put("transactions", "9", b"nine")))
    gateway.events.publish(entry(2, "c1", Put("transactions", "7", None)))
    await soon(gateway.events.flushed())
    assert await soon(gateway.records.transactions("c1")) == [b"\xff\x00"]


async def test_what_is_kept_may_be_somebody_elses(fleet):
    gateway = await fleet.gateway("a")
    gateway.events.publish(entry(0, "c1", Put("transactions", "7", b"seven", owner="c2"), Put("transactions", "8", b"eight")))
    gateway.events.publish(entry(1, "c1", Put("transactions", "8", None, owner="c2")))
    await soon(gateway.events.flushed())
    assert await soon(gateway.records.transactions("c1")) == [b"eight"]
    assert await soon(gateway.records.transactions("c2")) == [b"seven"]


async def test_a_record_is_kept(fleet):
    gateway = await fleet.gateway("a")
    gateway.events.publish(entry(0, "c1", Put("record", "boot", b"Pending")))
    await soon(gateway.events.flushed())
    assert (await soon(gateway.roster.arrive("c1", "x"))).record.boot == "Pending"


async def test_a_settled_element_is_no_longer_in_hand(fleet):
    gateway = await fleet.gateway("a")
    fleet.push(b"one")
    fleet.push(b"two")
    assert [(await soon(gateway.commands.take())).element for _ in range(2)] == [b"one", b"two"]
    gateway.events.publish(entry(0, "c1", Acknowledged(b"one")))
    await soon(gateway.events.flushed())
    assert fleet.processing("a") == [b"two"]


async def test_a_reply_is_appended_to_the_backends_list(fleet):
    gateway = await fleet.gateway("a")
    gateway.events.publish(entry(0, "c1", Reply("mine:ärger", b"1"), Reply("mine:ärger", b"2")))
    await soon(gateway.events.flushed())
    assert fleet.replies("mine:ärger") == [b"1", b"2"]


async def test_a_released_id_can_be_claimed_again(fleet):
    gateway, command = await fleet.gateway("a"), Command("c1", "id-1", action="Reset")
    assert (await soon(gateway.commands.claim(command, "1"))).kind == "new"
    gateway.events.publish(entry(0, "c1", IdReleased("c1", "id-1")))
    await soon(gateway.events.flushed())
    assert (await soon(gateway.commands.claim(command, "1"))).kind == "new"


async def test_an_entry_without_an_event_has_its_effects_and_no_number(fleet):
    gateway, called = await fleet.gateway("a"), []
    gateway.events.publish(entry(0))
    gateway.events.publish(Entry("c1", effects=(Put("transactions", "1", b"one"),)), called.append, "kept")
    gateway.events.publish(entry(1))
    await soon(gateway.events.flushed())
    gateway.events.publish(Entry("c1"), called.append, "nothing")
    await soon(gateway.events.flushed())
    assert [(each["n"], each["seq"]) for each in fleet.events()] == [(0, 1), (1, 2)]
    assert called == ["kept", "nothing"]
    assert await soon(gateway.records.transactions("c1")) == [b"one"]


async def test_any_charger_name_and_any_event_will_do(fleet):
    gateway = await fleet.gateway("a")
    strange = ["Ladesäule 7/ä", "a b\r\nc", "", "\ud800"]
    for n, charger in enumerate(strange):
        gateway.events.publish(Entry(charger, b'{"n":%d,\r\n"text":"$3 \xc3\xa4 }"}' % n))
    await soon(gateway.events.flushed())
    assert [(each["n"], each["seq"], each["text"]) for each in fleet.events()] == [(n, 1, "$3 ä }") for n in range(4)]


async def test_what_all_others_are_told_is_found_by_every_other_gateway(fleet):
    gateway, *others = [await fleet.gateway(name) for name in "abc"]
    gateway.events.publish(Entry("", effects=(Broadcast(b'{"decided":"x"}'),)))
    await soon(gateway.events.flushed())
    assert [(await soon(other.commands.take())).element for other in others] == [b'{"decided":"x"}'] * 2
    fleet.push(b"a command")
    assert (await soon(gateway.commands.take())).element == b"a command"


async def test_a_note_is_found_by_the_gateway_it_is_for(fleet):
    gateway, other = await fleet.gateway("a"), await fleet.gateway("b")
    gateway.events.publish(Entry("", effects=(PeerMessage("b", b'{"event":"x"}'),)))
    await soon(gateway.events.flushed())
    assert (await soon(other.commands.take())).element == b'{"event":"x"}'
    other.events.publish(Entry("", effects=(Acknowledged(b'{"event":"x"}'),)))
    await soon(other.events.flushed())
    assert fleet.processing("b") == []


async def test_the_tap_is_told_of_events_once_they_are_durable_with_their_numbers(fleet):
    gateway, told = await fleet.gateway("a"), []

    def tap(entries, numbers) -> None:
        events = gateway.events.events_in(entries)
        assert len(fleet.events()) >= len(told) + len(events)
        told.extend((*each, number) for each, number in zip(events, numbers, strict=True))

    gateway.events.tap = tap
    strange = "a b\r\n$3\r\nä"
    for n in range(5):
        gateway.events.publish(entry(n, strange if n % 2 else "c1", Put("transactions", "7", b"seven")))
        gateway.events.publish(Entry("c1", effects=(Put("record", "boot", b"Pending"),)))
    await soon(gateway.events.flushed())
    assert told == [(strange if n % 2 else "c1", b'{"n":%d}' % n, n // 2 + 1) for n in range(5)]


async def test_the_tap_is_not_told_of_an_event_that_is_left_out(fleet):
    """Another gateway has the charger, and publishes what there is to publish."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    told: list[Any] = []
    first.events.tap = lambda entries, numbers: told.extend(zip(first.events.events_in(entries), numbers, strict=True))
    await soon(second.roster.arrive("c1", "2"))
    first.events.publish(entry(1, "c1", Departed("1")))
    first.events.publish(entry(2, "c2"))
    await soon(first.events.flushed())
    assert [each["n"] for each in fleet.events()] == [2]
    assert [(event, number) for (_, event), number in told if number] == [(b'{"n":2}', 1)]


async def test_what_depends_on_the_record_is_carried_out_only_while_that_is_the_same(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    record = Record(password="one")
    first.events.publish(Entry("c1", effects=(Put("record", "password", b"one"),)))
    await soon(first.events.flushed())
    learnt = (
        Unchanged.of(record, "password", "new_password"),
        Put("record", "password", b"two"),
        Put("record", "reached_profile", b"1"),
        Put("transactions", "1", b"one"),
    )
    second.events.publish(Entry("c1", effects=(Put("record", "new_password", b"sent"),)))
    await soon(second.events.flushed())
    first.events.publish(entry(0, "c1", Put("record", "boot", b"Pending"), *learnt))
    await soon(first.events.flushed())
    assert (await soon(second.roster.arrive("c1", "x"))).record == Record(password="one", new_password="sent", boot="Pending")
    assert await soon(second.records.transactions("c1")) == [] and [each["n"] for each in fleet.events()] == [0]
    first.events.publish(Entry("c1", effects=(Put("record", "new_password", None), Put("record", "boot", None))))
    first.events.publish(entry(1, "c1", *learnt))
    first.events.publish(entry(2, "c1", *learnt[:1], Put("record", "password", b"three")))
    first.events.publish(Entry("c1", effects=(Put("record", "serial", b"behind it"),)))
    await soon(first.events.flushed())
    assert (await soon(second.roster.arrive("c1", "x"))).record == Record(password="two", reached_profile="1", serial="behind it")
    assert await soon(second.records.transactions("c1")) == [b"one"] and [each["n"] for each in fleet.events()] == [0, 1, 2]
