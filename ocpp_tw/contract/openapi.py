"""OpenAPI 3.1 of operators' HTTP: every route, as it is described beside itself (`ocpp_tw.operators.described`).

Knows the applications that have routes, and no route.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from klein import Klein

from .. import __version__
from ..operators.api import OperatorsApi
from ..operators.contract_api import ContractApi
from ..operators.described import JSON, Description, Documented, Header, Refusal, documented
from ..operators.metrics_api import MetricsApi
from ..operators.parts import FLEET_APPLICATIONS
from ..operators.roles import HEALTH, SESSION, needed
from ..operators.session_described import session_routes
from ..operators.sessions import NAME, SECURE_NAME
from ..operators.tap_routes import TapRoutes
from . import commands
from .schemas import Schema, moved, of_types
from .schemas import needed as references

APPLICATIONS: tuple[Any, ...] = (OperatorsApi, ContractApi, TapRoutes, MetricsApi, *FLEET_APPLICATIONS)
"""Every class whose ``app`` has routes."""

SCHEMAS = "#/components/schemas/"
RESPONSES = "#/components/responses/"

REFUSALS = {
    "400": "The request cannot be read, or is not valid",
    "401": "A token is needed, and there is none or a wrong one",
    "403": "The token has not the role that is needed; or, without tokens, the request comes from a web page or for another host",
    "413": "The body is too long",
    "415": "The body is not JSON",
    "429": "Too many requests without a token, or with a wrong one",
    "503": "Redis does not answer, or too many requests wait for their answers: try again",
}
"""What may be answered to any request: a `Refusal`."""

RETRIED = ("429", "503")
"""Statuses with a header that says when to try again, mostly."""

BODY_ONLY = ("413", "415")
"""Those that a request without a body is not answered."""


def openapi(applications: Iterable[Any] = APPLICATIONS) -> Schema:
    """The document."""
    routes = [*[route for application in applications for route in routes_of(application.app)], *session_routes()]
    schema_of, definitions = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The OCPP gateway's HTTP for operators",
            "version": __version__,
            "description": "Served at `--http`. All answers are JSON, and errors have `detail`. The contract is docs/contract.md.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, *COOKIES, {}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Needed where the gateway has tokens (`--http-token`, `--http-tokens`); without any, whoever is on its machine may ask.",
                },
                "cookie": _cookie(NAME, "A browser's, in place of a token: `POST /api/session` sets it."),
                "secureCookie": _cookie(SECURE_NAME, "The same over TLS."),
            },
            "responses": {status: _refusal(status, meaning) for status, meaning in REFUSALS.items()},
            "schemas": moved(definitions, SCHEMAS),
        },
    }


COOKIES: tuple[Schema, ...] = ({"cookie": []}, {"secureCookie": []})


def _cookie(name: str, meaning: str) -> Schema:
    more = "What changes something needs an `Origin` that is the gateway's own beside it."
    return {"type": "apiKey", "in": "cookie", "name": name, "description": f"{meaning} {more}"}


def routes_of(app: Klein) -> list[Documented]:
    """Those that are described. That there are no others, a test sees to."""
    return [route for route in documented(app) if route.description is not None]


def _schemas(routes: list[Documented]) -> tuple[Callable[[Any], Schema], dict[str, Schema]]:
    """The schema of what a description names, and the definitions for all of them."""
    answers: list[Any] = [Refusal]
    taken: list[Any] = []
    for route in routes:
        described = _description(route)
        for answer in (*described.answers.values(), *described.pieces.values()):
            answers += _types(answer)
        taken += [each for each in (described.body, described.query) if each is not None and not isinstance(each, str)]
    ours, definitions = of_types(answers)
    theirs, read = of_types(taken, encoded=False)
    by_type = [*zip(answers, ours, strict=True), *zip(taken, theirs, strict=True)]
    queries = {
        described.query.__name__ for described in map(_description, routes) if described.query is not None
    }  # whose members are parameters
    definitions |= {name: schema for name, schema in read.items() if name not in definitions | dict.fromkeys(queries)}
    named = [_description(route).body for route in routes if isinstance(_description(route).body, str)]
    definitions |= {
        name: schema
        for name, schema in commands.definitions().items()
        if name in {*named, *references([_ref(each) for each in named], commands.definitions())}
    }

    def schema_of(described: Any) -> Schema:
        if isinstance(described, list):
            return {"oneOf": [schema_of(each) for each in described]}
        if isinstance(described, tuple):
            return {"allOf": [schema_of(each) for each in described]}
        if isinstance(described, str):
            return {"$ref": SCHEMAS + described}
        schema: Schema = moved(next(schema for kind, schema in by_type if kind == described), SCHEMAS)
        return schema

    return schema_of, definitions


def _operation(route: Documented, schema_of: Callable[[Any], Schema]) -> Schema:
    described = _description(route)
    method, path = route.method.encode(), route.path.encode()
    has_body = described.body is not None
    summary, _, more = inspect.cleandoc(route.meaning).partition("\n\n")
    role = needed(method, path)
    needs = "Served to everybody." if path in HEALTH else f"Needs a token with the role `{role.name}`, where there are tokens."
    responses: dict[str, Schema] = {
        status: {"$ref": RESPONSES + status}
        for status in REFUSALS
        if status not in BODY_ONLY or has_body or route.method in ("POST", "PUT")
    }
    for code, answer in {**({404: Refusal} if "{" in route.path else {}), **described.answers}.items():
        media = described.media if code == 200 else JSON
        content: Schema = {"schema": schema_of(answer) if answer is not None else {"type": "object" if media == JSON else "string"}}
        if code == 200 and described.pieces:
            content[PIECES[media]] = {name: schema_of(piece) for name, piece in described.pieces.items()}
        responses[str(code)] = {"description": MEANINGS.get(str(code), REFUSALS.get(str(code), "As asked")), "content": {media: content}}
        if str(code) in RETRIED and answer is not None:
            responses[str(code)]["headers"] = RETRY_AFTER
        if code < 300 and described.headers:
            responses[str(code)]["headers"] = {name: _header(header) for name, header in described.headers.items()}
    operation: Schema = {
        "operationId": _operation_id(route),
        "summary": " ".join(summary.split()),
        "description": "\n\n".join(part for part in (more, needs) if part),
        "parameters": [*_path_parameters(route.path), *_query_parameters(described, schema_of)],
        "responses": dict(sorted(responses.items())),
    }
    if path in HEALTH:
        operation["security"] = []
    if path == SESSION and route.method == "POST":
        operation["security"] = [{"token": []}, {}]
    if has_body:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema_of(described.body)}}}
    return operation


PIECES = {"text/event-stream": "x-events", "application/jsonl": "x-lines"}
"""What has the schemas of the pieces of an answer, by its type: OpenAPI 3.1 has no word for that."""

MEANINGS = {"200": "As asked", "202": "Begun", "404": "There is no such thing", "409": "It cannot be done as things are"}


def _header(header: Header) -> Schema:
    return {"description": header.meaning, **({"required": True} if header.always else {}), "schema": {"type": "string"}}


RETRY_AFTER = {"Retry-After": _header(Header("seconds to wait, where that is known"))}


def _operation_id(route: Documented) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", route.path.lower()).strip("_")
    return f"{route.method.lower()}_{words}" + ("_" if route.path.endswith("/") else "")


def _refusal(status: str, meaning: str) -> Schema:
    refusal: Schema = {"description": meaning, "content": {JSON: {"schema": {"$ref": SCHEMAS + Refusal.__name__}}}}
    return {**refusal, "headers": RETRY_AFTER} if status in RETRIED else refusal


def _path_parameters(path: str) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _query_parameters(described: Description, schema_of: Callable[[Any], Schema]) -> list[Schema]:
    if described.query is None:
        return []
    _, definitions = of_types([described.query], encoded=False)
    query = definitions[described.query.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in query.get("required", ()),
            **({"description": schema["description"]} if "description" in schema else {}),
            **_of_parameter(moved({key: value for key, value in schema.items() if key != "description"}, SCHEMAS)),
        }
        for name, schema in query["properties"].items()
    ]


def _of_parameter(schema: Schema) -> Schema:
    """What is not given is left out, rather than null; a list has commas between its values."""
    either = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    default = {"default": schema["default"]} if schema.get("default") not in (None, "", []) else {}
    schema = {**either[0], **default} if either else schema
    schema = {key: value for key, value in schema.items() if key != "default" or default}
    if isinstance(schema.get("type"), list):
        schema["type"] = next(each for each in schema["type"] if each != "null")
    listed = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {**listed, "schema": schema}


def _description(route: Documented) -> Description:
    assert route.description is not None
    return route.description


def _types(answer: Any) -> list[Any]:
    if answer is None or isinstance(answer, str):
        return []
    if isinstance(answer, list | tuple):
        return [kind for each in answer for kind in _types(each)]
    return [answer]


def _ref(name: str) -> Schema:
    return {"$ref": "#/$defs/" + name}
