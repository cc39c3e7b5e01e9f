"""`IRegister`: what every implementer does, in memory and over Redis."""

from __future__ import annotations

import inspect
import time

import pytest
from zope.interface.verify import verifyObject

from fleets import PATIENCE, pause, soon
from ocpp_tw.core.entries import FLEET, GUARDED, SECURITY, Entry, Listed, Put, Record
from ocpp_tw.interfaces import IRegister


async def found(gateway, charger: str = "c1") -> Record:
    record = gateway.register.find(charger)
    return await soon(record) if inspect.isawaitable(record) else record


async def put(gateway, charger: str = "c1", **fields: str | None) -> None:
    guarded = Put(FLEET, GUARDED, b"yes", SECURITY)
    puts = [Put("record", name, None if value is None else value.encode()) for name, value in fields.items()]
    gateway.events.publish(Entry(charger, effects=(*puts, guarded)))
    await soon(gateway.events.flushed())


async def test_it_provides_the_interface(fleet):
    assert verifyObject(IRegister, (await fleet.gateway("a")).register)


async def test_a_charger_that_nobody_knows_has_an_empty_record(fleet):
    assert await found(await fleet.gateway("a")) == Record()


async def test_what_one_gateway_stores_every_other_finds_at_once(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await put(first, registered="yes", password="stored", security_profile="2", model="M")
    assert await found(second) == Record(registered="yes", password="stored", security_profile="2", model="M")
    await put(second, password=None)
    assert await found(first) == Record(registered="yes", security_profile="2", model="M")


async def pages(gateway, limit: int) -> list[list[str]]:
    """The identities in each page."""
    cursor, found = "", []
    while True:
        page = await soon(gateway.register.registered(cursor, limit))
        found.append([id for id, _ in page.chargers])
        cursor = page.cursor
        if not cursor:
            return found


async def list_(gateway, *ids: str, on: bool = True, **fields: str) -> None:
    puts = [Put("record", name, value.encode()) for name, value in fields.items()]
    for id in ids:
        gateway.events.publish(Entry(id, effects=(*puts, Listed(on))))
    await soon(gateway.events.flushed())


async def test_of_a_fleet_without_registered_chargers_there_is_one_empty_page(fleet):
    assert await pages(await fleet.gateway("a"), 10) == [[]]


async def test_the_registered_chargers_are_read_page_by_page_in_the_order_of_their_bytes(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    await list_(first, "cp10", "é", "cp2", "CP1", "a:b", "\U0001f50c", "\uffff")
    ids = ["CP1", "a:b", "cp10", "cp2", "é", "\uffff", "\U0001f50c"]
    for limit in (1, 2, 3, 7, 8):
        found = await pages(second, limit)
        assert [id for page in found for id in page] == ids and all(len(each) <= limit for each in found)
    await list_(second, "cp2", on=False)
    assert await pages(first, 100) == [[each for each in ids if each != "cp2"]]


async def test_each_registered_charger_has_its_record(fleet):
    gateway = await fleet.gateway("a")
    await list_(gateway, "c1", "c3", registered="yes", password="stored", model="M")
    await put(gateway, "c2", registered="", model="not listed")
    await list_(gateway, "c4")
    page = await soon(gateway.register.registered("", 10))
    record = Record(registered="yes", password="stored", model="M")
    assert page.chargers == [("c1", record), ("c3", record), ("c4", Record())]


async def test_whoever_stays_is_in_one_page_while_others_come_and_go(fleet):
    gateway = await fleet.gateway("a")
    await list_(gateway, "b", "d", "f", "h")
    page = await soon(gateway.register.registered("", 2))
    await list_(gateway, "a", "c", "g")
    await list_(gateway, "d", on=False)
    rest = await soon(gateway.register.registered(page.cursor, 10))
    assert [id for id, _ in page.chargers + rest.chargers] == ["b", "d", "f", "g", "h"]


async def test_a_page_of_nobody_is_refused(fleet):
    gateway = await fleet.gateway("a")
    with pytest.raises(ValueError, match="at least one"):
        gateway.register.registered("", 0)


async def asked_once(gateway, name: str = "x", seconds: int = 30) -> bool:
    answer = gateway.register.once(name, seconds)
    return await soon(answer) if inspect.isawaitable(answer) else answer


async def test_of_all_gateways_one_is_the_first(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    assert [await asked_once(each) for each in (first, second, first)] == [True, False, False]
    assert await asked_once(second, "y") and await asked_once(first, "y: é*")


async def test_after_that_time_another_may_be_the_first(fleet):
    first, second = await fleet.gateway("a"), await fleet.gateway("b")
    assert await asked_once(first, "x", 1)
    deadline = time.monotonic() + PATIENCE
    while not await asked_once(second, "x", 30):
        assert time.monotonic() < deadline
        await pause(0.1)
    assert not await asked_once(first, "x", 30)


async def test_who_arrives_is_served_by_all_that_is_stored(fleet):
    """Every field: what is decided about a charger, and what it has reported of itself."""
    gateway = await fleet.gateway("a")
    fields = {name: f"value of {name}" for name in Record.__struct_fields__}
    await put(gateway, **fields)
    assert (await soon(gateway.roster.arrive("c1", "1"))).record == Record(**fields) == await found(gateway)
    assert (await soon(gateway.roster.arrive("c2", "1"))).record == Record()
