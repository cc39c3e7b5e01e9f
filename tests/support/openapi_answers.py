"""Whether an answer of operators' HTTP is as OpenAPI says, and has no member that is not there."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jsonschema_rs
import msgspec

from ocpp_tw.contract.documents import as_json
from ocpp_tw.contract.schemas import closed

OPEN = {"Trouble"}
"""Has the members of an event beside those that it names."""

PREFIX = "#/components/schemas/"


@cache
def document() -> dict[str, Any]:
    return msgspec.json.decode(as_json("openapi"))


@cache
def validator(path: str, method: str, status: int) -> Any:
    """Of the route that has the path; None if what it answers is no JSON."""
    paths = document()["paths"]
    fits = [each for each in paths if re.fullmatch(re.sub(r"\\{\w+\\}", ".+", re.escape(each)), path)]
    route = max(fits, key=lambda each: (each.count("/"), -each.count("{"), len(each)))
    response = paths[route][method]["responses"][str(status)]
    if "$ref" in response:
        response = document()["components"]["responses"][str(status)]
    schema = response["content"].get("application/json", {}).get("schema")
    if schema is None:
        return None
    whole = set(_refs(schema))  # closed together, since several may describe one object
    schemas = {name: each if name in whole | OPEN else closed(each) for name, each in document()["components"]["schemas"].items()}
    last = {} if schema.get("type") == "object" and "properties" not in schema else {"unevaluatedProperties": False}
    return jsonschema_rs.validator_for({"allOf": [schema], **last, "components": {"schemas": schemas}})


def check_answer(path: str, status: int, answer: Any, method: str = "get") -> None:
    """Raises `AssertionError` for what is not as OpenAPI says."""
    found = validator(path, method, status)
    if found is not None:
        wrong = [f"{'/'.join(map(str, each.instance_path))}: {each.message[:500]}" for each in found.iter_errors(answer)]
        assert not wrong, f"{method} {path}: {wrong}"


def _refs(schema: Any) -> list[str]:
    """The classes of the answer itself."""
    own = [schema["$ref"].removeprefix(PREFIX)] if "$ref" in schema else []
    return own + [name for each in (*schema.get("oneOf", ()), *schema.get("allOf", ())) for name in _refs(each)]
