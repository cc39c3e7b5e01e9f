"""`IHistory`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from fleets import soon
from ocpp_tw.core.entries import Entry, Put, Recorded
from ocpp_tw.interfaces import IHistory


async def record(gateway, *values: bytes, history: str = "troubles") -> None:
    for value in values:
        gateway.events.publish(Entry("c1", effects=(Recorded(history, value),)))
    await soon(gateway.events.flushed())


async def recent(gateway, count: int, before: str = "", history: str = "troubles") -> list[bytes]:
    return [value for _, value in await soon(gateway.history.recent(history, count, before))]


async def test_it_provides_the_interface(fleet):
    assert verifyObject(IHistory, (await fleet.gateway("a")).history)


async def test_nothing_has_happened_at_first(fleet):
    assert await recent(await fleet.gateway("a"), 10) == []


async def test_the_newest_comes_first_whichever_gateway_has_written_it(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await record(first, b"1", b"2")
    await record(second, b"3")
    await record(first, b"4")
    assert await recent(second, 10) == [b"4", b"3", b"2", b"1"]
    assert await recent(second, 2) == [b"4", b"3"]


async def test_histories_are_apart(fleet):
    gateway = await fleet.gateway("a")
    await record(gateway, b"1")
    await record(gateway, b"2", history="commands")
    assert await recent(gateway, 10) == [b"1"]
    assert await recent(gateway, 10, history="commands") == [b"2"]


async def test_a_cursor_leads_to_what_is_older_although_more_has_come(fleet):
    gateway = await fleet.gateway("a")
    await record(gateway, *[b"%d" % n for n in range(5)])
    page = await soon(gateway.history.recent("troubles", 2))
    await record(gateway, b"5")
    rest = await soon(gateway.history.recent("troubles", 10, page[-1][0]))
    assert [value for _, value in rest] == [b"2", b"1", b"0"]
    assert await recent(gateway, 10, rest[-1][0]) == []


async def test_what_is_no_cursor_is_refused(fleet):
    gateway = await fleet.gateway("a")
    for wrong in ("x", "-", "1-", "9" * 30 + "-1", "1-2-3"):
        with pytest.raises(ValueError, match="no cursor"):
            await soon(gateway.history.recent("troubles", 1, wrong))


async def test_what_belongs_to_an_event_is_in_order_with_it(fleet):
    gateway = await fleet.gateway("a")
    gateway.events.publish(Entry("c1", b'{"n":1}', (Put("record", "boot", b"Accepted"), Recorded("troubles", b"\xff\x00"))))
    await soon(gateway.events.flushed())
    assert [each["n"] for each in fleet.events()] == [1]
    assert await recent(gateway, 10) == [b"\xff\x00"]
