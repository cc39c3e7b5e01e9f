"""Whether an answer of operators' HTTP, or a piece of one, is as OpenAPI says, and has no member that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from ocpp_tw.contract.documents import as_json
from ocpp_tw.contract.schemas import closed

OPEN = {"Trouble"}
"""Has the members of an event beside those that it names."""

USUAL = {
    "cache-control", "connection", "content-disposition", "content-encoding", "content-length", "content-type", "date", "server", "transfer-encoding", "vary",
    "x-content-type-options",
}  # fmt: skip
"""Headers that any answer may have."""

PREFIX = "#/components/schemas/"


@cache
def document() -> dict[str, Any]:
    return msgspec.json.decode(as_json("openapi"))


@cache
def response(path: str, method: str, status: int) -> dict[str, Any]:
    """Of the route that has the path."""
    paths = document()["paths"]
    fits = [each for each in paths if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(each)), path)]
    route = max(fits, key=lambda each: (each.count("/"), -each.count("{"), len(each)))
    found = paths[route][method]["responses"][str(status)]
    return document()["components"]["responses"][str(status)] if "$ref" in found else found


@cache
def validator(path: str, method: str, status: int) -> Any:
    """None if what the route answers is no JSON."""
    schema = response(path, method, status)["content"].get("application/json", {}).get("schema")
    return None if schema is None else _closed(schema)


@cache
def event_validator(path: str, event: str) -> Any:
    """Of a stream's server-sent events of that type."""
    return _closed(response(path, "get", 200)["content"]["text/event-stream"]["x-events"][event])


def _closed(schema: Any) -> Any:
    whole = set(_refs(schema))  # closed together, since several may describe one object
    schemas = {name: each if name in whole | OPEN else closed(each) for name, each in document()["components"]["schemas"].items()}
    last = {} if schema.get("type") == "object" and "properties" not in schema else {"unevaluatedProperties": False}
    return jsonschema_rs.validator_for({"allOf": [schema], **last, "components": {"schemas": schemas}})


def check_answer(path: str, status: int, answer: Any, method: str = "get") -> None:
    """Raises `AssertionError` for what is not as OpenAPI says."""
    found = validator(path, method, status)
    if found is not None:
        _check(f"{method} {path}", found, answer)


def check_headers(path: str, status: int, names: Iterable[str], method: str = "get") -> None:
    """The same of the names of its headers: each is in the document, and those are there that always are."""
    documented = {name.lower(): header for name, header in response(path, method, status).get("headers", {}).items()}
    there = {name.lower() for name in names} - USUAL
    always = {name for name, header in documented.items() if header.get("required")}
    assert always <= there <= documented.keys(), f"{method} {path}: {there} instead of {set(documented)}"


def check_event(path: str, event: str, told: Any) -> None:
    """The same of what a stream tells."""
    _check(f"{event} of {path}", event_validator(path, event), told)


def _check(what: str, found: Any, told: Any) -> None:
    wrong = [f"{'/'.join(map(str, each.instance_path))}: {each.message[:500]}" for each in found.iter_errors(told)]
    assert not wrong, f"{what}: {wrong}"


def _refs(schema: Any) -> list[str]:
    """The classes of the answer itself."""
    own = [schema["$ref"].removeprefix(PREFIX)] if "$ref" in schema else []
    return own + [name for each in (*schema.get("oneOf", ()), *schema.get("allOf", ())) for name in _refs(each)]
