"""`IRecords`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from fleets import soon
from ocpp_tw.core.entries import Entry, Put
from ocpp_tw.interfaces import IRecords


async def test_it_provides_the_interface(fleet):
    assert verifyObject(IRecords, (await fleet.gateway("a")).records)


async def test_a_charger_without_transactions_has_none(fleet):
    assert await soon((await fleet.gateway("a")).records.transactions("c1")) == []


async def test_no_two_leases_overlap(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    given: list[int] = []
    for count in (1, 100, 7):
        for gateway in (first, second):
            start = await soon(gateway.records.lease(count))
            given += range(start, start + count)
    assert len(set(given)) == len(given) == 216
    assert min(given) == 1_000_000_001
    assert max(given) < 2**31


async def test_a_lease_of_nothing_is_refused(fleet):
    gateway = await fleet.gateway("a")
    with pytest.raises(ValueError, match="at least one"):
        await gateway.records.lease(0)


async def test_a_shelf_is_read_by_its_owners_name(fleet):
    gateway = await fleet.gateway("a")
    assert await soon(gateway.records.table("provisional", "a")) == {}
    kept = [Put("provisional", name, value, owner="a") for name, value in (("x", b"\xff\x00"), ("y", b"{}"), ("z", b""), ("y", None))]
    gateway.events.publish(Entry("c1", effects=(*kept, Put("provisional", "x", b"other", owner="b"))))
    await soon(gateway.events.flushed())
    assert await soon(gateway.records.table("provisional", "a")) == {"x": b"\xff\x00", "z": b""}
