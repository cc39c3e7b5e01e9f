"""Payloads generated from OCPP's own JSON Schemas, of any version: valid ones, and one for each way to violate a schema.

Knows only the few keywords that those schemas use.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from hypothesis import strategies as st

Json = Any
Path = tuple[str | int, ...]

TIMES = ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.123Z", "2026-11-22T11:00:00+01:00", "2026-11-22T10:00:00")
"""Timestamps as chargers write them (OBLIGATIONS R17)."""


@cache
def schema(folder: str, name: str) -> Json:
    """The schema in a file: ``schema("v16", "BootNotification")``, ``schema("v201", "BootNotificationRequest")``."""
    return json.loads(files("ocpp").joinpath(folder, "schemas", name + ".json").read_text("utf-8-sig"))


def valid(schema: Json) -> st.SearchStrategy[Json]:
    """Payloads that the schema accepts, with and without optional members."""
    return _valid(schema, schema)


def _valid(schema: Json, root: Json) -> st.SearchStrategy[Json]:
    schema = _resolved(schema, root)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            return _object(schema, root)
        case "array":
            low, high = schema.get("minItems", 0), schema.get("maxItems", 3)
            return st.lists(_valid(schema["items"], root), min_size=low, max_size=max(low, min(high, 3)))
        case "string" if schema.get("format") == "date-time":
            return st.sampled_from(TIMES)
        case "string" if schema.get("format") == "uri":
            return st.just("https://example.com/file")
        case "string":
            return st.text(st.characters(codec="utf-8"), min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 20), 20))
        case "integer":
            return st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31 - 1))
        case "number":
            low, high = int(schema.get("minimum", -1000)), int(schema.get("maximum", 1000))
            return st.integers(low * 10, high * 10).map(lambda tenths: tenths / 10)
        case "boolean":
            return st.booleans()
        case None:  # 2.x: a member that may hold anything
            return st.none() | st.booleans() | st.integers() | st.text(max_size=5)
        case other:
            raise NotImplementedError(other)


def _object(schema: Json, root: Json) -> st.SearchStrategy[Json]:
    members = {name: _valid(each, root) for name, each in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    optional = {name: each for name, each in members.items() if name not in required}
    return st.fixed_dictionaries({name: members[name] for name in members if name in required}, optional=optional)


def _resolved(schema: Json, root: Json) -> Json:
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    return schema


def fullest(schema: Json, root: Json | None = None) -> Json:
    """One valid payload with every member, so that every rule of the schema can be violated in it."""
    root = root or schema
    schema = _resolved(schema, root)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: fullest(each, root) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [fullest(schema["items"], root)] * max(1, schema.get("minItems", 0))
        case "string" if schema.get("format") == "date-time":
            return TIMES[0]
        case "string":
            return "x" * schema.get("minLength", 1)
        case "integer":
            return int(schema.get("minimum", min(1, schema.get("maximum", 1))))
        case "number":
            return float(schema.get("minimum", min(1, schema.get("maximum", 1))))
        case "boolean":
            return True
    return None


class Broken(NamedTuple):
    """A payload with exactly one fault: the schema keyword that it violates, and the path of the fault."""

    rule: str
    path: Path
    payload: Json

    def __str__(self) -> str:
        return f"{self.rule}:{'/'.join(map(str, self.path))}"


def broken(schema: Json) -> Iterator[Broken]:
    """Every single fault in the fullest payload: a member missing, unknown, of the wrong type, too long; a word unknown; items too many or few."""
    payload = fullest(schema)
    for rule, path, value in _faults(schema, schema, ()):
        copy = deepcopy(payload)
        yield Broken(rule, path, _set(copy, path, value))


GONE = object()


def _faults(schema: Json, root: Json, path: Path) -> Iterator[tuple[str, Path, Json]]:
    schema = _resolved(schema, root)
    wrong: Json = 7 if schema.get("type") in ("string", "object", "array", "boolean") else "seven"
    if path and "type" in schema and "enum" not in schema:
        yield "type", path, wrong
    if "enum" in schema:
        yield "enum", path, "NoSuchWord"
    if "maxLength" in schema:
        yield "maxLength", path, "x" * (schema["maxLength"] + 1)
    if "minimum" in schema:
        yield "minimum", path, schema["minimum"] - 1
    if "maximum" in schema:
        yield "maximum", path, schema["maximum"] + 1
    match schema.get("type"):
        case "object":
            for name in schema.get("required", ()):
                yield "required", (*path, name), GONE
            if schema.get("additionalProperties") is False:
                yield "additionalProperties", (*path, "noSuchMember"), 1
            for name, each in schema.get("properties", {}).items():
                yield from _faults(each, root, (*path, name))
        case "array":
            if schema.get("minItems"):
                yield "minItems", path, []
            if "maxItems" in schema:
                yield "maxItems", path, [fullest(schema["items"], root)] * (schema["maxItems"] + 1)
            yield from _faults(schema["items"], root, (*path, 0))


def _set(payload: Json, path: Path, value: Json) -> Json:
    if not path:
        return value
    *way, last = path
    inner = payload
    for step in way:
        inner = inner[step]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return payload


def json_values(*, nan: bool = False) -> st.SearchStrategy[Json]:
    """Any JSON value."""
    text = st.text(st.characters(codec="utf-8"), max_size=12)
    leaves = st.none() | st.booleans() | st.integers() | _floats(nan) | text
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=10)


def _floats(nan: bool) -> st.SearchStrategy[float]:
    """All but those that are integers as they are written and have a few others for neighbours (`ocpp_tw.ocpp.payload_json`)."""
    exact = (
        st.floats(-(2.0**53), 2.0**53)
        | st.floats(min_value=2.0**63, exclude_min=True, allow_infinity=nan)
        | st.floats(max_value=-(2.0**63), exclude_max=True, allow_infinity=nan)
    )
    return exact | st.just(math.nan) if nan else exact


def json_objects() -> st.SearchStrategy[dict[str, Json]]:
    """Any JSON object."""
    return st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=12), json_values(), max_size=5)
