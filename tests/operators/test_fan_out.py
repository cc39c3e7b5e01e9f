"""Operators' HTTP for several workers behind one address: which requests go to all, and what happens when one worker fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import async_yield_fixture
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from fleets import soon
from ocpp_tw.ocpp.schemas import Violation
from ocpp_tw.ocpp.tolerance.evidence import Evidence, merged
from ocpp_tw.operators import fan_out
from ocpp_tw.operators.fan_out import FanOut
from ocpp_tw.operators.guard import MAX_BODY, Guard
from ocpp_tw.operators.merge import WorkerEndpoint
from ocpp_tw.operators.roles import Role
from ocpp_tw.operators.tokens import Tokens, new_token


class FakeWorker(Resource):
    """A worker's own HTTP: canned answers, and a record of the requests."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, bytes, str | None]] = []
        self.operators: list[Any] = []
        self.silent = self.aborts = False

    def render(self, request):
        self.asked.append((request.method.decode(), request.uri.decode(), request.content.read(), request.getHeader("authorization")))
        self.operators.append(tuple(request.requestHeaders.getRawHeaders(each) for each in ("x-operator", "x-operator-address")))
        if self.aborts:
            request.transport.abortConnection()
        if self.silent or self.aborts:
            request.notifyFinish().addErrback(lambda _: None)
            return NOT_DONE_YET
        status, body = self.answers.get(request.path.decode(), (404, {"detail": "what?"}))
        request.setResponseCode(status)
        request.setHeader("content-type", "application/json")
        request.setHeader("x-inner", "yes")
        return json.dumps(body).encode()


class Fleet:
    """Two workers, and the one address in front of them."""

    def __init__(self, directory: Path, token: str = "", tokens: str = "") -> None:
        self.stopping, self.complete = False, True
        self.workers = [FakeWorker(), FakeWorker()]
        self.down: set[int] = set()
        self.paths = [str(directory / str(number)) for number in (0, 1)]
        self.factories = [WrappingFactory(Site(each)) for each in self.workers]
        self.ports = [reactor.listenUNIX(path, factory) for path, factory in zip(self.paths, self.factories, strict=True)]
        self.factories.append(WrappingFactory(FanOut(self, reactor, "front").site(Guard(Tokens(token, tokens, reactor), reactor))))
        self.ports.append(reactor.listenTCP(0, self.factories[-1], interface="127.0.0.1"))
        self.client = HTTPClient(Agent(reactor, pool=HTTPConnectionPool(reactor, persistent=False)))

    def endpoints(self) -> list[WorkerEndpoint]:
        return [WorkerEndpoint(f"gw-{number + 1}", path, number not in self.down) for number, path in enumerate(self.paths)]

    def both(self, path: str, *answers: tuple[int, Any]) -> None:
        for worker, answer in zip(self.workers, answers, strict=True):
            worker.answers[path] = answer

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.ports[-1].getHost().port}{path}"
        self.response = await self.client.request(method, url, data=None if body is None else json.dumps(body).encode(), headers=headers)
        text = await self.response.text()
        return self.response.code, json.loads(text) if text else None

    async def close(self) -> None:
        for port in self.ports:
            if port.connected:
                await port.stopListening()
        while any(each.protocols for each in self.factories):
            for each in [one for factory in self.factories for one in list(factory.protocols)]:
                each.transport.abortConnection()
            await deferLater(reactor, 0.01)


@async_yield_fixture
async def fleet(tmp_path) -> AsyncIterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    await made.close()


async def test_all_chargers_are_listed_whichever_worker_has_them(fleet):
    fleet.both("/api/chargers", (200, [{"id": "a"}, {"id": "b"}]), (200, [{"id": "c"}]))
    assert await fleet.request("GET", "/api/chargers") == (200, [{"id": "a"}, {"id": "b"}, {"id": "c"}])
    assert fleet.response.headers.getRawHeaders("content-type") == ["application/json"]
    assert await fleet.request("HEAD", "/api/chargers") == (200, None)


HERE, REMEMBERED, UNKNOWN = (200, {"connected": True, "id": "a"}), (200, {"connected": False, "id": "a"}), (404, {"detail": "no"})


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        (HERE, REMEMBERED, HERE),
        (REMEMBERED, HERE, HERE),
        (UNKNOWN, HERE, HERE),
        (REMEMBERED, REMEMBERED, REMEMBERED),
        (UNKNOWN, REMEMBERED, REMEMBERED),
        (UNKNOWN, UNKNOWN, UNKNOWN),
        ((500, {"detail": "x"}), HERE, HERE),
        ((500, {"detail": "x"}), REMEMBERED, (500, {"detail": "x"})),
    ],
)
async def test_one_charger_is_answered_by_the_worker_that_has_it(fleet, one, other, answer):
    fleet.both("/api/chargers/a%2Fb", one, other)
    assert await fleet.request("GET", "/api/chargers/a%2Fb?x=1") == answer
    assert [each.asked[-1][1] for each in fleet.workers] == ["/api/chargers/a%2Fb?x=1"] * 2


EARLY, LATE = ({"time": f"2026-11-23T08:00:0{second}.000Z", "status": 401} for second in (1, 2))


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ((200, HERE[1] | {"last_refusal": EARLY}), (200, REMEMBERED[1] | {"last_refusal": LATE}), (200, HERE[1] | {"last_refusal": LATE})),
        ((200, HERE[1] | {"last_refusal": LATE}), (200, REMEMBERED[1] | {"last_refusal": EARLY}), (200, HERE[1] | {"last_refusal": LATE})),
        ((200, HERE[1] | {"last_refusal": None}), (200, REMEMBERED[1] | {"last_refusal": None}), (200, HERE[1] | {"last_refusal": None})),
        (UNKNOWN, (404, {"detail": "refused", "last_refusal": LATE}), (404, {"detail": "refused", "last_refusal": LATE})),
    ],
)
async def test_one_charger_is_shown_with_its_last_refusal_by_any_worker(fleet, one, other, answer):
    fleet.both("/api/chargers/a", one, other)
    assert await fleet.request("GET", "/api/chargers/a") == answer
    fleet.both("/api/chargers/a", other, one)
    assert await fleet.request("GET", "/api/chargers/a") == answer


async def test_a_command_goes_to_one_worker_in_turn(fleet):
    fleet.both("/command/", (200, {"status": "Accepted"}), (400, {"detail": "Charger not connected"}))
    answers = [await fleet.request("POST", "/command/", {"cp_id": "a"}, authorization="Bearer x") for _ in range(4)]
    assert sorted(status for status, _ in answers) == [200, 200, 400, 400]
    asked = [each.asked for each in fleet.workers]
    assert asked == [[("POST", "/command/", b'{"cp_id": "a"}', "Bearer front")] * 2] * 2
    assert fleet.response.headers.getRawHeaders("x-inner") is None


async def test_a_worker_that_cannot_be_connected_to_is_skipped(fleet):
    """It has no chargers then, and has not acted on the request."""
    await fleet.ports[0].stopListening()
    fleet.workers[1].answers |= {"/api/chargers": (200, [{"id": "c"}]), "/command/": (200, {})}
    assert await fleet.request("GET", "/api/chargers") == (200, [{"id": "c"}])
    assert [await fleet.request("POST", "/command/", {}) for _ in range(2)] == [(200, {})] * 2
    fleet.down = {0, 1}
    assert [await fleet.request(*each) for each in (("POST", "/command/", {}), ("GET", "/api/chargers/a"))] == [
        (503, {"detail": "No worker is there at the moment"})
    ] * 2


async def test_a_command_is_not_repeated_when_a_worker_ends_meanwhile(fleet, said):
    """It may have acted on the request: another worker must not do so a second time."""
    fleet.down = {1}
    fleet.workers[0].aborts = True
    assert await fleet.request("POST", "/command/?secret=1", {}) == (
        502,
        {"detail": "No answer from gw-1, which has ended; it may have acted on the request"},
    )
    assert len(fleet.workers[0].asked) == 1 and fleet.workers[1].asked == []
    assert [each for each in said if "operator" in each] == [
        "operator request POST /command/ failed: gw-1 closed the connection before it had answered, as one does that is killed"
    ]
    fleet.down = set()
    fleet.workers[1].answers["/api/chargers"] = (200, [{"id": "c"}])
    assert await fleet.request("GET", "/api/chargers") == (200, [{"id": "c"}])


async def test_a_worker_that_hangs_fails_the_list(fleet, monkeypatch):
    monkeypatch.setattr(fan_out, "WORKER_TIMEOUT", 0.2)
    fleet.both("/api/chargers", (200, []), (200, []))
    fleet.workers[1].silent = True
    assert await fleet.request("GET", "/api/chargers") == (503, {"detail": "gw-2 does not answer"})


async def test_a_flood_of_health_checks_is_no_flood_of_connections_to_workers(fleet, monkeypatch):
    monkeypatch.setattr(fan_out, "WORKER_TIMEOUT", 0.3)
    fleet.workers[0].silent = fleet.workers[1].silent = True
    asking = [Deferred.fromCoroutine(fleet.request("GET", "/healthz")) for _ in range(20)]
    while not fleet.workers[0].asked:
        await deferLater(reactor, 0.01)
    await deferLater(reactor, 0.1)
    assert [len(each.asked) for each in fleet.workers] == [fan_out.MAX_ASKING_ALL] * 2
    assert [(await soon(each))[0] for each in asking] == [503] * 20


async def test_a_client_that_disconnects_leaves_nothing_behind(fleet):
    fleet.workers[0].silent = fleet.workers[1].silent = True
    asking = Deferred.fromCoroutine(fleet.request("POST", "/command/", {})).addErrback(lambda _: None)
    while not any(each.asked for each in fleet.workers):
        await deferLater(reactor, 0.01)
    asking.cancel()
    while any(each.protocols for each in fleet.factories):
        await soon(deferLater(reactor, 0.01))


async def test_a_refusal_by_the_workers_is_that_of_all(fleet):
    refusal = (401, {"detail": "A bearer token is needed"})
    for path in ("/api/chargers", "/api/violations", "/api/chargers/a"):
        fleet.both(path, refusal, refusal)
        assert await fleet.request("GET", path) == refusal


async def test_the_front_tells_the_workers_who_asks_and_a_client_cannot(tmp_path):
    file = tmp_path / "tokens"
    token, line = new_token("alice", Role.command)
    file.write_text(line)
    fleet = Fleet(tmp_path, "s3cret", str(file))
    fleet.both("/command/", (200, {}), (200, {}))
    forged = {"x-operator": "bob", "x-operator-address": "192.0.2.1"}
    for shown in (token, "s3cret"):
        for _ in range(2):
            assert (await fleet.request("POST", "/command/", {}, authorization=f"Bearer {shown}", **forged))[0] == 200
    for worker in fleet.workers:
        assert worker.operators == [(["alice"], ["127.0.0.1"]), ([""], ["127.0.0.1"])]
        assert {each[3] for each in worker.asked} == {"Bearer front"}, "no token leaves the front"
    await fleet.close()


async def test_the_front_asks_for_the_role_before_a_worker_is_asked(tmp_path):
    file = tmp_path / "tokens"
    token, line = new_token("alice", Role.read)
    file.write_text(line)
    fleet = Fleet(tmp_path, tokens=str(file))
    status, answer = await fleet.request("POST", "/command/", {}, authorization=f"Bearer {token}")
    assert (status, answer) == (403, {"detail": "This needs a token with the role command, and the role of alice is read"})
    assert [each.asked for each in fleet.workers] == [[], []]
    await fleet.close()


async def test_the_front_asks_for_the_role_that_a_command_needs_before_a_worker_is_asked(tmp_path):
    file = tmp_path / "tokens"
    token, line = new_token("alice", Role.command)
    file.write_text(line)
    fleet = Fleet(tmp_path, tokens=str(file))
    fleet.both("/command/", (200, {}), (200, {}))
    rotating = {"cp_id": "cp1", "command": "rotate_password"}
    status, answer = await fleet.request("POST", "/command/", rotating, authorization=f"Bearer {token}")
    assert (status, answer) == (403, {"detail": "rotate_password needs a token with the role admin, and the role of alice is command"})
    assert [each.asked for each in fleet.workers] == [[], []]
    assert (await fleet.request("POST", "/command/", {**rotating, "command": "reset"}, authorization=f"Bearer {token}"))[0] == 200
    await fleet.close()


async def test_the_front_asks_for_the_token_and_the_length_before_a_worker_is_asked(tmp_path):
    fleet = Fleet(tmp_path, "s3cret")
    fleet.both("/healthz", (200, {"chargers": 0}), (200, {"chargers": 0}))
    for headers in ({}, {"authorization": "Bearer wrong"}):
        status, _ = await fleet.request("POST", "/command/", "x" * MAX_BODY, **headers)
        assert (status, fleet.response.headers.getRawHeaders("www-authenticate")) == (401, ['Bearer realm="ocpp"'])
    right = {"authorization": "Bearer s3cret"}
    assert await fleet.request("POST", "/command/", "x" * MAX_BODY, **right) == (
        413,
        {"detail": f"The body is longer than {MAX_BODY} bytes"},
    )
    assert [each.asked for each in fleet.workers] == [[], []]
    assert (await fleet.request("GET", "/healthz"))[0] == 200
    fleet.both("/command/", (200, {}), (200, {}))
    assert (await fleet.request("POST", "/command/", {}, **right))[0] == 200
    await fleet.close()


async def test_the_front_serves_no_web_page_without_a_token(fleet):
    """HOSTILE F13."""
    for headers, status in (
        ({"origin": "http://evil.example"}, 403),
        ({"host": "evil.example"}, 403),
        ({"content-type": "text/plain"}, 415),
    ):
        assert (await fleet.request("POST", "/command/", {}, **headers))[0] == status
    assert [each.asked for each in fleet.workers] == [[], []]


SPOOL = {"groups": 1, "events": 2, "trouble": ""}
READY = (200, {"ready": True, "redis": True, "unread": 12, "spool": SPOOL, "credentials_key": None, "open": ["a door"]})
NOT_READY = (
    503,
    {"ready": False, "redis": False, "unread": None, "spool": SPOOL | {"trouble": "full"}, "credentials_key": "wrong", "open": ["a door"]},
)


@pytest.mark.parametrize(
    ("answers", "down", "complete", "stopping", "status", "redis", "workers"),
    [
        ((READY, READY), (), True, False, 200, True, [True, True]),
        ((READY, NOT_READY), (), True, False, 200, False, [True, False]),
        ((NOT_READY, NOT_READY), (), True, False, 503, False, [False, False]),
        ((READY, READY), (1,), True, False, 200, True, [True, False]),
        ((READY, READY), (1,), False, False, 503, True, [True, False]),
        ((READY, READY), (0, 1), True, False, 503, False, [False, False]),
        ((READY, READY), (), True, True, 503, True, [True, True]),
    ],
)
async def test_it_is_ready_while_one_worker_is_but_not_before_all_have_been(
    fleet, answers, down, complete, stopping, status, redis, workers
):
    fleet.both("/readyz", *answers)
    fleet.down, fleet.complete, fleet.stopping = set(down), complete, stopping
    up = [answer for number, answer in enumerate(answers) if number not in down]
    trouble = "full" if NOT_READY in up else ""
    spool = {"groups": len(up), "events": 2 * len(up), "trouble": trouble} if up else None
    unread = max((12 if answer is READY else 0 for answer in up), default=None)
    told = {"ready": status == 200, "redis": redis, "unread": unread, "spool": spool, "stopping": stopping}
    told["workers"] = dict(zip(("gw-1", "gw-2"), workers, strict=True))
    told["open"] = ["a door"] if up else []
    told["credentials_key"] = "wrong" if NOT_READY in up else None
    assert await fleet.request("GET", "/readyz") == (status, told)


async def test_health_counts_the_chargers_of_each(fleet):
    fleet.both("/healthz", (200, {"chargers": 3}), (200, {"chargers": 4}))
    assert await fleet.request("GET", "/healthz") == (200, {"status": "ok", "chargers": 7, "workers": {"gw-1": 3, "gw-2": 4}})


def seen(*notes: tuple[str, str, str]) -> Evidence:
    counted = Evidence()
    for model, rule, time in notes:
        counted.record(("V", model, "1"), "Heartbeat", [Violation(("a",), rule, 1, "")], time)
    return counted


async def test_evidence_of_all_is_what_one_gateway_would_have_seen(fleet):
    notes = [("B", "type", "1"), ("A", "type", "2"), ("A", "enum", "3"), ("A", "enum", "4"), ("A", "type", "5"), ("A", "enum", "6")]
    parts = [seen(*notes[0::2]), seen(*notes[1::2])]
    fleet.both("/api/violations", *((200, each.report()) for each in parts))
    assert await fleet.request("GET", "/api/violations") == (200, seen(*notes).report())
    assert merged([]) == []
