"""OCPP's official JSON Schemas, compiled once: they alone decide what is valid.

Reads them as data from the distribution `ocpp`. Knows no frames and no error codes.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec

from .frames import Payload
from .payload_json import MAX_INTEGER, MIN_INTEGER

MAX_NAME, MAX_NAMES = 50, 10
"""Longest member name that a violation's message has, in characters, and how many."""

TYPES = {str: "string", list: "array", dict: "object", bool: "boolean", int: "integer", float: "number"}
"""JSON's names of the types."""


class Violation(msgspec.Struct, frozen=True):
    """One schema violation: ``path`` leads to it (``("meterValue", 0, "timestamp")``), ``rule`` is the schema's keyword.

    ``message`` says what is wrong without the value, which may be a tag, a PIN or a key; ``names`` are the members that a `required` or `additionalProperties` violation is about.
    """

    path: tuple[str | int, ...]
    rule: str
    value: Any
    message: str
    names: tuple[str, ...] = ()

    def as_event(self) -> dict[str, Any]:
        """Its form in an event; a long value is truncated."""
        value = self.value if len(str(self.value)) <= 200 else str(self.value)[:200] + "…"
        return {"path": "/".join(map(str, self.path)), "rule": self.rule, "value": value, "names": list(self.names)}


class Schemas:
    """The compiled schemas of one version of OCPP: of requests and of answers, by action."""

    def __init__(self, folder: str) -> None:
        self._requests: dict[str, jsonschema_rs.Validator] = {}
        self._answers: dict[str, jsonschema_rs.Validator] = {}
        for file in files("ocpp").joinpath(folder, "schemas").iterdir():
            if file.name.endswith(".json"):
                action = file.name.removesuffix(".json")
                validator = jsonschema_rs.validator_for(_as_used(source(folder, action)))
                if action.endswith("Response"):
                    self._answers[action.removesuffix("Response")] = validator
                else:
                    self._requests[action.removesuffix("Request")] = validator
        self.actions = frozenset(self._requests)
        # the methods that say yes or no, bound once, as every message needs one
        self.valid_request = {action: validator.is_valid for action, validator in self._requests.items()}
        self.valid_answer = {action: validator.is_valid for action, validator in self._answers.items()}

    def request(self, action: str, payload: Payload) -> list[Violation]:
        """Every violation in a request's payload. Raises `KeyError` for an unknown action."""
        return _violations(self._requests[action], payload)

    def answer(self, action: str, payload: Payload) -> list[Violation]:
        """Every violation in an answer's payload. Raises `KeyError` for an unknown action."""
        return _violations(self._answers[action], payload)


def source(folder: str, name: str) -> Any:
    """The schema in a file, unchanged: ``source("v16", "MeterValues")``."""
    return json.loads(files("ocpp").joinpath(folder, "schemas", name + ".json").read_text("utf-8-sig"))


@cache
def load(folder: str) -> Schemas:
    """The schemas of the folder ``v16``, ``v201`` or ``v21``; compiled at the first call."""
    return Schemas(folder)


BOUNDS = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
"""Of every integer: OCPP names them in its text only (2.0.1 part 2 §2.1.4)."""


def _as_used(schema: Any) -> Any:
    """The schema with bounds for its integers, and without ``format``: any timestamp of a charger is valid (OCPP 1.6 §3.13 leaves the zone
    open)."""
    if isinstance(schema, dict):
        # a *property* named format is a schema, the keyword is a string
        used = {key: _as_used(value) for key, value in schema.items() if not (key == "format" and isinstance(value, str))}
        return BOUNDS | used if used.get("type") == "integer" else used
    if isinstance(schema, list):
        return [_as_used(item) for item in schema]
    return schema


def _violations(validator: jsonschema_rs.Validator, payload: Payload) -> list[Violation]:
    found = []
    for error in validator.iter_errors(payload):
        rule = str(error.schema_path[-1])
        detail = error.kind.as_dict()
        names = detail.get("unexpected") or ([detail["property"]] if "property" in detail else [])
        message = _described(rule, detail, error.instance, tuple(map(str, names)))
        found.append(Violation(tuple(error.instance_path), rule, error.instance, message, tuple(map(str, names))))
    return found


def _described(rule: str, detail: dict[str, Any], value: Any, names: tuple[str, ...]) -> str:
    """What is wrong, for the log and for errors: the rule, what it demands, and of the value only type and length."""
    if names:
        return f"{rule}: {', '.join(name[:MAX_NAME] for name in names[:MAX_NAMES])}"
    wanted = detail.get("types") or detail.get("options") or [value for value in (detail.get("limit"),) if value is not None]
    kind = TYPES.get(type(value), "null")
    length = f" of length {len(value)}" if isinstance(value, str | list | dict) else ""
    return f"{rule}: {' or '.join(map(str, wanted))}, not {kind}{length}" if wanted else f"{rule}: {kind}{length}"
