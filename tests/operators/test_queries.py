"""What can be asked of operators' HTTP, and what is answered to what cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_twisted

from fleet_site import FleetSite
from ocpp_tw.contract.documents import as_json
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

OLDER = {"/api/chargers", "/api/registered", "/api/violations"}
"""Before there were others: what they do not know they have never minded."""

ELSEWHERE = ("/api/live", "/frames", "/events", "/metrics", "z", ".json")
"""Served by classes that this site has not, or without a query."""


@pytest.fixture
def gateway() -> InMemoryGateway:
    return InMemoryGateway(Settings(name="a"))


@pytest_twisted.async_yield_fixture
async def site(gateway: InMemoryGateway) -> AsyncIterator[FleetSite]:
    gateway.application.start()
    made = FleetSite(gateway)
    yield made
    gateway.application.stop()
    gateway.fleet.stop()
    await made.close()


def routes() -> list[tuple[str, dict[str, Any]]]:
    """The paths that can be read, with their parameters in the query."""
    paths = msgspec.json.decode(as_json("openapi"))["paths"]
    read = {path: methods["get"] for path, methods in paths.items() if "get" in methods}
    return [
        (path.replace("{ocpp}", "1.6").replace("{action}", "Reset").replace("{id}", "x"), each)
        for path, each in read.items()
        if path not in OLDER and not path.endswith(ELSEWHERE) and not path.startswith("/api/chargers/")
    ]


@pytest.mark.parametrize(("path", "operation"), routes(), ids=[path for path, _ in routes()])
async def test_a_parameter_that_there_is_not_is_refused_and_those_that_there_are_are_named(
    site: FleetSite, path: str, operation: Any
) -> None:
    status, detail = await site.refused(path, colour="red")
    known = sorted(each["name"] for each in operation["parameters"] if each["in"] == "query")
    assert (status, detail) == (
        400,
        f"There is no parameter 'colour' here: {'there are ' + ', '.join(known) if known else 'there are none'}",
    )


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/api/fleet/chargers", {"sort": "colour"}, "sort must be one of id, state, since,"),
        ("/api/fleet/chargers", {"sort": "colour"}, "last_message, with a minus before it for the other direction"),
        (
            "/api/fleet/chargers",
            {"state": "away,happy"},
            "state must be some of away, charging, faulted, online, silent, unresponsive, with commas",
        ),
        ("/api/fleet/chargers", {"limit": 0}, "limit must be a whole number from 1 to 1000"),
        ("/api/fleet/chargers", {"limit": 1001}, "limit must be a whole number from 1 to 1000"),
        ("/api/fleet/chargers", {"offset": 1e9}, "offset must be a whole number from 0 to 200000"),
        ("/api/fleet/chargers", {"violations": "yes"}, "violations must be true or false"),
        ("/api/fleet/chargers", {"search": "x" * 201}, "search must be a text of at most 200 characters"),
        ("/api/watch/chargers", {"sort": "colour"}, "sort must be one of"),
        ("/api/transactions", {"state": "begun"}, "state must be one of ended, running"),
        ("/api/transactions", {"from": "yesterday"}, "from must be a time with its zone, such as 2026-11-29T08:00:00Z"),
        ("/api/transactions", {"to": "2026-11-29T08:00:00"}, "to must be a time with its zone, such as 2026-11-29T08:00:00Z"),
        ("/api/transactions", {"to": "0001-01-01T00:00:00+14:00"}, "to must be a time"),
        ("/api/transactions", {"from": "9999-12-31T23:59:59-12:00"}, "from must be a time"),
        ("/api/transactions", {"from": "2026-11-29T08:00:00." + "1" * 5000 + "Z"}, "from must be a time"),
        ("/api/transactions", {"cursor": "x"}, "cursor must be the `cursor` of the page before, with the same query"),
        ("/api/transactions", {"cursor": "r-x"}, "cursor must be the `cursor` of the page before"),
        ("/api/transactions", {"cursor": "r-WzFd"}, "cursor must be the `cursor` of the page before"),
        ("/api/transactions", {"state": "running", "cursor": "first"}, "cursor must be the `cursor` of the page before"),
        ("/api/transactions.csv", {"limit": 20_001}, "limit must be a whole number from 1 to 20000"),
        ("/api/commands", {"outcome": "fine"}, "outcome must be one of result, "),
        ("/api/commands", {"failed": "1"}, "failed must be true or false"),
        ("/api/commands", {"cursor": "x"}, "cursor must be"),
        ("/api/troubles", {"cursor": "x"}, "cursor must be"),
        ("/api/actions", {"ocpp": "1.5"}, "ocpp must be one of 1.6, 2.0.1, 2.1"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_and_what_can_be_is_told(site: FleetSite, path: str, query: Any, said: str) -> None:
    status, detail = await site.refused(path, **query)
    assert status == 400 and said in detail, detail


async def test_a_wrong_member_of_a_batch_is_told(site: FleetSite) -> None:
    command = {"command": "clear_cache", "data": {}}
    for body, said in (
        (
            {"filter": {"colour": "red"}},
            "`filter` has no member 'colour': there are firmware, gateway, model, ocpp, search, state, violations",
        ),
        ({"filter": {"state": ["happy"]}}, "state must be some of away,"),
        ({"filter": {"state": "happy,away"}}, "state must be some of away,"),
        ({"filter": {"state": [1]}}, "`filter`: state must be some of away,"),
        ({"filter": {"violations": "true"}}, "`filter`: violations must be true or false"),
        ({"filter": {"search": 1}}, "`filter`: search must be a text of at most 200 characters"),
        ({"filter": [], "ids": []}, "The body has no member 'ids': there are command, filter, chargers"),
    ):
        status, answer = await site.post("/api/batches", {"command": command, **body})
        assert status == 400 and said in answer["detail"], answer


async def test_a_time_may_have_any_zone(site: FleetSite) -> None:
    for time in ("2026-11-29T08:00:00Z", "2026-11-29T08:00:00.5+01:00", "2026-11-29t08:00:00z", "1970-01-01T00:00:00Z"):
        assert (await site.get("/api/transactions", **{"from": time, "to": time}))["rows"] == []


async def test_a_value_may_have_a_comma_in_it(site: FleetSite, gateway: InMemoryGateway) -> None:
    chargers = []
    for id, model in (("p,q", "M, with, commas"), ("p", "M"), ("p\\", "M\\"), ("q", "with")):
        chargers.append(charger := gateway.connect(id))
        charger.send_call("BootNotification", {"chargePointVendor": "V", "chargePointModel": model, "firmwareVersion": "1.0,2"})

    async def ids(**query: Any) -> set[str]:
        return {row["id"] for row in (await site.get("/api/fleet/chargers", **query))["rows"]}

    assert await ids(model="M\\, with\\, commas") == {"p,q"} and await ids(firmware="1.0\\,2") == {"p,q", "p", "p\\", "q"}
    assert await ids(model="M, with, commas") == {"p", "q"} and await ids(model="M\\, with\\, commas , M") == {"p,q", "p"}
    assert await ids(model="M\\\\,with") == {"p\\", "q"} and await ids(model="M\\") == {"p\\"}
    for wanted in (["M, with, commas"], "M\\, with\\, commas"):
        body = {"command": {"command": "clear_cache", "data": {}}, "filter": {"model": wanted}}
        assert (await site.post("/api/batches", body))[1]["total"] == 1
    for charger in chargers:  # which ends their commands
        charger.disconnect()
    gateway.clock.advance(1)
