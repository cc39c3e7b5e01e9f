"""`IRoster`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import json

import pytest
from zope.interface.verify import verifyObject

from fleets import soon
from ocpp_tw.core.entries import Held, Record, Seated
from ocpp_tw.interfaces import IRoster


async def test_it_provides_the_interface(fleet):
    assert verifyObject(IRoster, (await fleet.gateway("a")).roster)


async def test_nothing_is_remembered_of_a_charger_that_never_came(fleet):
    gateway = await fleet.gateway("a")
    assert await soon(gateway.roster.arrive("c1", "1")) == Seated(Record())
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


HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"


async def arrive(gateway, connection: str, network: str, security_profile: int = 0, dead: str = ""):
    return await soon(gateway.roster.arrive("c1", connection, "h", "1.6", network, security_profile, dead))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((HERE, 0), (HERE, 0)),
        ((HERE, 0), (ELSEWHERE, 1)),
        ((HERE, 3), (ELSEWHERE, 1)),
        (("", 0), (HERE, 0)),
        ((HERE, 0), ("", 0)),
        ((HERE, 2), (HERE, 0, "1")),
        ((HERE, 0), (ELSEWHERE, 0, "1")),
    ],
)
async def test_a_connection_of_another_gateway_is_unseated_by_who_may(fleet, before, after):
    """Who has a security profile, or as little as the other and the same address, or comes once that is dead. No address is no reason."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    assert await arrive(first, "1", *before) == Seated(Record())
    assert await arrive(second, "2", *after) == Seated(Record(), "1")
    assert await soon(first.roster.locate("c1")) == "b"
    told = json.loads((await soon(first.commands.take())).element)
    assert told == {"evict": "c1", "connection": "1", **({"by": after[0]} if after[0] else {})}


@pytest.mark.parametrize(
    ("before", "after"),
    [((HERE, 0), (ELSEWHERE, 0)), ((HERE, 1), (HERE, 0)), ((HERE, 2), (ELSEWHERE, 0)), ((HERE, 0), (ELSEWHERE, 0, "0"))],
)
async def test_and_held_from_all_others(fleet, before, after):
    """Nothing is changed; nor is it once the gateway that was told announces what it has."""
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await arrive(first, "1", *before)
    assert await arrive(second, "2", *after) == Held("a", "1")
    await fleet.gone(second)
    await fleet.renewed(second)
    assert await soon(first.roster.locate("c1")) == "a"
    assert not await soon(second.roster.leave("c1", "2"))
    assert await soon(first.roster.leave("c1", "1"))
    assert await arrive(second, "2", *after) == Seated(Record())


async def test_a_charger_is_not_held_by_a_gateway_that_is_gone_nor_by_its_own(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await arrive(first, "1", HERE)
    assert await arrive(first, "2", ELSEWHERE) == Seated(Record())
    await fleet.gone(first)
    assert await arrive(second, "3", HERE) == Seated(Record())
    assert await soon(second.roster.locate("c1")) == "b"
