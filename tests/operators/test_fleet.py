"""HTTP about the whole fleet: overview, chargers, transactions, commands, batches, troubles, and what changes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, fail

from fleet_site import FleetSite
from fleets import pause, until
from ocpp_tw.core.history import EndedTransaction
from ocpp_tw.interfaces import HandshakeRefused, HandshakeRequest, StoreUnavailable
from ocpp_tw.memory import MemoryStore
from ocpp_tw.monitoring import away
from ocpp_tw.monitoring.rows import iso
from ocpp_tw.monitoring.told import RunningTransaction
from ocpp_tw.operators.transactions_api import CSV_COLUMNS
from ocpp_tw.settings import Settings
from ocpp_tw.testing import START_TIME, ChargerClient, InMemoryGateway

TIME = "2026-09-21T14:00:00Z"


def gateway_of(store: MemoryStore, name: str, clock: Any = None, **settings: Any) -> InMemoryGateway:
    gateway = InMemoryGateway(Settings(name=name, **settings), store, clock)
    gateway.application.start()
    return gateway


def boot(charger: ChargerClient, model: str = "M", firmware: str = "1.0") -> ChargerClient:
    charger.send_call("BootNotification", {"chargePointVendor": "V", "chargePointModel": model, "firmwareVersion": firmware})
    return charger


def status(charger: ChargerClient, name: str) -> None:
    charger.send_call("StatusNotification", {"connectorId": 1, "status": name, "errorCode": "NoError"})


def begin(charger: ChargerClient, tag: str = "T") -> int:
    charger.frames()
    charger.send_call("StartTransaction", {"connectorId": 1, "idTag": tag, "meterStart": 1000, "timestamp": TIME})
    return int(charger.frames()[-1][2]["transactionId"])


def meter(charger: ChargerClient, id: int, energy: int, power: int) -> None:
    values = [("Energy.Active.Import.Register", energy, "Wh"), ("Power.Active.Import", power, "W"), ("SoC", 50, "Percent")]
    sampled = [{"measurand": name, "value": str(value), "unit": unit} for name, value, unit in values]
    charger.send_call("MeterValues", {"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": TIME, "sampledValue": sampled}]})


def end(charger: ChargerClient, id: int, energy: int) -> None:
    charger.send_call("StopTransaction", {"transactionId": id, "meterStop": energy, "timestamp": TIME})


class Fleet:
    """Two gateways, and operators' HTTP of the first."""

    def __init__(self, tokens: str = "", **settings: Any) -> None:
        self.store = MemoryStore()
        self.first = gateway_of(self.store, "a", **settings)
        self.second = gateway_of(self.store, "b", self.first.clock, **settings)
        self.site = FleetSite(self.first, tokens)

    def sweep(self, seconds: float = 5) -> None:
        """Time passes."""
        self.first.clock.pump([0.25] * int(seconds * 4))

    async def answered(self, path: str) -> Any:
        """The response to a question that somebody does not answer: time passes until it is there."""
        responses: list[Any] = []
        self.site.client.get(self.site.url(path)).addBoth(responses.append)
        await until(lambda: self.sweep(0.25) or responses)
        return responses[0]

    async def close(self) -> None:
        for each in (self.first, self.second):
            each.application.stop()
            each.fleet.stop()
        await self.site.close()


@pytest_twisted.async_yield_fixture
async def fleet() -> AsyncIterator[Fleet]:
    made = Fleet()
    yield made
    await made.close()


def states_of(fleet: Fleet) -> dict[str, ChargerClient]:
    """One charger in each state, on both gateways."""
    chargers = {name: boot(fleet.first.connect(name)) for name in ("online", "faulted")}
    chargers |= {name: boot(fleet.second.connect(name)) for name in ("charging", "gone")}
    status(chargers["faulted"], "Faulted")
    meter(chargers["charging"], begin(chargers["charging"]), 3000, 7000)
    chargers["gone"].disconnect(1001, "bye")
    fleet.sweep()
    return chargers


async def test_the_overview_counts_the_chargers_of_all_gateways_by_state(fleet: Fleet) -> None:
    states_of(fleet)
    told = await fleet.site.get("/api/overview")
    assert told["chargers"] == {"total": 4, "online": 1, "charging": 1, "faulted": 1, "silent": 0, "unresponsive": 0, "away": 1}
    assert told["power_w"] == 7000 and told["energy_today_wh"] == 2000
    assert [each["name"] for each in told["gateways"]] == ["a", "b"] and told["missing"] == [] and told["trouble"] == ""
    assert told["gateways"][0]["chargers"] == 2 and told["gateways"][0]["memory_mb"] > 1
    assert told["redis"] == {"state": "ok", "connected": True, "unread": len(fleet.store.events), "trouble": ""}
    assert told["backend"] == {"state": "none", "detail": ""}
    assert len(told["rates"]["messages"]) == len(told["rates"]["events"]) == 60


@pytest.mark.parametrize("where", ["first", "second"])
async def test_the_overview_counts_a_charger_that_is_back_once(fleet: Fleet, where: str) -> None:
    fleet.second.connect("c1").disconnect()
    assert (await fleet.site.get("/api/fleet/chargers"))["states"]["away"] == 1  # which is known for a second
    fleet.sweep(0.5)
    getattr(fleet, where).connect("c1")
    counted = (await fleet.site.get("/api/overview"))["chargers"]
    assert (counted["total"], counted["online"], counted["away"]) == (1, 1, 0)


@pytest.mark.parametrize("where", ["first", "second"])
async def test_a_charger_that_is_back_is_not_listed_as_away(fleet: Fleet, where: str) -> None:
    fleet.second.connect("c0")
    fleet.second.connect("c1").disconnect()
    assert (await fleet.site.get("/api/fleet/chargers"))["states"]["away"] == 1  # which is known for a second
    fleet.sweep(0.5)
    getattr(fleet, where).connect("c1")
    told = await fleet.site.get("/api/fleet/chargers", state="away")
    assert (told["rows"], told["total"], told["states"]["away"], told["states"]["online"]) == ([], 0, 0, 2)
    told = await fleet.site.get("/api/fleet/chargers", limit=1)  # it is behind the page
    assert ([row["id"] for row in told["rows"]], told["total"]) == (["c0"], 2)
    batch = {"command": {"command": "clear_cache", "data": {}}, "filter": {"state": "away"}}
    assert (await fleet.site.post("/api/batches", batch))[0] == 400  # for none


async def test_the_overview_counts_a_charger_that_has_just_come_back_once(fleet: Fleet) -> None:
    fleet.first.connect("c1").disconnect()
    assert (await fleet.site.get("/api/overview"))["chargers"]["total"] == 1  # what is connected is counted once a second
    fleet.first.connect("c1")
    assert (await fleet.site.get("/api/overview"))["chargers"]["total"] == 1


async def test_the_overview_counts_a_charger_once_that_came_back_while_nobody_could_read_the_store(fleet: Fleet) -> None:
    for id in ("c1", "c2"):
        fleet.first.connect(id).disconnect()
    assert (await fleet.site.get("/api/overview"))["chargers"]["away"] == 2
    fleet.first.fleet.away = True
    fleet.first.connect("c1")
    fleet.sweep(60)
    counted = (await fleet.site.get("/api/overview"))["chargers"]
    assert (counted["total"], counted["online"], counted["away"]) == (2, 1, 1)


async def test_the_overview_tells_rates_minute_by_minute(fleet: Fleet) -> None:
    charger = fleet.first.connect()
    for _ in range(60):
        charger.send_call("Heartbeat")
    fleet.sweep(61)
    fleet.sweep(60)
    rates = (await fleet.site.get("/api/overview"))["rates"]
    assert rates["messages"][-2:] == [1.0, 0.0]
    assert rates["events"][-2] == pytest.approx(61 / 60, abs=0.01)  # its connection is one too
    charger.disconnect()
    fleet.sweep(60)
    assert (await fleet.site.get("/api/overview"))["rates"]["messages"][-1] == 0.0


async def test_a_gateway_that_does_not_answer_is_named(fleet: Fleet) -> None:
    fleet.second.fleet.deaf = True
    told = await (await fleet.answered("/api/overview")).json()
    assert told["missing"] == ["b"] and [each["name"] for each in told["gateways"]] == ["a"]


async def test_the_chargers_of_a_gateway_that_does_not_answer_are_told_as_they_were_last(fleet: Fleet) -> None:
    states_of(fleet)
    before = (await fleet.site.get("/api/overview"))["chargers"]
    assert before == {"total": 4, "online": 1, "charging": 1, "faulted": 1, "silent": 0, "unresponsive": 0, "away": 1}
    fleet.second.fleet.deaf = True
    told = await (await fleet.answered("/api/overview")).json()
    assert told["missing"] == ["b"] and told["chargers"] == before
    told = await (await fleet.answered("/api/fleet/chargers")).json()
    assert [(row["id"], row["state"], row["gateway"], row["flags"]) for row in told["rows"]] == [
        ("charging", "charging", "b", ["gateway_missing"]), ("faulted", "faulted", "a", []), ("gone", "away", "b", []), ("online", "online", "a", []),
    ]  # fmt: skip
    row = told["rows"][0]
    assert (row["vendor"], row["model"], row["firmware"], row["transactions"], row["energy_wh"]) == ("V", "M", "1.0", 1, 2000)
    assert told["states"] == {name: count for name, count in before.items() if name != "total"} and told["total"] == 4
    told = await (await fleet.answered("/api/fleet/chargers?state=charging&gateway=b")).json()
    assert [row["id"] for row in told["rows"]] == ["charging"]
    told = await (await fleet.answered("/api/fleet/chargers/charging")).json()
    assert not told["connected"] and told["away"] is None and told["row"] == row


async def test_those_of_a_gateway_that_is_gone_become_away_without_being_nowhere_meanwhile(fleet: Fleet) -> None:
    states_of(fleet)
    fleet.second.fleet.deaf = True
    assert (await (await fleet.answered("/api/overview")).json())["chargers"]["charging"] == 1
    fleet.second.application.stop()  # so that its own loops do not make up for it
    fleet.store.owners["charging"], fleet.store.connections["charging"] = ("b", "7"), ("", "1.6", "", 0)
    fleet.store.living.discard("b")
    counted = []
    for _ in range(40):
        told = (await fleet.site.get("/api/overview"))["chargers"]
        assert told["total"] == 4
        counted.append(told["away"])
        fleet.sweep(0.25)
    assert counted[-1] == 2 and counted == sorted(counted)


async def test_one_that_has_come_from_there_is_counted_once(fleet: Fleet) -> None:
    states_of(fleet)
    fleet.second.fleet.deaf = True
    assert (await (await fleet.answered("/api/overview")).json())["chargers"]["total"] == 4
    boot(fleet.first.connect("charging"))
    for _ in range(8):
        told = await (await fleet.answered("/api/overview")).json()
        assert told["chargers"]["total"] == 4 and told["chargers"]["away"] == 1
        fleet.sweep(0.5)
    assert told["chargers"]["charging"] == 1  # what was kept of it is known here too
    told = await (await fleet.answered("/api/fleet/chargers")).json()
    assert [(row["id"], row["gateway"]) for row in told["rows"] if row["id"] == "charging"] == [("charging", "a")]


async def test_the_latest_troubles_are_told(fleet: Fleet) -> None:
    fleet.second.connect("bad").call_error("Nonsense")
    told = await fleet.site.get("/api/overview")
    assert [(each["event"], each["charger"], each["gateway"]) for each in told["troubles"]] == [("message_refused", "bad", "b")]


async def test_chargers_of_all_gateways_and_those_that_are_away_are_one_table(fleet: Fleet) -> None:
    states_of(fleet)
    told = await fleet.site.get("/api/fleet/chargers")
    assert [(row["id"], row["state"], row["gateway"]) for row in told["rows"]] == [
        ("charging", "charging", "b"), ("faulted", "faulted", "a"), ("gone", "away", "b"), ("online", "online", "a"),
    ]  # fmt: skip
    assert told["total"] == 4 and told["gateways"] == ["a", "b"] and told["models"] == ["M"] and told["firmwares"] == ["1.0"]
    assert told["states"] == {"away": 1, "unresponsive": 0, "silent": 0, "faulted": 1, "charging": 1, "online": 1}
    row = told["rows"][0]
    assert (row["power_w"], row["energy_wh"], row["transactions"], row["vendor"], row["registration"]) == (7000, 2000, 1, "V", "Accepted")
    assert told["rows"][1]["connectors"][0]["status"] == "Faulted"
    assert told["rows"][2]["since"] == "2026-09-21T14:13:20Z" and told["rows"][2]["left"]["code"] == 1001


async def test_they_are_filtered_and_counted_by_state_without_that_filter(fleet: Fleet) -> None:
    states_of(fleet)

    async def ids(**query: Any) -> list[str]:
        return [row["id"] for row in (await fleet.site.get("/api/fleet/chargers", **query))["rows"]]

    assert await ids(state="away") == ["gone"]
    assert await ids(state="away,faulted") == ["faulted", "gone"]
    assert await ids(gateway="b") == ["charging", "gone"]
    assert await ids(search="AUL") == ["faulted"]
    assert await ids(model="other") == [] and len(await ids(model="M,other", ocpp="1.6", firmware="1.0")) == 4
    fleet.first.connect("bad").call_error("Nonsense")
    fleet.first.gateway.chargers["bad"].violations += 1
    assert await ids(violations="true") == ["bad"]
    told = await fleet.site.get("/api/fleet/chargers", state="away", model="M")
    assert told["total"] == 1 and told["states"]["charging"] == 1


async def test_they_are_sorted_by_any_column_in_both_directions_across_gateways(fleet: Fleet) -> None:
    for number in range(6):
        boot((fleet.first, fleet.second)[number % 2].connect(f"c{number}"), model=f"m{number % 3}" if number else "")
        fleet.sweep(2)
    fleet.first.gateway.chargers["c4"].violations = 9

    async def ids(sort: str) -> list[str]:
        return [row["id"] for row in (await fleet.site.get("/api/fleet/chargers", sort=sort))["rows"]]

    assert await ids("id") == [f"c{number}" for number in range(6)]
    assert await ids("-id") == [f"c{number}" for number in reversed(range(6))]
    assert await ids("since") == await ids("id") and await ids("-since") == await ids("-id")
    assert await ids("model") == ["c3", "c1", "c4", "c2", "c5", "c0"]  # what is missing comes last
    assert await ids("-model") == ["c5", "c2", "c4", "c1", "c3", "c0"]
    assert (await ids("-violations"))[0] == "c4"
    for column in (
        "state",
        "gateway",
        "ocpp",
        "firmware",
        "serial",
        "power_w",
        "energy_wh",
        "transactions",
        "last_message",
        "remote_address",
    ):
        assert sorted(await ids(column)) == sorted(await ids(f"-{column}")) == await ids("id")


async def test_pages_follow_each_other_without_a_gap(fleet: Fleet) -> None:
    for number in range(40):
        (fleet.first, fleet.second)[number % 2].connect(f"c{number:02}")
    for id in ("c41", "c05x"):
        fleet.second.connect(id).disconnect()
    seen: list[str] = []
    for offset in range(0, 60, 7):
        seen += [row["id"] for row in (await fleet.site.get("/api/fleet/chargers", limit=7, offset=offset))["rows"]]
    assert seen == sorted([*(f"c{number:02}" for number in range(40)), "c05x", "c41"])


async def test_a_page_far_behind_is_the_same(fleet: Fleet) -> None:
    for number in range(700):
        (fleet.first, fleet.second)[number % 2].connect(f"c{number:03}")
    fleet.second.connect("c650x").disconnect()
    told = await fleet.site.get("/api/fleet/chargers", limit=5, offset=649)
    assert [row["id"] for row in told["rows"]] == ["c649", "c650", "c650x", "c651", "c652"] and told["total"] == 701
    assert [row["state"] for row in told["rows"]] == ["online", "online", "away", "online", "online"]


async def test_what_cannot_be_asked_is_refused(fleet: Fleet) -> None:
    for query in (
        {"sort": "x"},
        {"state": "happy"},
        {"limit": "0"},
        {"limit": "x"},
        {"offset": "-1"},
        {"search": "x" * 300},
        {"violations": "2"},
    ):
        status, detail = await fleet.site.refused("/api/fleet/chargers", **query)
        assert status == 400 and next(iter(query)) in detail
    assert (await fleet.site.refused("/api/fleet/chargers/nobody"))[0] == 404
    assert (await fleet.site.refused("/api/transactions", cursor="x"))[0] == 400
    assert (await fleet.site.refused("/api/transactions", **{"from": "yesterday"}))[0] == 400


async def test_all_about_a_charger_whichever_gateway_has_it(fleet: Fleet) -> None:
    charger = states_of(fleet)["charging"]
    charger.send_call("Heartbeat", {"x": 1})
    told = await fleet.site.get("/api/fleet/chargers/charging")
    assert (
        told["connected"]
        and told["row"]["gateway"] == "b"
        and told["away"] is None
        and told["record"]["received"] == charger.charger.received
    )
    (running,) = told["transactions"]
    assert (running["tag"], running["energy_wh"], running["power_w"], running["soc"], running["provisional"]) == (
        "T",
        2000,
        7000,
        50,
        False,
    )
    assert running["curve"][0][1:] == [7000, 2000, 50]
    assert told["liveness"] == {"unresponsive": False, "silent": False, "flapping": False, "flooding": False}
    assert told["breaks"][0]["model"] == "M" and told["certificate"] is None and told["clock"] == {"skew_s": None}


async def test_all_about_a_charger_that_is_away(fleet: Fleet) -> None:
    states_of(fleet)
    told = await fleet.site.get("/api/fleet/chargers/gone")
    assert not told["connected"] and told["away"]["code"] == 1001 and told["away"]["reason"] == "bye" and told["row"]["state"] == "away"
    assert told["record"]["model"] == "M"


async def test_why_a_charger_was_refused_is_told_whichever_gateway_has_refused_it(fleet: Fleet) -> None:
    for gateway, reason in ((fleet.first, "first"), (fleet.second, "then")):
        request = HandshakeRequest("stranger", "", "10.0.0.9", ("ocpp1.6",))
        gateway.gateway.refusals.note(request, HandshakeRefused(403, reason))
        fleet.sweep(1)
    told = await fleet.site.get("/api/fleet/chargers/stranger")
    assert not told["connected"] and told["row"] is None and told["away"] is None
    assert (told["last_refusal"]["reason"], told["last_refusal"]["remote_address"]) == ("then", "10.0.0.9")


async def test_an_identity_with_a_slash_is_found(fleet: Fleet) -> None:
    fleet.second.connect("a/b c")
    assert (await fleet.site.get("/api/fleet/chargers/a%2Fb%20c"))["row"]["id"] == "a/b c"


async def test_transactions_are_told_those_that_run_first(fleet: Fleet) -> None:
    one, two = fleet.first.connect("one"), fleet.second.connect("two")
    for number in range(3):
        end(one, begin(one, f"T{number}"), 2000 + number)
    running = begin(two, "TWO")
    fleet.sweep()
    told = await fleet.site.get("/api/transactions")
    assert [(row["state"], row["charger"], row["tag"]) for row in told["rows"]] == [
        ("running", "two", "TWO"), ("ended", "one", "T2"), ("ended", "one", "T1"), ("ended", "one", "T0"),
    ]  # fmt: skip
    assert told["rows"][0]["id"] == running and told["rows"][1]["energy_wh"] == 1002 and told["cursor"] is None


async def test_transactions_are_filtered_and_paged(fleet: Fleet) -> None:
    one, two = fleet.first.connect("one"), fleet.second.connect("two")
    for number in range(7):
        end((one, two)[number % 2], begin((one, two)[number % 2], f"T{number}"), 2000)
    begin(one, "X")
    fleet.sweep()

    async def tags(**query: Any) -> list[str]:
        return [row["tag"] for row in (await fleet.site.get("/api/transactions", **query))["rows"]]

    assert await tags(state="running") == ["X"]
    assert await tags(state="ended", charger="two") == ["T5", "T3", "T1"]
    assert await tags(tag="T4") == ["T4"]
    assert await tags(provisional="true") == []
    assert await tags(to="2026-01-01T00:00:00Z") == [] and len(await tags(**{"from": "2026-01-01T00:00:00+01:00"})) == 8
    seen, cursor = [], ""
    while cursor is not None:
        page = await fleet.site.get("/api/transactions", limit=3, cursor=cursor)
        seen += [row["tag"] for row in page["rows"]]
        cursor = page["cursor"]
    assert seen == ["X", "T6", "T5", "T4", "T3", "T2", "T1", "T0"]


async def test_a_transaction_of_a_charger_that_is_away_runs_until_its_end_is_told(fleet: Fleet) -> None:
    one = boot(fleet.first.connect("one"))
    meter(one, id := begin(one, "T"), 3000, 7000)
    status(one, "Charging")
    fleet.sweep()
    one.disconnect(1001, "bye")
    one = boot(fleet.second.connect("one"))
    fleet.sweep()
    one.disconnect(1001, "bye")
    fleet.sweep()
    for query in ({}, {"state": "running"}, {"charger": "one"}, {"tag": "T"}):
        (row,) = (await fleet.site.get("/api/transactions", **query))["rows"]
        assert (row["state"], row["id"], row["tag"], row["energy_wh"], row["power_w"], row["away"]) == (
            "running",
            id,
            "T",
            2000,
            None,
            True,
        )
        assert row["gateway"] == "b"
    assert (await fleet.site.get("/api/transactions", charger="other"))["rows"] == []
    told = await fleet.site.get("/api/fleet/chargers/one")
    assert [(each["id"], each["energy_wh"], each["away"], each["open"]) for each in told["transactions"]] == [(id, 2000, True, False)]
    assert (told["row"]["transactions"], told["row"]["energy_wh"], told["row"]["power_w"]) == (1, 2000, None)
    assert [each["status"] for each in told["row"]["connectors"]] == ["Charging"]
    one = fleet.first.connect("one")
    fleet.sweep()
    (row,) = (await fleet.site.get("/api/transactions"))["rows"]
    assert (row["id"], row["energy_wh"], row["away"], row["gateway"]) == (id, 2000, False, "a")
    end(one, id, 4000)
    one.disconnect()
    fleet.sweep()
    assert [row["state"] for row in (await fleet.site.get("/api/transactions"))["rows"]] == ["ended"]
    assert (await fleet.site.get("/api/fleet/chargers/one"))["transactions"] == []


def charge(fleet: Fleet, charger: ChargerClient, id: int, *energies: int) -> None:
    """A reading a minute."""
    for energy in energies:
        meter(charger, id, energy, 7000)
        fleet.sweep(60)


async def test_the_curve_of_a_charger_that_is_away_is_as_it_was_last(fleet: Fleet) -> None:
    async def energies() -> list[int]:
        (running,) = (await fleet.site.get("/api/fleet/chargers/one"))["transactions"]
        return [energy for _, _, energy, _ in running["curve"]]

    one = boot(fleet.second.connect("one"))
    charge(fleet, one, id := begin(one), 2000, 3000, 4000)
    one.disconnect(1001, "bye")
    for seconds in (5, 1200):
        fleet.sweep(seconds)
        assert await energies() == [1000, 2000, 3000]
    one = fleet.first.connect("one")  # where the curve begins anew
    fleet.sweep()
    charge(fleet, one, id, 5000, 6000)
    one.disconnect(1001, "bye")
    fleet.sweep()
    assert await energies() == [4000, 5000]
    one = fleet.first.connect("one")
    fleet.sweep()
    charge(fleet, one, id, 7000)
    assert await energies() == [4000, 5000, 6000]
    one.disconnect(1001, "bye")
    fleet.sweep()
    assert await energies() == [4000, 5000, 6000]
    fleet.second.connect("one")
    fleet.sweep()
    assert await energies() == []


async def test_a_transaction_of_a_charger_whose_gateway_was_killed_still_runs(fleet: Fleet) -> None:
    one = boot(fleet.second.connect("one"))
    meter(one, id := begin(one), 3000, 7000)
    fleet.sweep(70)
    fleet.second.states.available = False
    fleet.second.application.stop()
    fleet.second.fleet.stop()
    fleet.store.living.discard("b")
    fleet.sweep()
    (row,) = (await fleet.site.get("/api/transactions"))["rows"]
    assert (row["id"], row["energy_wh"], row["away"], row["gateway"]) == (id, 2000, True, "b")


async def test_what_has_just_ended_does_not_run(fleet: Fleet) -> None:
    one = fleet.first.connect("one")
    id = begin(one)
    fleet.sweep()
    end(one, id, 2000)  # the sweep has not seen it yet
    assert [row["state"] for row in (await fleet.site.get("/api/transactions"))["rows"]] == ["ended"]
    assert (await fleet.site.get("/api/transactions", state="running"))["rows"] == []
    assert (await fleet.site.text("/api/transactions.csv")).count("one") == 1
    assert (await fleet.site.get("/api/fleet/chargers/one"))["transactions"] == []


async def test_a_page_that_running_transactions_fill_leads_to_those_that_have_ended(fleet: Fleet) -> None:
    one = fleet.first.connect("one")
    end(one, begin(one, "old"), 2000)
    begin(one, "new")
    fleet.sweep()
    page = await fleet.site.get("/api/transactions", limit=1)
    assert [row["tag"] for row in page["rows"]] == ["new"]
    assert [row["tag"] for row in (await fleet.site.get("/api/transactions", limit=1, cursor=page["cursor"]))["rows"]] == ["old"]


async def test_running_transactions_are_paged_without_a_gap_over_all_gateways(fleet: Fleet) -> None:
    for number in range(7):
        charger = boot((fleet.first, fleet.second)[number % 2].connect(f"c{number}"))
        begin(charger)
        if number % 3 == 0:
            fleet.sweep(3)
    last = boot(fleet.first.connect("ended"))
    end(last, begin(last), 2000)
    fleet.sweep()
    told: list[str] = []
    for state in ("running", ""):
        told, cursor = [], ""
        for _ in range(9):
            page = await fleet.site.get("/api/transactions", limit=2, state=state, cursor=cursor)
            assert len(page["rows"]) <= 2
            told += [row["charger"] for row in page["rows"]]
            cursor = page["cursor"] or ""
            if not cursor:
                break
        assert sorted(told[:7]) == [f"c{number}" for number in range(7)]
        assert told[7:] == ([] if state else ["ended"])
    everything = await fleet.site.get("/api/transactions", state="running")
    assert [row["charger"] for row in everything["rows"]] == told[:7]
    first, *_, latest = sorted({row["since"] for row in everything["rows"]})
    for query, wanted in (
        ({"from": iso(latest)}, [row for row in everything["rows"] if row["since"] >= latest]),
        ({"to": iso(latest), "limit": 1}, [row for row in everything["rows"] if row["since"] < latest][:1]),
        ({"to": iso(first)}, []),
    ):
        page = await fleet.site.get("/api/transactions", state="running", **query)
        assert page["rows"] == wanted


async def test_transactions_as_csv_have_what_they_have_as_json(fleet: Fleet) -> None:
    assert set(CSV_COLUMNS) == {"state"} | {name for each in (RunningTransaction, EndedTransaction) for name in each.__struct_fields__}
    one, two = boot(fleet.first.connect("one")), fleet.first.connect("two")
    meter(one, begin(one), 3000, 7000)
    end(two, begin(two), 2000)
    fleet.sweep()
    one.disconnect(1001, "bye")
    fleet.sweep()
    told = (await fleet.site.get("/api/transactions"))["rows"]
    rows = list(csv.DictReader(io.StringIO(await fleet.site.text("/api/transactions.csv"))))
    assert [row["away"] for row in rows] == ["True", ""]
    assert rows == [{name: "" if row.get(name) is None else str(row[name]) for name in CSV_COLUMNS} for row in told]


async def test_a_header_of_the_csv_leads_to_the_rows_behind_these(fleet: Fleet) -> None:
    one = fleet.first.connect("one")
    for number in range(3):
        end(one, begin(one, f"T{number}"), 2000)
    first = await fleet.site.text("/api/transactions.csv", limit=2)
    second = await fleet.site.text("/api/transactions.csv", limit=2, cursor=fleet.site.headers["x-cursor"])
    assert [[row["tag"] for row in csv.DictReader(io.StringIO(text))] for text in (first, second)] == [["T2", "T1"], ["T0"]]
    assert not {"x-cursor", "x-missing"} & fleet.site.headers.keys()


@pytest.mark.parametrize(
    "tag",
    [
        '=1+1,"x"',
        " =1+1",
        "\n=1+1",
        "\r\n@SUM(A1)",
        "\t +1",
        "\u00a0-1",
        "\u3000\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A1",
        "\ufeff=1",
        "\x00=1",
    ],
)
async def test_transactions_as_csv_are_safe_in_a_spreadsheet(fleet: Fleet, tag: str) -> None:
    one = fleet.first.connect("one")
    end(one, begin(one, tag), 2000)
    rows = list(csv.DictReader(io.StringIO(await fleet.site.text("/api/transactions.csv"), newline="")))
    assert rows[0]["tag"] == "'" + tag and rows[0]["energy_wh"] == "1000" and rows[0]["state"] == "ended"


@pytest.mark.parametrize("tag", ["TAG-1", " TAG 1", "1=1", "\uff11\uff0b\uff11"])
async def test_other_texts_are_in_the_csv_as_they_are(fleet: Fleet, tag: str) -> None:
    one = fleet.first.connect("one")
    end(one, begin(one, tag), 2000)
    rows = list(csv.DictReader(io.StringIO(await fleet.site.text("/api/transactions.csv"), newline="")))
    assert rows[0]["tag"] == tag


async def test_a_command_is_given_and_asked_for_later(fleet: Fleet) -> None:
    charger = fleet.second.connect("cp1")
    command = {"cp_id": "cp1", "command": "reset", "data": {"type": "Soft"}}
    status, told = await fleet.site.post("/api/commands", command)
    assert status == 202
    await until(lambda: len(charger.wire.sent) == 1)
    assert await fleet.site.get(f"/api/commands/{told['id']}") == {"charger": "cp1", "id": told["id"], "state": "waiting"}
    charger.answer({"status": "Accepted"})
    await until(lambda: fleet.first.application.monitoring.given.find(told["id"])["outcome"] == "result")
    result = await fleet.site.get(f"/api/commands/{told['id']}")
    assert (result["action"], result["status"], result["by"]) == ("Reset", "Accepted", "")
    other = FleetSite(fleet.second)
    assert (await other.get(f"/api/commands/{told['id']}"))["status"] == "Accepted"
    await other.close()


async def test_a_raw_command_keeps_its_id(fleet: Fleet) -> None:
    status, told = await fleet.site.post("/api/commands", {"CpID": "cp1", "data": [2, "mine", "Reset", {"type": "Soft"}]})
    assert (status, told) == (202, {"id": "mine"})
    assert (await fleet.site.get("/api/commands/mine"))["outcome"] == "offline"


def clear_cache(id: str, charger: str = "cp1") -> dict[str, Any]:
    return {"cp_id": charger, "command": "clear_cache", "data": {}, "id": id}


async def test_what_came_of_a_command_is_told_although_it_was_given_again(fleet: Fleet) -> None:
    charger = fleet.second.connect("cp1")
    await fleet.site.post("/api/commands", clear_cache("c1"))
    await until(lambda: len(charger.wire.sent) == 1)
    assert (await fleet.site.post("/api/commands", clear_cache("c1")))[0] == 202
    assert (await fleet.site.get("/api/commands/c1"))["state"] == "waiting"
    charger.answer({"status": "Accepted"})
    await until(lambda: "outcome" in fleet.first.application.monitoring.given.find("c1"))
    other = FleetSite(fleet.second)
    for site in (fleet.site, other, fleet.site):
        assert (await site.get("/api/commands/c1"))["status"] == "Accepted"
        await site.post("/api/commands", clear_cache("c1"))  # by the other one it is not known to have been given
        fleet.sweep(1)
        assert (await site.get("/api/commands/c1"))["status"] == "Accepted"
    assert len(charger.wire.sent) == 1
    await other.close()


async def test_a_command_that_was_given_again_has_not_failed(fleet: Fleet) -> None:
    charger = fleet.first.connect("cp1")
    await fleet.site.post("/api/commands", clear_cache("c1"))
    await fleet.site.post("/api/commands", clear_cache("c1"))  # it is under way
    charger.answer({"status": "Accepted"})
    await fleet.site.post("/api/commands", clear_cache("c1"))  # it has ended
    await fleet.site.post("/api/commands", clear_cache("c2", "never-here"))
    fleet.sweep(1)

    async def outcomes(**query: Any) -> list[str]:
        return [row["outcome"] for row in (await fleet.site.get("/api/commands", **query))["rows"]]

    assert await outcomes(failed="true") == ["offline"]
    assert await outcomes(outcome="duplicate") == ["duplicate", "duplicate"]
    assert await outcomes() == ["offline", "duplicate", "result", "duplicate"]


async def test_a_command_that_was_not_sent_may_be_given_again(fleet: Fleet) -> None:
    await fleet.site.post("/api/commands", clear_cache("c1"))
    fleet.sweep(1)
    assert (await fleet.site.get("/api/commands/c1"))["outcome"] == "offline"
    charger = fleet.first.connect("cp1")
    await fleet.site.post("/api/commands", clear_cache("c1"))
    assert (await fleet.site.get("/api/commands/c1"))["state"] == "waiting"
    charger.answer({"status": "Accepted"})
    assert (await fleet.site.get("/api/commands/c1"))["status"] == "Accepted"


async def test_commands_of_one_id_for_several_chargers_are_told_apart(fleet: Fleet) -> None:
    charger = fleet.first.connect("cp1")
    await fleet.site.post("/api/commands", clear_cache("c1"))
    charger.answer({"status": "Accepted"})
    await fleet.site.post("/api/commands", clear_cache("c1", "p,q&"))
    assert fleet.site.headers["location"] == "/api/commands/c1?charger=p%2Cq%26"
    fleet.sweep(1)
    for site in (fleet.site, other := FleetSite(fleet.second)):
        assert (await site.get("/api/commands/c1", charger="cp1"))["status"] == "Accepted"
        assert (await site.get("/api/commands/c1", charger="p,q&"))["outcome"] == "offline"
        assert (await site.refused("/api/commands/c1", charger="cp3"))[0] == 404
    assert (await fleet.site.get("/api/commands/c1"))["charger"] == "cp1", "the first"
    await other.close()


async def test_what_is_no_command_is_refused(fleet: Fleet) -> None:
    for body in ([], {}, {"cp_id": "x"}, {"cp_id": "x", "command": "No!", "data": {}}):
        assert (await fleet.site.post("/api/commands", body))[0] == 400
    assert (await fleet.site.refused("/api/commands/unknown"))[0] == 404


async def test_commands_of_late_are_filtered(fleet: Fleet) -> None:
    charger = fleet.first.connect("cp1")
    for id, to in (("c1", "cp1"), ("c2", "cp2"), ("c3", "cp1")):
        fleet.first.push_command(cp_id=to, command="clear_cache", data={}, id=id)
    for id, answer in (("c1", "Accepted"), ("c3", "Rejected")):
        charger.answer({"status": answer}, id)
    await fleet.site.post("/api/commands", {"cp_id": "cp3", "command": "clear_cache", "data": {}, "id": "c4"})

    async def ids(**query: Any) -> set[str]:
        return {row["id"] for row in (await fleet.site.get("/api/commands", **query))["rows"]}

    assert await ids() == {"c1", "c2", "c3", "c4"}
    assert await ids(failed="true") == await ids(outcome="offline") == {"c2", "c4"}
    assert await ids(charger="cp1") == {"c1", "c3"} and await ids(action="Reset") == set()
    assert await ids(by="list") == {"c1", "c2", "c3"}
    assert (await fleet.site.refused("/api/commands", outcome="happy"))[0] == 400


def keys(count: int) -> dict[str, Any]:
    """An answer to GetConfiguration, of some 100 bytes for each key."""
    return {"configurationKey": [{"key": f"Key{i:03}", "readonly": False, "value": "x" * 50} for i in range(count)]}


async def remembered(fleet: Fleet, *answer: Any) -> dict[str, Any]:
    """What the history has of a command that is answered so, and every route tells of it."""
    charger = fleet.first.connect("cp1")
    fleet.first.push_command(cp_id="cp1", data=[2, "c1", "GetConfiguration", {}])
    charger.send_text(json.dumps([answer[0], charger.frames()[-1][1], *answer[1:]]))
    fleet.sweep(1)
    [row] = (await fleet.site.get("/api/commands"))["rows"]
    other = FleetSite(fleet.second)
    assert row == await fleet.site.get("/api/commands/c1") == await other.get("/api/commands/c1")
    await other.close()
    return row


async def test_an_answer_is_remembered_whole_unless_it_is_long(fleet: Fleet) -> None:
    row = await remembered(fleet, 3, keys(20))
    assert row["payload"] == keys(20) and "left_out" not in row


async def test_an_answer_that_is_too_long_to_be_remembered_is_said_to_be_left_out(fleet: Fleet) -> None:
    row = await remembered(fleet, 3, keys(60))
    assert (row["outcome"], row["payload"], row["error"], row["left_out"]) == ("result", None, None, True)
    assert fleet.first.command_result()["payload"] == keys(60)


async def test_of_an_error_that_is_too_long_to_be_remembered_only_the_details_are_left_out(fleet: Fleet) -> None:
    row = await remembered(fleet, 4, "InternalError", "the modem is gone", {"trace": "x" * 5000})
    assert row["error"] == {"code": "InternalError", "description": "the modem is gone"} and row["left_out"] is True
    assert fleet.first.command_result()["error"]["details"] == {"trace": "x" * 5000}


async def test_code_and_description_of_an_error_that_is_too_long_are_as_long_as_ocpp_allows(fleet: Fleet) -> None:
    row = await remembered(fleet, 4, "C" * 300, "\N{SNOWMAN}" * 1000, {"trace": "x" * 5000})
    assert row["error"] == {"code": "C" * 255, "description": "\N{SNOWMAN}" * 255} and row["left_out"] is True


async def test_what_an_earlier_release_has_remembered_of_a_command_is_told_as_it_is(fleet: Fleet) -> None:
    row = await remembered(fleet, 3, keys(60))
    del row["left_out"]
    fleet.store.recent["commands"][-1] = json.dumps(row).encode()
    assert (await fleet.site.get("/api/commands"))["rows"] == [row] and await fleet.site.get("/api/commands/c1") == row


async def test_a_batch_goes_to_those_that_the_filter_lets_through(fleet: Fleet) -> None:
    chargers = {f"c{number:03}": (fleet.first, fleet.second)[number % 2].connect(f"c{number:03}") for number in range(120)}
    boot(fleet.first.connect("other"), "else")
    status, told = await fleet.site.post(
        "/api/batches", {"command": {"command": "clear_cache", "data": {}}, "filter": {"search": "c", "gateway": ["a", "b"]}}
    )
    assert (status, told["total"]) == (202, 120)
    answered: set[str] = set()

    def serve() -> bool:
        for id, each in chargers.items():
            for frame in each.frames():
                answered.add(id)
                each.send_text(json.dumps([3, frame[1], {"status": "Accepted" if id != "c007" else "Rejected"}]))
        fleet.first.clock.advance(0.01)
        return len(answered) == 120

    await until(serve)
    fleet.first.clock.advance(1)
    report = await fleet.site.get(f"/api/batches/{told['id']}")
    assert (report["total"], report["done"], report["over"], report["outcomes"]) == (120, 120, True, {"result": 120})
    assert report["statuses"] == {"Accepted": 119, "Rejected": 1}
    other = FleetSite(fleet.second)
    assert (await other.get(f"/api/batches/{told['id']}"))["done"] == 120
    assert [each["id"] for each in (await other.get("/api/batches"))["rows"]] == [told["id"]]
    await other.close()


async def test_a_batch_tells_what_has_failed(fleet: Fleet) -> None:
    body = {"command": {"data": [2, "x", "Reset", {"type": "Soft"}]}, "chargers": ["one", "two", "one"]}
    _, told = await fleet.site.post("/api/batches", body)
    fleet.sweep(1)
    report = await fleet.site.get(f"/api/batches/{told['id']}")
    assert report["total"] == 2 and report["outcomes"] == {"offline": 2} and report["command"] == "Reset"
    assert {each["charger"] for each in report["failed"]} == {"one", "two"} and len({each["id"] for each in report["failed"]}) == 2
    [row] = (await fleet.site.get("/api/batches"))["rows"]
    assert row == {name: value for name, value in report.items() if name != "failed"}, "the list does not say that nothing has failed"


async def test_what_came_of_a_command_of_a_batch_is_told_although_only_its_event_says_so(fleet: Fleet) -> None:
    """The gateway that had the charger has died, and another one has ended its command."""
    fleet.second.connect("one")
    fleet.second.commands.stop()
    body = {"command": {"command": "clear_cache", "data": {}}, "chargers": ["one"]}
    _, told = await fleet.site.post("/api/batches", body)
    fleet.sweep(300)
    report = await fleet.site.get(f"/api/batches/{told['id']}")
    assert report["over"] and report["outcomes"] == {"unknown": 1}
    failed = report["failed"][0]
    assert failed["outcome"] == "unknown"
    row = {**failed, "outcome": "expired", "time": TIME, "gateway": "c"}
    fleet.store.record("commands", json.dumps(row).encode(), 100)
    fleet.sweep(10)
    for site in (fleet.site, other := FleetSite(fleet.second)):
        report = await site.get(f"/api/batches/{told['id']}")
        assert report["outcomes"] == {"expired": 1} and [each["outcome"] for each in report["failed"]] == ["expired"]
    await other.close()


async def test_what_is_no_batch_is_refused(fleet: Fleet) -> None:
    command = {"command": "clear_cache", "data": {}}
    for body in (
        [], {"command": command}, {"command": command, "chargers": []}, {"command": command, "chargers": ["x"], "filter": {}},
        {"command": {"command": "No!"}, "chargers": ["x"]}, {"command": command, "filter": {"colour": "red"}}, {"chargers": ["x"]},
        {"command": command | {"id": "mine"}, "chargers": ["x"]}, {"command": command | {"cp_id": "x"}, "chargers": ["x"]},
        {"command": {"command": "celebrate", "data": {}}, "chargers": ["x"]}, {"command": {"CpID": "x", "data": [2, "", "Reset", {}]}, "chargers": ["x"]},
        {"command": {"data": [2, "x", "Celebrate", {}]}, "chargers": ["x"]}, {"command": {"data": [2, "x", "Heartbeat", {}]}, "chargers": ["x"]},
        {"command": command, "chargers": "x"}, {"command": command, "filter": {"state": ["happy"]}}, {"command": command, "filter": {}},
    ):  # fmt: skip
        assert (await fleet.site.post("/api/batches", body))[0] == 400, body
    assert (await fleet.site.refused("/api/batches/unknown"))[0] == 404


async def test_troubles_are_filtered_and_paged(fleet: Fleet) -> None:
    for id in ("one", "two"):
        for _ in range(3):
            fleet.first.connect(id).call_error("Nonsense")
    fleet.first.connect("three").disconnect(1002, "no")
    rows = (await fleet.site.get("/api/troubles"))["rows"]
    assert rows[0]["event"] == "disconnect_charger" and rows[0]["charger"] == "three" and len(rows) >= 7
    told = await fleet.site.get("/api/troubles", charger="two", kind="message_refused", limit=2)
    assert [each["charger"] for each in told["rows"]] == ["two", "two"] and told["cursor"]
    rest = await fleet.site.get("/api/troubles", charger="two", kind="message_refused", cursor=told["cursor"])
    assert len(rest["rows"]) == 1


async def test_the_actions_of_each_version_and_their_schemas_are_told(fleet: Fleet) -> None:
    told = await fleet.site.get("/api/actions")
    assert "Reset" in told["raw"]["1.6"] and "reset" in told["neutral"] and "Heartbeat" not in told["raw"]["2.0.1"]
    assert set((await fleet.site.get("/api/actions", ocpp="2.1"))["raw"]) == {"2.1"}
    for ocpp, actions in told["raw"].items():
        for action in actions:
            assert (await fleet.site.get(f"/api/actions/{ocpp}/{action}"))["type"] == "object"
    for path in ("1.6/Heartbeat", "3/Reset", "1.6/..%2fReset"):
        assert (await fleet.site.refused(f"/api/actions/{path}"))[0] == 404


async def test_who_watches_is_told_all_first_and_then_what_changes(fleet: Fleet) -> None:
    charger = boot(fleet.second.connect("c1"))
    boot(fleet.first.connect("c2"))
    watcher = await fleet.site.watch("/api/watch/chargers", sort="id")
    await until(lambda: fleet.sweep(0.25) or watcher.events)
    event, told = await watcher.next()
    assert event == "snapshot" and [row["id"] for row in told["rows"]] == ["c1", "c2"]
    fleet.sweep(6)
    await pause(0.1)
    assert watcher.events == []  # nothing has changed
    status(charger, "Faulted")
    boot(fleet.first.connect("c0"))
    fleet.sweep(5)
    event, told = await watcher.next()
    while len(told["order"]) < 3 or not any(row["id"] == "c1" for row in told["rows"]):
        before, (event, told) = told, await watcher.next()
        told["rows"] += before["rows"]
    assert event == "changes" and told["order"] == ["c0", "c1", "c2"] and told["total"] == 3
    assert {row["id"] for row in told["rows"]} == {"c0", "c1"}
    watcher.close()
    await until(lambda: fleet.first.application.monitoring.watching.views == 0)


async def test_those_who_watch_the_same_share_the_work(fleet: Fleet) -> None:
    watchers = [await fleet.site.watch("/api/watch/overview") for _ in range(3)]
    await until(lambda: fleet.sweep(0.25) or all(each.events for each in watchers))
    for each in watchers:
        event, told = await each.next()
        assert event == "snapshot" and told["chargers"]["total"] == 0
    fleet.second.connect("c1")
    fleet.sweep(4)
    for each in watchers:
        event, told = await each.next()
        while "chargers" not in told:
            event, told = await each.next()
        assert event == "changes" and told["chargers"]["online"] == 1
        each.close()
    assert fleet.first.application.monitoring.watching.views == 1
    await until(lambda: fleet.first.application.monitoring.watching.views == 0)


async def test_a_token_that_may_only_ask_gives_no_commands(tmp_path: Path) -> None:
    lines = [f"{name} {name} {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("read", "command")]
    (tmp_path / "tokens").write_text("".join(lines))
    fleet = Fleet(str(tmp_path / "tokens"))
    command = {"command": "clear_cache", "data": {}}
    for path, body in (("/api/commands", {**command, "cp_id": "x"}), ("/api/batches", {"command": command, "chargers": ["x"]})):
        assert (await fleet.site.post(path, body, "read"))[0] == 403
        assert (await fleet.site.post(path, body, "command"))[0] == 202
    fleet.sweep(1)
    assert json.loads(fleet.store.recent["commands"][-1])["by"] == "command"
    await fleet.close()


async def test_without_the_store_what_this_gateway_knows_is_told(fleet: Fleet) -> None:
    boot(fleet.first.connect("c1"))
    fleet.first.fleet.away = True
    told = await fleet.site.get("/api/fleet/chargers")
    assert [row["id"] for row in told["rows"]] == ["c1"] and told["trouble"] == "the store cannot be reached"


async def test_without_the_store_nobody_elses_is_gone_or_away_and_nothing_is_waited_for(fleet: Fleet) -> None:
    """Whatever is the matter with it: here it would never answer."""
    chargers = states_of(fleet)
    for path in ("/api/overview", "/api/fleet/chargers"):
        await fleet.site.get(path)
    gateway = fleet.first
    gateway.fleet.away = True
    gateway.states.available = False
    gateway.records.table = gateway.history.recent = lambda *args: Deferred()
    fleet.sweep()
    fleet.store.living.clear()
    told = await fleet.site.get("/api/overview")
    assert (told["gone"], told["missing"], told["trouble"]) == ([], [], "the store cannot be reached")
    assert (told["chargers"]["total"], told["chargers"]["away"]) == (3, 1)
    assert [each["name"] for each in told["gateways"]] == ["a"]
    told = await fleet.site.get("/api/fleet/chargers")
    assert told["trouble"] and {row["id"]: row["state"] for row in told["rows"]} == {
        "online": "online",
        "faulted": "faulted",
        "gone": "away",
    }
    for path in ("/api/fleet/chargers/charging", "/api/fleet/chargers/nobody", "/api/batches/unknown"):
        code, detail = await fleet.site.refused(path)
        assert code == 503 and "the store cannot be reached" in detail
    assert (await fleet.site.get("/api/transactions", state="running"))["trouble"] == "the store cannot be reached"
    assert (await fleet.site.get("/api/batches"))["trouble"] == "the store cannot be reached"
    await fleet.site.text("/api/transactions.csv", state="running")
    assert fleet.site.headers["x-missing"] == "others"
    batch = {"command": {"command": "clear_cache", "data": {}}, "filter": {"search": "o"}}
    told = (await fleet.site.post("/api/batches", batch))[1]
    assert (told["total"], told["trouble"]) == (2, "the store cannot be reached")
    for id in ("online", "faulted"):  # which ends their commands
        chargers[id].disconnect()
    fleet.sweep(1)


def outage(gateway: InMemoryGateway) -> None:
    """Its store never answers."""
    gateway.fleet.away = gateway.events.paused = True
    gateway.states.available = False
    gateway.records.table = gateway.records.record = lambda *args: fail(StoreUnavailable("it does not answer"))


def outage_over(gateway: InMemoryGateway) -> None:
    gateway.fleet.away, gateway.states.available = False, True
    del gateway.records.table, gateway.records.record
    gateway.events.resume()


@pytest.mark.parametrize("looked", [True, False])
async def test_who_leaves_in_an_outage_is_away_as_it_was_last(fleet: Fleet, looked: bool) -> None:
    one = boot(fleet.first.connect("one"))
    fleet.second.connect("two")
    id = begin(one)
    status(one, "Charging")
    meter(one, id, 3000, 7000)
    fleet.sweep()
    if looked:
        await fleet.site.get("/api/overview")
    outage(fleet.first)
    fleet.sweep(10)
    one.disconnect(1001, "bye")
    for passed in (0, 3600):
        fleet.sweep(passed)
        counted = (await fleet.site.get("/api/overview"))["chargers"]
        assert (counted["total"], counted["away"]) == (1, 1)
        for query in ({}, {"state": "away"}, {"search": "one", "sort": "-since"}):
            told = await fleet.site.get("/api/fleet/chargers", **query)
            assert told["trouble"] and (told["total"], told["states"]["away"]) == (1, 1)
            (row,) = told["rows"]
            assert (row["id"], row["state"], row["since"], row["model"], row["gateway"]) == ("one", "away", iso(START_TIME + 15), "M", "a")
            assert (row["transactions"], row["energy_wh"], [each["status"] for each in row["connectors"]]) == (1, 2000, ["Charging"])
        told = await fleet.site.get("/api/fleet/chargers/one")
        assert (told["connected"], told["away"]["code"], told["row"]) == (False, 1001, row)
        (running,) = told["transactions"]
        assert (running["id"], running["tag"], running["energy_wh"], running["away"], len(running["curve"])) == (id, "T", 2000, True, 1)
        (running,) = (await fleet.site.get("/api/transactions", state="running"))["rows"]
        assert (running["charger"], running["id"], running["away"]) == ("one", id, True)
    outage_over(fleet.first)
    for seconds in (0, 5, 60):
        fleet.sweep(seconds)
        told = await fleet.site.get("/api/fleet/chargers")
        assert told["trouble"] == "" and [each["id"] for each in told["rows"]] == ["one", "two"]
        assert told["rows"][0] == row
        assert len((await fleet.site.get("/api/transactions"))["rows"]) == 1


async def test_who_comes_back_in_an_outage_is_not_away(fleet: Fleet) -> None:
    one = boot(fleet.first.connect("one"))
    id = begin(one)
    fleet.sweep()
    outage(fleet.first)
    one.disconnect()
    assert (await fleet.site.get("/api/fleet/chargers"))["states"]["away"] == 1
    one = fleet.first.connect("one")
    end(one, id, 2000)
    fleet.sweep(15)
    told = await fleet.site.get("/api/fleet/chargers")
    assert [(row["id"], row["state"]) for row in told["rows"]] == [("one", "online")] and told["states"]["away"] == 0
    assert (await fleet.site.get("/api/fleet/chargers", state="away"))["rows"] == []
    assert (await fleet.site.get("/api/transactions", state="running"))["rows"] == []
    assert (await fleet.site.get("/api/fleet/chargers/one"))["connected"]
    one.disconnect()
    (row,) = (await fleet.site.get("/api/fleet/chargers"))["rows"]
    assert (row["state"], row["since"], row["transactions"]) == ("away", iso(START_TIME + 20), 0)


async def test_no_more_of_those_that_left_are_remembered_than_is_good(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away, "MAX_LEFT", 3)
    outage(fleet.first)
    for number in range(6):
        fleet.first.connect(f"c{number}").disconnect()
        if number == 3:
            assert (await fleet.site.get("/api/fleet/chargers"))["total"] == 3
    told = await fleet.site.get("/api/fleet/chargers", state="away")
    assert [row["id"] for row in told["rows"]] == ["c3", "c4", "c5"]
    outage_over(fleet.first)
    fleet.sweep()
    assert (await fleet.site.get("/api/fleet/chargers", state="away"))["total"] == 6


async def test_a_charger_of_a_gateway_that_does_not_answer_is_not_called_unknown(fleet: Fleet) -> None:
    fleet.second.connect("new")
    fleet.second.fleet.deaf = True
    response = await fleet.answered("/api/fleet/chargers/nobody")
    assert response.code == 503 and "no answer from b" in (await response.json())["detail"]


async def test_hostile_identities_are_data(fleet: Fleet) -> None:
    hostile = "<script>alert(1)</script>\"'"
    boot(fleet.first.connect(hostile), "<b>", "\u2028")
    row = (await fleet.site.get("/api/fleet/chargers", search="<SCRIPT>"))["rows"][0]
    assert row["id"] == hostile and row["model"] == "<b>"


async def test_what_is_read_while_redis_takes_no_writes_says_that_what_has_happened_since_is_missing(fleet: Fleet) -> None:
    for path in ("/api/commands", "/api/troubles"):
        assert (await fleet.site.get(path))["trouble"] == ""
    fleet.first.fleet.away = True
    for path in ("/api/commands", "/api/troubles"):
        assert (await fleet.site.get(path))["trouble"] == fleet.first.fleet.trouble != ""
