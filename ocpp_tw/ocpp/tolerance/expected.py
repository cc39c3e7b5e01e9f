"""What a schema expects of each member, in the form that repairing needs: types, enumerations, names, and which strings are timestamps.

Knows no payloads. A schema is read when the first message of its action has to be repaired; most never are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from .. import schemas
from .aliases import MEMBERS, folded


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedType:
    """What a schema expects of one value, and of everything inside it."""

    kind: str
    """JSON Schema's ``type``; "" for a value of any type."""
    enum: Mapping[str, str] | None = None
    """Of an enumeration: folded word -> the word."""
    is_timestamp: bool = False
    has_timestamp: bool = False
    """Whether it is a timestamp, or contains one."""
    members: Mapping[str, ExpectedType] | None = None
    names: Mapping[str, str] | None = None
    """Of an object that may not have further members: folded name -> the name."""
    required: frozenset[str] = frozenset()
    items: ExpectedType | None = None
    moves: tuple[tuple[str, str], ...] = ()
    """Of a whole message: paths of members as other versions have them, and the paths where they belong (`aliases.MEMBERS`)."""

    @property
    def takes_empty(self) -> bool:
        """Whether "" is a valid value."""
        return self.kind == "string" and self.enum is None and not self.is_timestamp


@cache
def request_type(version: str, action: str) -> ExpectedType:
    """What is expected of a request: ``request_type("2.0.1", "Authorize")``. Raises `KeyError` for an unknown action."""
    return _read(version, action, "") if version[0] == "1" else _read(version, action, "Request")


@cache
def answer_type(version: str, action: str) -> ExpectedType:
    """What is expected of an answer. Raises `KeyError` for an unknown action."""
    return _read(version, action, "Response")


def all_actions() -> frozenset[str]:
    """The actions of every version."""
    names = (file.name for folder in ("v16", "v201", "v21") for file in files("ocpp").joinpath(folder, "schemas").iterdir())
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return frozenset(stem.removesuffix("Request") for stem in stems if not stem.endswith("Response"))


def _read(version: str, action: str, suffix: str) -> ExpectedType:
    # OCPP 1.5 and 1.2 have no schemas of their own; a message that 2.1 sends without an answer has no "Request" in its file's name
    folder = "v16" if version[0] == "1" else "v" + version.replace(".", "")
    for name in (action + suffix, action) if suffix == "Request" else (action + suffix,):
        try:
            schema = schemas.source(folder, name)
        except FileNotFoundError:
            continue
        return _expected(schema, schema, {}, MEMBERS.get((version[0], name), ()))
    raise KeyError(action)


def _expected(schema: Any, root: Any, definitions: dict[str, ExpectedType], moves: tuple[tuple[str, str], ...] = ()) -> ExpectedType:
    """``definitions`` are those of ``root`` that have been read; OCPP's refer to each other, but never in a cycle."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in definitions:
            definitions[name] = _expected(root["definitions"][name], root, definitions)
        return definitions[name]
    kind, is_timestamp = schema.get("type", ""), schema.get("format") == "date-time"
    if kind == "object":
        members = {name: _expected(member, root, definitions) for name, member in schema.get("properties", {}).items()}
        closed = schema.get("additionalProperties") is False
        names = {folded(name): name for name in members} if closed else None
        has_timestamp = any(member.has_timestamp for member in members.values())
        return ExpectedType(kind, None, False, has_timestamp, members, names, frozenset(schema.get("required", ())), None, moves)
    if kind == "array":
        items = _expected(schema["items"], root, definitions)
        return ExpectedType(kind, has_timestamp=items.has_timestamp, items=items)
    enum = {folded(word): word for word in schema["enum"]} if "enum" in schema else None
    return ExpectedType(kind, enum, is_timestamp, is_timestamp)
