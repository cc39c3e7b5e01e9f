"""What every IBackend does: the one over HTTP, asked over a real connection, and the one of dictionaries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from pytest_twisted import async_yield_fixture
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface.verify import verifyObject

from ocpp_tw.backend.http import HttpBackend
from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.facts import Admission, Authorization
from ocpp_tw.interfaces import BackendFailed, IBackend

ODD = ["a/b", "a?x=1", "a#f", "50%", "%2F", "a b+c", "été", "🚗", "a&b=c;d", '"', "...", "a..b", "http://x@y:1"]  # fmt: skip
CLIMBING = ["", ".", "..", "../../admin", "a/../b", "..\\..\\admin"]


@dataclass
class World:
    """A backend, and what it is supposed to know."""

    transactions: dict[str, int] = field(default_factory=dict)
    tags: dict[str, Authorization] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: dict[str, int | None] = field(default_factory=dict)
    chargers: dict[str, Admission] = field(default_factory=dict)
    failing: bool = False
    backend: Any = None
    fail: Callable[[], None] = lambda: None


class Operator(Resource):
    """The operator's side of docs/contract.md."""

    isLeaf = True

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def render_GET(self, request: Any) -> bytes:
        """The path is taken apart before it is decoded, as a careful server does."""
        if self.world.failing:
            request.setResponseCode(500)
            return b"Traceback (most recent call last)"
        if request.uri.startswith(b"/api/charger/"):
            _, api, kind, id, end = request.uri.decode().split("/")
            found = self.world.chargers.get(unquote(id))
            if found is None or end:
                request.setResponseCode(404)
                return b"<h1>Not Found</h1>"
            return json.dumps({"verdict": found.verdict, "security_profile": found.security_profile, "more": 1}).encode()
        _, api, kind, word, tag, end = request.uri.partition(b"?")[0].decode().split("/")
        assert (api, word, end) == ("api", "tag", "")
        assert request.args[b"charger"] == [b"charger 1"]
        tag = unquote(tag)
        if kind == "transaction":
            assert request.args[b"connector"] == [b"2"]
            key = request.getHeader("idempotency-key")
            id = self.world.known.setdefault(key, self.world.transactions.get(tag)) if key else self.world.transactions.get(tag)
            return json.dumps({"status": id is not None, "data": {"id": id, "status": "active", "tag": tag}}).encode()
        verdict = self.world.tags.get(tag)
        if verdict is None:
            request.setResponseCode(404)
            return b"<h1>Not Found</h1>"
        data = {"tag": tag, "status": verdict.status, "expiry_date": verdict.expiry_date, "parent_tag": verdict.parent_tag}
        return json.dumps({"status": True, "data": data}).encode()

    def render_POST(self, request: Any) -> bytes:
        """Answers of the operator's own."""
        if self.world.failing:
            request.setResponseCode(500)
            return b"Traceback (most recent call last)"
        assert request.getHeader("content-type") == "application/json"
        asked = json.loads(request.content.read())
        assert request.uri == f"/api/ocpp/{asked['action']}/".encode()
        assert asked == {"charger": "charger 1", "ocpp": "2.0.1", "action": asked["action"], "payload": {"csr": "é", "n": 1.50}}
        if asked["action"] not in self.world.answers:
            request.setResponseCode(204)
            return b""
        return json.dumps({"payload": self.world.answers[asked["action"]]}).encode()


@async_yield_fixture(params=["http", "static"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world = World()
    if request.param == "static":
        world.backend = StaticBackend(world.transactions, world.tags, world.answers, world.chargers)
        world.fail = world.backend.fail
        yield world
        return
    site = WrappingFactory(Site(Operator(world)))
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    world.backend = HttpBackend(f"http://127.0.0.1:{port.getHost().port}", reactor, timeout=5, limit=4)
    world.fail = lambda: setattr(world, "failing", True)
    yield world
    await world.backend.close()
    await port.stopListening()
    while site.protocols:
        await deferLater(reactor, 0.01)


async def test_it_is_a_backend(world):
    assert verifyObject(IBackend, world.backend)


async def test_a_tag_with_a_transaction_gets_its_id(world):
    world.transactions |= {"RFID-12345": 123, "other": 2**31 - 1}
    assert await world.backend.transaction("RFID-12345", "charger 1", 2) == 123
    assert await world.backend.transaction("other", "charger 1", 2) == 2**31 - 1


async def test_a_tag_without_a_transaction_gets_none(world):
    world.transactions["RFID-12345"] = 123
    assert await world.backend.transaction("rfid-12345", "charger 1", 2) is None


async def test_the_same_start_is_the_same_transaction_whenever_it_is_asked_about(world):
    """F20: whatever became of the first answer."""
    world.transactions["RFID-12345"] = 123
    assert [await world.backend.transaction("RFID-12345", "charger 1", 2, key="0123abcd") for _ in range(3)] == [123] * 3
    assert await world.backend.transaction("other", "charger 1", 2, key="4567") is None


@pytest.mark.parametrize(
    "verdict",
    [
        Authorization(),
        Authorization("Blocked"),
        Authorization("ConcurrentTx", parent_tag="family"),
        Authorization("Expired", "2026-11-22T10:00:00Z", "a parent of 20 chars"),
        Authorization("NotAtThisLocation"),
    ],
)
async def test_a_known_tag_gets_what_is_said_of_it(world, verdict):
    world.tags["RFID-12345"] = verdict
    assert await world.backend.authorize("RFID-12345", "charger 1", 1) == verdict


async def test_a_tag_of_a_kind_is_asked_about_as_any_other(world):
    world.tags["DE*ABC*1"] = Authorization("NoCredit", parent_tag="a parent that is longer than 20")
    assert await world.backend.authorize("DE*ABC*1", "charger 1", 1, "eMAID") == world.tags["DE*ABC*1"]


QUESTION = '{"csr": "é", "n": 1.50}'.encode()


async def test_an_answer_of_its_own(world):
    world.answers["SignCertificate"] = {"status": "Accepted", "nested": [{"é": None}]}
    assert await world.backend.answer("charger 1", "2.0.1", "SignCertificate", QUESTION) == {"status": "Accepted", "nested": [{"é": None}]}
    world.answers["SignCertificate"] = {}
    assert await world.backend.answer("charger 1", "2.0.1", "SignCertificate", QUESTION) == {}


async def test_nothing_to_say_of_an_action(world):
    assert await world.backend.answer("charger 1", "2.0.1", "NotifyEVChargingNeeds", QUESTION) is None


async def test_an_unknown_tag_is_invalid(world):
    world.tags["RFID-12345"] = Authorization()
    assert await world.backend.authorize("RFID-1234", "charger 1", None) == Authorization("Invalid")


@pytest.mark.parametrize("tag", ODD)
async def test_any_character_may_be_in_a_tag(world, tag):
    world.transactions[tag] = 7
    world.tags[tag] = Authorization("Blocked")
    assert await world.backend.transaction(tag, "charger 1", 2) == 7
    assert await world.backend.authorize(tag, "charger 1", None) == Authorization("Blocked")


@pytest.mark.parametrize("tag", CLIMBING)
async def test_a_tag_that_climbs_is_nobodys(world, tag):
    assert await world.backend.transaction(tag, "charger 1", 2) is None
    assert await world.backend.authorize(tag, "charger 1", 1) == Authorization("Invalid")


async def test_questions_do_not_wait_for_each_other(world):
    world.transactions["a"] = 1
    world.tags["a"] = Authorization("Expired")
    first, second = world.backend.transaction("a", "charger 1", 2), world.backend.authorize("a", "charger 1", 2)
    assert await second == Authorization("Expired")
    assert await first == 1


async def test_a_backend_of_no_use_fails_and_says_why_without_the_tag(world):
    world.fail()
    with pytest.raises(BackendFailed) as failed:
        await world.backend.transaction("RFID-12345", "charger 1", 2)
    assert str(failed.value)
    assert "RFID-12345" not in str(failed.value)
    with pytest.raises(BackendFailed):
        await world.backend.authorize("RFID-12345", "charger 1", None)
    with pytest.raises(BackendFailed):
        await world.backend.answer("charger 1", "2.0.1", "SignCertificate", QUESTION)


@pytest.mark.parametrize("id", ["CP 1", "a/b", "é|1", "x..y", "50%", "a?b#c"])
@pytest.mark.parametrize("admission", [Admission("accept"), Admission("pending", 0), Admission("refuse", 3)])
async def test_a_charger_that_it_knows_gets_what_is_said_of_it(world, id, admission):
    world.chargers[id] = admission
    assert await world.backend.admission(id) == admission


@pytest.mark.parametrize("id", ["CP2", *CLIMBING])
async def test_a_charger_that_it_does_not_know_is_refused(world, id):
    world.chargers["CP1"] = Admission("accept")
    assert (await world.backend.admission(id)).verdict == "refuse"


async def test_a_failing_backend_says_nothing_of_a_charger(world):
    world.fail()
    with pytest.raises(BackendFailed):
        await world.backend.admission("CP1")
