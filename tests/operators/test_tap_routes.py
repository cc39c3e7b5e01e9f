"""The tap over HTTP: a charger's frames as lines, its events, and a stream of both; behind the same door as everything else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.web.client import Agent

from fleets import pause, until
from ocpp_tw.fleet import feeds
from ocpp_tw.monitoring.fleet_tap import FleetTap
from ocpp_tw.operators.tap_routes import TapRoutes
from ocpp_tw.settings import Settings
from ocpp_tw.tapping.following import listed
from ocpp_tw.testing import InMemoryGateway
from openapi_answers import check_headers
from operators_site import Site

VENDOR = {"vendorId": "V"}

BACKSLASH = "r\\"


class Served:
    """A gateway in memory, in real time, and operators' HTTP in front of it."""

    def __init__(self, **settings: Any) -> None:
        self.here = InMemoryGateway(replace(Settings(name="gw"), **settings), clock=reactor)
        tap = FleetTap(self.here.fleet) if self.here.application.tap else None
        self.site = Site(gateway=self.here.gateway, others=[TapRoutes(tap, reactor)], limit=64)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.site.port.getHost().port}{path}"

    async def lines(self, path: str) -> list[Any]:
        response = await self.site.client.get(self.url(path))
        assert response.code == 200 and response.headers.getRawHeaders("content-type") == ["application/jsonl"]
        self.headers = {name.decode().lower(): values for name, values in response.headers.getAllRawHeaders()}
        check_headers(path.partition("?")[0], 200, self.headers)
        return [json.loads(line) for line in (await response.text()).splitlines()]

    async def follow(self, query: str = "") -> Stream:
        stream = Stream()
        response = await Agent(reactor).request(b"GET", self.url(f"/api/live{query}").encode())
        assert response.headers.getRawHeaders("content-type") == ["text/event-stream"]
        response.deliverBody(stream)
        return stream

    async def close(self) -> None:
        self.here.fleet.stop()
        await self.site.close()


class Stream(Protocol):
    """What a client of the stream has read."""

    text = b""

    def dataReceived(self, data: bytes) -> None:
        self.text += data

    @property
    def items(self) -> list[Any]:
        return [json.loads(each[6:]) for each in self.text.split(b"\n\n") if each.startswith(b"data: ")]


@async_yield_fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    yield made
    await made.close()


async def test_frames_are_lines_of_json(served):
    client = served.here.connect("RDAM/1")
    client.call("DataTransfer", VENDOR, id="1")
    client.call("Heartbeat", id="2")
    path = "/api/fleet/chargers/RDAM%2F1/frames"
    everything = await served.lines(path)
    assert [each["frame"][:2] for each in everything] == [[2, "1"], [3, "1"], [2, "2"], [3, "2"]]
    assert await served.lines(f"{path}?limit=1") == everything[-1:]
    assert await served.lines(f"{path}?action=DataTransfer") == everything[:2]
    assert await served.lines(f"{path}?before={everything[2]['time']}") == everything[:2]
    assert await served.lines("/api/fleet/chargers/nobody/frames") == []


async def test_a_header_says_that_others_could_not_be_asked_for_their_frames(served):
    served.here.connect().call("Heartbeat", id="1")
    path = "/api/fleet/chargers/cp1/frames"
    assert await served.lines(path) and "x-missing" not in served.headers
    served.here.fleet.away = True
    assert await served.lines(path) and served.headers["x-missing"] == [b"others"]


async def test_events_after_a_number(served):
    client = served.here.connect()
    client.call("DataTransfer", VENDOR)
    client.call("DataTransfer", VENDOR)
    published = served.here.published()
    path = "/api/fleet/chargers/cp1/events"
    assert await served.site.request("GET", path) == (200, {"events": published, "complete": True})
    assert await served.site.request("GET", f"{path}?since=1&limit=1") == (200, {"events": published[1:2], "complete": True})


@pytest.mark.parametrize("what", ["frames", "events"])
async def test_tags_are_blanked_on_request(served, what):
    served.here.connect().call("Authorize", {"idTag": "TAG-OF-BOB"})
    for query, seen in (("", True), ("?tags=blank", False)):
        text = await (await served.site.client.get(served.url(f"/api/fleet/chargers/cp1/{what}{query}"))).text()
        assert "Authorize" in text and ("TAG-OF-BOB" in text) == seen


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("fleet/chargers/cp1/frames?limit=0", "limit must be a whole number from 1 to 5000"),
        (
            "fleet/chargers/cp1/frames?before=yesterday",
            "before must be a time with its zone, such as 2026-11-29T08:00:00Z (a + is sent as %2B)",
        ),
        (
            "fleet/chargers/cp1/frames?before=2026-11-29T08:00:00",
            "before must be a time with its zone, such as 2026-11-29T08:00:00Z (a + is sent as %2B)",
        ),
        ("fleet/chargers/cp1/events?since=x", f"since must be a whole number from 0 to {1 << 53}"),
        ("fleet/chargers/cp1/frames?tags=no", "tags must be one of blank"),
        ("live?what=everything", "what must be some of events, frames, with commas between them"),
        ("live?charger=" + ",".join(map(str, range(101))), "charger must have no more than 100 values"),
        ("live?tags=no", "tags must be one of blank"),
    ],
)
async def test_a_wrong_query_is_told_what_would_be_right(served, path, detail):
    assert await served.site.request("GET", f"/api/{path}") == (400, {"detail": detail})


async def test_without_a_tap_it_says_so():
    served = Served(tap=0)
    for path in ("fleet/chargers/cp1/frames", "fleet/chargers/cp1/events", "live"):
        status, answer = await served.site.request("GET", f"/api/{path}")
        assert status == 404 and "--tap 0" in answer["detail"]
    await served.close()


async def test_the_stream_has_what_happens_and_ends_with_its_reader(served):
    client = served.here.connect()
    stream = await served.follow()
    narrow = await served.follow("?charger=cp1,cp2&what=events&event=data_transfer&tags=blank")
    client.call("Heartbeat", id="1")
    client.call("DataTransfer", VENDOR, id="2")
    await until(lambda: len(stream.items) == 6 and narrow.items)
    assert [each["kind"] for each in stream.items] == ["frame"] * 4 + ["event"] * 2
    assert [each["event"] for each in narrow.items] == ["data_transfer"]
    for each in (stream, narrow):
        each.transport._producer.abortConnection()
    await until(lambda: not served.site.factory.protocols)
    client.call("Heartbeat", id="3")
    await pause(0.3)
    assert len(stream.items) == 6


async def test_a_charger_with_a_comma_in_its_name_is_followed_and_no_other(served):
    clients = {id: served.here.connect(id) for id in ("p", "p,q", BACKSLASH)}
    stream = await served.follow(f"?what=events&{urlencode({'charger': listed(['p,q', BACKSLASH])})}")
    for each in clients.values():
        each.call("DataTransfer", VENDOR)
    await until(lambda: len(stream.items) == 2)
    await pause(0.3)
    assert [each["data"]["charger"] for each in stream.items] == ["p,q", BACKSLASH]
    stream.transport._producer.abortConnection()
    await until(lambda: not served.site.factory.protocols)


async def test_what_is_too_much_for_the_stream_is_told(served, monkeypatch):
    monkeypatch.setattr(feeds, "ITEMS_PER_SECOND", 10)
    client = served.here.connect()
    stream = await served.follow("?what=frames")
    for number in range(100):
        client.call("Heartbeat", id=str(number))
    await until(lambda: any(each["kind"] == "left_out" for each in stream.items))
    counts = [each["count"] for each in stream.items if each["kind"] == "left_out"]
    assert sum(counts) + sum(each["kind"] == "frame" for each in stream.items) == 200
    stream.transport._producer.abortConnection()


async def test_a_stream_says_when_it_has_only_this_gateways_own(served):
    served.here.fleet.away = True
    stream = await served.follow()
    await until(lambda: stream.items)
    assert stream.items == [{"kind": "trouble", "detail": "only this gateway's own: the store cannot be reached"}]
    stream.transport._producer.abortConnection()


async def test_no_more_follow_than_may(served, monkeypatch):
    monkeypatch.setattr(feeds, "MAX_FOLLOWING", 1)
    stream = await served.follow()
    status, answer = await served.site.request("GET", "/api/live")
    assert status == 503 and "followers" in answer["detail"]
    stream.transport._producer.abortConnection()
    await pause(0.05)
