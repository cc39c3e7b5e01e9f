"""A gateway without the key of the fleet's passwords: it says so at once, and stores no password that would be good nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher

from fleets import soon, until
from ocpp_tw.core.passwords import Passwords
from ocpp_tw.gateway.fleet_key import INTERVAL
from ocpp_tw.process.credentials_key import KeyFile
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from operators_site import Site
from played import Played

PASSWORD = "correct horse battery"


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is logged of the key."""
    lines: list[str] = []

    def observe(event: dict[str, Any]) -> None:
        if (event.get("log_format") or "").startswith("credentials key"):
            lines.append(f"{event['log_level'].name}: {formatEvent(event)}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


class Fleet:
    """Two gateways with one store, each with a file of its own."""

    def __init__(self, directory: Any) -> None:
        self.files = [directory / "first", directory / "second"]
        self.first = InMemoryGateway(Settings(name="first"), keys=KeyFile(str(self.files[0])))
        self.second = InMemoryGateway(Settings(name="second"), self.first.store, self.first.clock, keys=KeyFile(str(self.files[1])))
        self.sites = [Site(gateway=each.gateway, verdicts=each.application.verdicts) for each in (self.first, self.second)]

    async def put(self, gateway: int, id: str = "cp1", **decision: Any) -> tuple[int, Any]:
        return await self.sites[gateway].request("PUT", f"/api/chargers/{id}", decision)

    async def told(self, gateway: int) -> Any:
        return (await self.sites[gateway].request("GET", "/readyz"))[1]["credentials_key"]

    def passes(self, seconds: float = INTERVAL) -> None:
        self.first.clock.advance(seconds)


@async_yield_fixture
async def fleet(tmp_path) -> AsyncIterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    for each in (made.first, made.second):
        each.gateway.fleet_key.stop()
    for site in made.sites:
        await site.close()


async def test_as_long_as_no_password_was_stored_nothing_is_wrong(fleet, logged):
    for each in (fleet.first, fleet.second):
        each.gateway.fleet_key.start()
    assert (await fleet.put(0, security_profile=2))[0] == 200
    fleet.passes()
    assert [await fleet.told(each) for each in (0, 1)] == [None, None] and logged == []


@pytest.mark.parametrize("trouble", ["missing", "wrong"])
async def test_it_is_told_at_the_start_and_by_readyz_until_the_key_is_there(fleet, logged, trouble):
    assert (await fleet.put(0, password=PASSWORD))[0] == 200
    if trouble == "wrong":
        fleet.files[1].write_text("ab" * 32)
    for each in (fleet.first, fleet.second):
        each.gateway.fleet_key.start()
    (line,) = logged
    assert line.startswith(f"error: credentials key {trouble}: ") and "--credentials-key" in line and "adopt-key" in line
    assert [await fleet.told(each) for each in (0, 1)] == [None, trouble]
    fleet.passes()
    fleet.passes()
    assert len(logged) == 1
    fleet.files[1].write_bytes(fleet.files[0].read_bytes())
    assert await fleet.told(1) is None
    fleet.passes()
    assert logged[1].startswith("info: ") and len(logged) == 2
    assert (await fleet.put(1, password=PASSWORD))[0] == 200


async def test_who_stores_the_first_password_elsewhere_is_noticed_while_the_gateway_runs(fleet, logged):
    fleet.second.gateway.fleet_key.start()
    assert (await fleet.put(0, password=PASSWORD))[0] == 200
    fleet.passes()
    assert len(logged) == 1 and await fleet.told(1) == "missing"


@pytest.mark.parametrize("password", [PASSWORD, "generate"])
@pytest.mark.parametrize("trouble", ["missing", "wrong"])
async def test_no_password_is_stored_there_and_all_else_is(fleet, trouble, password):
    """The gateway need not have looked before."""
    assert (await fleet.put(0, password=PASSWORD))[0] == 200
    stored = fleet.first.register.find("cp1")
    if trouble == "wrong":
        fleet.files[1].write_text("ab" * 32)
    status, answer = await fleet.put(1, password=password)
    assert (
        status == 409 and "--credentials-key" in answer["detail"] and "adopt-key" in answer["detail"] and PASSWORD not in answer["detail"]
    )
    assert fleet.first.register.find("cp1") == stored and fleet.files[1].exists() == (trouble == "wrong")
    assert (await fleet.put(1, boot_status="Pending"))[0] == 200
    assert (await fleet.put(1, password=None))[0] == 200


async def test_an_invalid_decision_is_told_as_such(fleet):
    assert (await fleet.put(0, password=PASSWORD))[0] == 200
    status, answer = await fleet.put(1, password="short")
    assert status == 400 and "16 to 64" in answer["detail"]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_no_charger_there_is_sent_a_password(fleet, ocpp):
    charger = Played(fleet.second, ocpp, url="ws://csms/", profile=0, password=None)
    fleet.second.application.dispatcher.start()
    assert (await fleet.put(0, "another", password=PASSWORD))[0] == 200
    fleet.second.push_command(cp_id="cp1", command="rotate_password", data={}, id="u1")
    charger.run(5)
    result = fleet.second.command_result()
    assert (
        result["outcome"] == "error"
        and result["error"]["code"] == "credentials_key"
        and "--credentials-key" in result["error"]["description"]
    )
    assert not fleet.second.register.find("cp1").new_password and not fleet.files[1].exists()
    charger.simulated.shut_down()
    fleet.second.application.dispatcher.stop()


async def test_a_password_that_a_charger_was_sent_says_which_key_it_is(fleet, logged):
    charger = Played(fleet.second, "1.6", url="ws://csms/", profile=0, password=None)
    fleet.second.application.dispatcher.start()
    fleet.second.push_command(cp_id="cp1", command="rotate_password", data={}, id="u1")
    charger.run(5)
    assert fleet.second.command_result()["status"] == "Accepted"
    fleet.first.gateway.fleet_key.start()
    assert len(logged) == 1 and await fleet.told(0) == "missing"
    charger.simulated.shut_down()
    fleet.second.application.dispatcher.stop()


async def test_once_the_key_is_lost_another_is_adopted_by_whoever_says_so(fleet, logged):
    assert (await fleet.put(0, password=PASSWORD))[0] == 200
    for each in (fleet.first, fleet.second):
        each.gateway.fleet_key.start()
    status, answer = await fleet.sites[1].request("POST", "/api/credentials-key")
    assert status == 200 and answer == {"id": Passwords(KeyFile(str(fleet.files[1]))).current_id()}
    assert [each[2:] for each in fleet.sites[1].services.told] == [("", "credentials_key")]
    assert await fleet.told(1) is None and (await fleet.put(1, password=PASSWORD))[0] == 200
    fleet.passes()
    assert await fleet.told(0) == "wrong" and (await fleet.put(0, password=PASSWORD))[0] == 409
    assert [line.split(":")[0] for line in logged] == ["error", "info", "error"]


async def test_a_new_key_in_front_of_the_old_one_is_no_other_key(fleet):
    """How a key is changed without a charger that is refused: all have both, then the new one comes first."""
    assert (await fleet.put(0, password=PASSWORD))[0] == 200
    old = fleet.files[0].read_text()
    fleet.files[1].write_text("ab" * 32 + "\n" + old)
    assert (await fleet.put(1, password=PASSWORD))[0] == 200
    fleet.first.gateway.fleet_key.start()
    assert await fleet.told(0) == "wrong"
    fleet.files[0].write_text(old + "ab" * 32 + "\n")
    assert await fleet.told(0) is None


async def test_while_the_store_does_not_answer_no_password_is_stored(fleet, monkeypatch):
    monkeypatch.setattr(fleet.second.records, "table", lambda name, owner: Deferred())
    answered = fleet.put(1, password=PASSWORD)
    waiting = Deferred.fromCoroutine(answered)
    await until(lambda: fleet.second.clock.getDelayedCalls())
    fleet.passes(60)
    assert (await soon(waiting))[0] == 503 and not fleet.files[1].exists()
