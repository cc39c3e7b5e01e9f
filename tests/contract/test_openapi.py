"""OpenAPI: every route is in it, with what it answers; and what is asked of a backend is what the gateway asks."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Annotated, TypedDict, get_type_hints

import jsonschema_rs
import msgspec
import pytest
from klein import Klein

import ocpp_tw.operators
from ocpp_tw.backend.asked import AdmissionReply, AuthorizationData
from ocpp_tw.backend.http import decode
from ocpp_tw.contract.documents import as_json
from ocpp_tw.contract.openapi import APPLICATIONS, openapi
from ocpp_tw.core.passwords import Passwords
from ocpp_tw.interfaces import BackendFailed
from ocpp_tw.memory import MemoryKeys
from ocpp_tw.monitoring.told import ChargersAnswer, ChargersChanges, Connected, Overview, OverviewChanges
from ocpp_tw.operators.decision_reader import Decision, DecisionReader
from ocpp_tw.operators.described import Header, described, documented


def applications() -> set[type]:
    """Every class of the package whose `app` has routes."""
    modules = [import_module(f"ocpp_tw.operators.{each.name}") for each in pkgutil.iter_modules(ocpp_tw.operators.__path__)]
    classes = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return {each for each in classes if isinstance(vars(each).get("app"), Klein)}


def test_every_application_is_in_the_document():
    assert set(APPLICATIONS) == applications()


@pytest.mark.parametrize("application", sorted(applications(), key=lambda each: each.__name__), ids=lambda each: each.__name__)
def test_every_route_is_described(application):
    """By `@described`, below `@app.route`, and by its docstring."""
    routes = list(documented(application.app))
    assert routes
    for route in routes:
        assert route.description is not None and route.meaning, f"{route.method} {route.path} has no @described, or no docstring"
        assert 200 in route.description.answers or 202 in route.description.answers, f"{route.method} {route.path} says no answer"


def test_the_document_has_each_of_them_with_its_answers():
    document = msgspec.json.decode(as_json("openapi"))
    assert document["openapi"].startswith("3.1")
    for application in APPLICATIONS:
        for route in documented(application.app):
            operation = document["paths"][route.path][route.method.lower()]
            assert set(map(str, route.description.answers)) <= set(operation["responses"])
            assert {"400", "401", "403", "429", "503"} <= set(operation["responses"])
            assert ("requestBody" in operation) is (route.description.body is not None)
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert document["paths"]["/healthz"]["get"]["security"] == []
    session = document["paths"]["/api/session"]
    assert session.keys() == {"get", "post", "delete"} and session["post"]["security"] == [{"token": []}, {}]
    assert (
        {name for each in document["security"] for name in each}
        == {"token", "cookie", "secureCookie"}
        == set(document["components"]["securitySchemes"])
    )
    assert "`admin`" in document["paths"]["/api/chargers/{id}"]["put"]["description"]


@pytest.mark.parametrize(
    ("whole", "changes", "always"),
    [(Overview, OverviewChanges, set()), (ChargersAnswer, ChargersChanges, {"rows", "order", "total", "states"})],
)
def test_changes_of_a_view_may_have_any_of_its_members(whole, changes, always):
    schemas = msgspec.json.decode(as_json("openapi"))["components"]["schemas"]
    assert get_type_hints(whole) == {name: kind for name, kind in get_type_hints(changes).items() if name != "order"}
    assert set(schemas[changes.__name__].get("required", ())) == always


class Search(TypedDict, total=False):
    """What is looked for."""

    limit: Annotated[int, msgspec.Meta(ge=1)]
    """at most so many"""


class Found(TypedDict):
    """A thing."""

    id: str
    """its name"""


class Things:
    app = Klein()

    @app.route("/api/things/<path:id>/parts", methods=["GET"])
    @described({200: list[Found]}, query=Search)
    def parts(self, request, id):
        """The parts of a thing."""

    @app.route("/api/live", methods=["GET"])
    @described({200: None}, media="text/event-stream")
    def live(self, request):
        """What happens."""

    @app.route("/api/things", methods=["POST"])
    @described(
        {202: (Found, Connected)}, body=Found, headers={"Location": Header("where it is", always=True), "X-Other": Header("another")}
    )
    def begin(self, request):
        """Begin."""


def test_a_route_is_told_as_it_is_described():
    document = openapi([Things])
    paths = document["paths"]
    parts = paths["/api/things/{id}/parts"]["get"]
    assert parts["summary"] == "The parts of a thing."
    assert parts["parameters"] == [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
        {"name": "limit", "in": "query", "required": False, "description": "at most so many", "schema": {"type": "integer", "minimum": 1}},
    ]
    assert "404" in parts["responses"] and "413" not in parts["responses"]
    found = {"$ref": "#/components/schemas/Found"}
    assert parts["responses"]["200"]["content"]["application/json"]["schema"] == {"type": "array", "items": found}
    live = paths["/api/live"]["get"]["responses"]
    assert list(live["200"]["content"]) == ["text/event-stream"] and "404" not in live
    begin = paths["/api/things"]["post"]
    assert begin["requestBody"]["content"]["application/json"]["schema"] == found and "413" in begin["responses"]
    connected = {"$ref": "#/components/schemas/Connected"}
    assert begin["responses"]["202"]["content"]["application/json"]["schema"] == {"allOf": [found, connected]}
    assert begin["responses"]["202"]["headers"] == {
        "Location": {"description": "where it is", "required": True, "schema": {"type": "string"}},
        "X-Other": {"description": "another", "schema": {"type": "string"}},
    }
    assert "headers" not in parts["responses"]["200"]
    assert {"Found", "Connected", "Transaction"} <= set(document["components"]["schemas"])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("boot_status", ["Accepted", "Maybe", None, 1]),
        ("retry_interval", [1, 86_400, 0, 86_401, "1", 1.5, None]),
        ("security_profile", [0, 3, 4, -1, "1", None]),
        ("password", ["generate", "x" * 16, "x" * 64, "x" * 65, "x" * 15, 1, None]),
        ("certificate", ["ab" * 32, ":".join(["AB"] * 32), "ab" * 31, "zz" * 32, None]),
        ("more", [1, None]),
    ],
)
def test_a_decision_is_valid_if_it_is_taken(name, values):
    document = msgspec.json.decode(as_json("openapi"))
    valid = jsonschema_rs.validator_for(document["components"]["schemas"]["Decision"]).is_valid
    reader = DecisionReader(("1.6",), Passwords(MemoryKeys()))
    assert list(reader.members) == list(get_type_hints(Decision))
    for value in values:
        try:
            reader.check(msgspec.json.encode({name: value}))
            taken = True
        except Exception:
            taken = False
        assert valid({name: value}) is taken, value


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (AdmissionReply, {"verdict": "accept"}),
        (AdmissionReply, {"verdict": "accept", "security_profile": None, "more": 1}),
        (AdmissionReply, {"verdict": "perhaps"}),
        (AdmissionReply, {"verdict": "accept", "security_profile": 4}),
        (AdmissionReply, {}),
        (AuthorizationData, {"status": "Accepted", "expiry_date": "2027-01-01T00:00:00Z", "parent_tag": "G"}),
        (AuthorizationData, {"status": "Accepted", "parent_tag": ""}),
        (AuthorizationData, {"status": "Accepted", "parent_tag": "x" * 37}),
        (AuthorizationData, {"parent_tag": "G"}),
    ],
)
def test_a_reply_of_a_backends_is_valid_if_it_is_understood(kind, reply):
    schemas = msgspec.json.decode(as_json("backend"))["components"]["schemas"]
    try:
        decode(msgspec.json.encode(reply), kind)
        understood = True
    except BackendFailed:
        understood = False
    assert jsonschema_rs.validator_for(schemas[kind.__name__]).is_valid(reply) is understood
