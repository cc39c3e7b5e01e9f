"""`IRoster`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import json

from zope.interface.verify import verifyObject

from fleets import soon
from ocpp_tw.core.entries import Record
from ocpp_tw.interfaces import IRoster


async def test_it_provides_the_interface(fleet):
    assert verifyObject(IRoster, (await fleet.gateway("a")).roster)


async def test_nothing_is_remembered_of_a_charger_that_never_came(fleet):
    gateway = await fleet.gateway("a")
    assert await soon(gateway.roster.arrive("c1", "1")) == Record()
    assert await soon(gateway.roster.locate("c2")) is None


async def test_the_last_one_to_arrive_has_the_charger(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "1"))
    assert await soon(second.roster.locate("c1")) == "a"
    await soon(second.roster.arrive("c1", "2"))
    assert await soon(first.roster.locate("c1")) == "b"


async def test_only_the_current_connection_can_leave(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "old"))
    await soon(first.roster.arrive("c1", "new"))
    assert not await soon(first.roster.leave("c1", "old"))
    assert not await soon(second.roster.leave("c1", "new"))
    assert await soon(first.roster.locate("c1")) == "a"
    assert await soon(first.roster.leave("c1", "new"))
    assert not await soon(first.roster.leave("c1", "new"))
    assert await soon(first.roster.locate("c1")) is None


async def test_the_other_gateway_is_told_to_drop_its_connection(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive('c"1/ä', 'old "one"'))
    await soon(second.roster.arrive('c"1/ä', "new"))
    await soon(second.roster.arrive('c"1/ä', "newer"))
    told = (await soon(first.commands.take())).element
    assert told.startswith(b'{"evict":')
    assert json.loads(told) == {"evict": 'c"1/ä', "connection": 'old "one"'}
    assert fleet.processing("a") == [told]
    assert fleet.processing("b") == []


async def test_a_gateway_that_has_stopped_has_no_charger(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await soon(first.roster.arrive("c1", "1"))
    await fleet.stop(first)
    assert await soon(second.roster.locate("c1")) is None
    await soon(second.roster.arrive("c1", "2"))
    assert await soon(second.roster.locate("c1")) == "b"
