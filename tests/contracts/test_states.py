"""`IStates`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from fleets import RedisFleet, soon
from ocpp_tw.interfaces import IStates, StoreUnavailable


async def test_it_provides_the_interface(fleet):
    assert verifyObject(IStates, (await fleet.gateway("a")).states)


async def test_what_one_gateway_has_written_every_other_reads(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.states.write({"c1": b"1", 'c"2 ä': b"\xff\x00"}))
    assert await soon(second.states.read(['c"2 ä', "nobody", "c1"])) == {'c"2 ä': b"\xff\x00", "c1": b"1"}


async def test_the_latest_counts(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.states.write({"c1": b"1", "c2": b"1"}))
    await soon(second.states.write({"c1": b"2"}))
    assert await soon(first.states.read(["c1", "c2"])) == {"c1": b"2", "c2": b"1"}


async def test_of_nobody_nothing_is_written_or_read(fleet):
    gateway = await fleet.gateway("a")
    await soon(gateway.states.write({}))
    assert await soon(gateway.states.read([])) == {}


async def test_what_a_gateway_has_told_of_itself_every_other_reads_until_it_is_forgotten(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    assert await soon(first.states.gateways()) == {}
    await soon(first.states.tell({"a": b"1", "gone ä": b"2"}))
    await soon(second.states.tell({"b": b"3", "gone ä": None, "nobody": None}))
    await soon(first.states.tell({"a": b"4"}))
    await soon(first.states.tell({}))
    assert await soon(second.states.gateways()) == {"a": b"4", "b": b"3"}
    assert await soon(first.states.read(["a"])) == {}


async def test_a_store_that_cannot_be_reached_is_not_waited_for(fleet):
    gateway = await fleet.gateway("a")
    if isinstance(fleet, RedisFleet):
        for connection in gateway.store.connections:
            await connection.stopService()
    else:
        gateway.states.available = False
    for tried in (
        gateway.states.read(["c1"]),
        gateway.states.write({"c1": b"1"}),
        gateway.states.gateways(),
        gateway.states.tell({"a": b"1"}),
    ):
        with pytest.raises(StoreUnavailable):
            await soon(tried)
