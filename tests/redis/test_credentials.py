"""What the gateway itself changes of credentials, over Redis: stored there before a charger is told, and never over a later change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, TimeoutError, gatherResults

from fleets import RedisFleet, Valkey, soon
from ocpp_tw.core.entries import Entry, Listed, Put, Record
from ocpp_tw.core.stamps import Stamps
from ocpp_tw.gateway import credentials
from ocpp_tw.gateway.credentials import Credentials
from ocpp_tw.gateway.publisher import Publisher
from ocpp_tw.interfaces import StoreUnavailable
from ocpp_tw.redis import events


@pytest_twisted.async_yield_fixture
async def server(tmp_path):
    """A server of this test's own."""
    (tmp_path / "valkey").mkdir()
    made = Valkey(tmp_path / "valkey")
    yield made
    made.close()


@pytest_twisted.async_yield_fixture
async def fleet(server, tmp_path):
    made = RedisFleet(server, reply_timeout=0.6, spool=str(tmp_path / "spool"))
    yield made
    await made.close()


def credentials_of(gateway) -> Credentials:
    return Credentials(reactor, Publisher(gateway.name, Stamps(), gateway.events), gateway.register, gateway.records)


def more(letter: str, read: list[str] | None = None) -> Callable[[Record], str]:
    def to(record: Record) -> str:
        if read is not None:
            read.append(record.new_password)
        return record.new_password if letter in record.new_password else record.new_password + letter

    return to


async def put(gateway, **fields: str) -> None:
    gateway.events.publish(Entry("c1", effects=tuple(Put("record", name, value.encode()) for name, value in fields.items())))
    await soon(gateway.events.flushed())


async def test_two_gateways_that_change_the_same_field_at_once_undo_nothing(fleet):
    first, second = [credentials_of(await fleet.gateway(name)) for name in "ab"]
    changes = [each.prepare("c1", "new_password", more(letter), beside=(Listed(),)) for each in (first, second) for letter in "xyz"]
    changes += [first.change("c1", "new_password", more("v")), second.change("c1", "new_password", more("w"))]
    await soon(gatherResults([Deferred.fromCoroutine(each) for each in changes]))
    assert sorted((await first.record("c1")).new_password) == sorted("xyzvw")


async def test_without_redis_a_change_that_a_charger_is_to_be_told_fails_and_leaves_nothing_behind(fleet, server, monkeypatch):
    monkeypatch.setattr(credentials, "STORE_TIMEOUT", 1.0)
    monkeypatch.setattr(events, "REDIS_TIMEOUT", 0.1)
    monkeypatch.setattr(events, "CHECK_INTERVAL", 0.05)
    gateway = await fleet.gateway("a")
    await put(gateway, password="one")
    here = credentials_of(gateway)
    await here.record("c1")
    server.kill()
    with pytest.raises((TimeoutError, StoreUnavailable)):
        await soon(here.prepare("c1", "new_password", more("x")))
    assert (await soon(here.record("c1"))) == Record(password="one")
    await soon(here.change("c1", "new_password", more("y")))
    assert (await soon(here.record("c1"))).new_password == "y", "the charger was told before"
    server.start()
    await soon(gateway.events.caught_up())


async def test_a_change_that_is_overtaken_again_and_again_fails(fleet):
    gateway = await fleet.gateway("a")
    numbers = iter(range(100))

    def to(record: Record) -> str:
        gateway.events.publish(Entry("c1", effects=(Put("record", "password", b"%d" % next(numbers)),)))
        return "sent"

    with pytest.raises(StoreUnavailable, match="changes again and again"):
        await soon(credentials_of(gateway).prepare("c1", "new_password", to))
    assert (await soon(credentials_of(gateway).record("c1"))).new_password == ""
