"""OCPP's official JSON Schemas, compiled once: they alone decide what is valid.

Reads them as data from the distribution `ocpp`. Knows no frames and no error codes.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from ..words import shown
from .bounds import LARGE, Beginning
from .frames import Payload
from .payload_json import MAX_INTEGER, MIN_INTEGER
from .violations import ToldViolation

MAX_NAME, MAX_NAMES = 50, 10
"""Longest member name that a violation has, in characters, and how many."""

MAX_FOUND, MAX_TOLD = 100, 20
"""Most violations of one message that are looked for, and most that its event lists."""

MAX_VALUE = 200
"""Longest text of a value in an event, in characters; the rest is left out."""

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

    def as_event(self) -> ToldViolation:
        """Its form in an event; of a long value only the beginning, as text."""
        value = self.value
        if isinstance(value, int) and value.bit_length() > LARGE:
            value = f"an integer of {value.bit_length()} bits"
        elif isinstance(value, str | list | dict):
            text = value if isinstance(value, str) else _text(value)
            value = value if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"
        return {"path": "/".join(map(str, self.path)), "rule": self.rule, "value": value, "names": list(self.names)}


MORE = Violation((), "more", None, "more than are listed")
"""The last of the violations of a message in which there are more, or which was not looked through to its end."""


def told(violations: list[Violation]) -> list[ToldViolation]:
    """The violations as an event lists them."""
    found = [each for each in violations if each is not MORE]
    complete = len(violations) == len(found) <= MAX_TOLD
    return [each.as_event() for each in (found if complete else [*found[:MAX_TOLD], MORE])]


class Schemas:
    """The compiled schemas of one version of OCPP: of requests and of answers, by action."""

    def __init__(self, folder: str) -> None:
        self._requests: dict[str, jsonschema_rs.Validator] = {}
        self._answers: dict[str, jsonschema_rs.Validator] = {}
        self._names: set[str] = set()
        for file in files("ocpp").joinpath(folder, "schemas").iterdir():
            if file.name.endswith(".json"):
                action = file.name.removesuffix(".json")
                schema = source(folder, action)
                self._names |= _member_names(schema)
                validator = jsonschema_rs.validator_for(_as_used(schema))
                if action.endswith("Response"):
                    self._answers[action.removesuffix("Response")] = validator
                else:
                    self._requests[action.removesuffix("Request")] = validator
        self.actions = frozenset(self._requests)
        # the methods that say yes or no, bound once, as every message needs one
        self.valid_request = {action: validator.is_valid for action, validator in self._requests.items()}
        self.valid_answer = {action: validator.is_valid for action, validator in self._answers.items()}

    def request(self, action: str, payload: Payload) -> list[Violation]:
        """The violations in a request's payload, at most `MAX_FOUND` and `MORE`. Raises `KeyError` for an unknown action."""
        return self._violations(self._requests[action], payload)

    def answer(self, action: str, payload: Payload) -> list[Violation]:
        """The same for an answer's payload."""
        return self._violations(self._answers[action], payload)

    def _violations(self, validator: jsonschema_rs.Validator, payload: Payload) -> list[Violation]:
        """Those in the beginning of the payload, since looking takes microseconds for each; without one there, the first of all."""
        beginning = Beginning(payload, self._names)
        errors = validator.iter_errors(beginning.value)
        found = [_violation(error, payload) for error in islice(errors, MAX_FOUND)]
        if not found and beginning.cut:
            try:
                validator.validate(payload)
                return []
            except jsonschema_rs.ValidationError as error:
                found = [_violation(error, payload)]
        return [*found, MORE] if beginning.cut or next(errors, None) is not None else found


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


def _member_names(schema: Any) -> set[str]:
    """The names of all members that a schema knows."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return set(schema.get("properties", ()) if isinstance(schema, dict) else ()).union(*map(_member_names, inner))


def _violation(error: jsonschema_rs.ValidationError, payload: Payload) -> Violation:
    rule, path = str(error.schema_path[-1]), tuple(error.instance_path)
    value: Any = payload
    for step in path:
        value = value[step]
    detail = error.kind.as_dict()
    unexpected = detail.get("unexpected") or ([detail["property"]] if "property" in detail else [])
    names = tuple(shown(str(name), MAX_NAME) for name in unexpected[:MAX_NAMES])
    return Violation(path, rule, value, _described(rule, detail, value, names), names)


def _text(value: Any) -> str:
    """The beginning of a value's JSON: a little more than `MAX_VALUE` characters."""
    text = ""
    # what has been decoded has no circles; looking for them would keep the value itself, in a circle of the encoder's own
    for piece in json.JSONEncoder(ensure_ascii=False, check_circular=False).iterencode(value):
        text += piece[: MAX_VALUE + 1]
        if len(text) > MAX_VALUE:
            break
    return text


def _described(rule: str, detail: dict[str, Any], value: Any, names: tuple[str, ...]) -> str:
    """What is wrong, for the log and for errors: the rule, what it demands, and of the value only type and length."""
    if names:
        return f"{rule}: {', '.join(names)}"
    wanted = detail.get("types") or detail.get("options") or [value for value in (detail.get("limit"),) if value is not None]
    kind = TYPES.get(type(value), "null")
    length = f" of length {len(value)}" if isinstance(value, str | list | dict) else ""
    return f"{rule}: {' or '.join(map(str, wanted))}, not {kind}{length}" if wanted else f"{rule}: {kind}{length}"
