"""What a schema wants of each member, in the form that repairing needs: types, words, names, and which texts are timestamps.

Knows no payload. Read when an action is first broken; most never are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from .aliases import MEMBERS, folded


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """One value of a schema, with all that is inside it."""

    kind: str
    """JSON Schema's ``type``; "" for a value that may be anything."""
    words: Mapping[str, str] | None = None
    """Of an enumeration: folded word -> the word."""
    moment: bool = False
    """Whether it is a timestamp."""
    timed: bool = False
    """Whether it is a timestamp, or has one somewhere inside."""
    members: Mapping[str, Form] | None = None
    names: Mapping[str, str] | None = None
    """Of an object without further members: folded name -> the name."""
    required: frozenset[str] = frozenset()
    items: Form | None = None
    moves: tuple[tuple[str, str], ...] = ()
    """Of a whole message: members that other versions have, and the way to where they belong."""


@cache
def request(version: str, action: str) -> Form:
    """The form of a request, ``request("2.0.1", "Authorize")``. Raises `KeyError` for an unknown action."""
    return _read(version, action, "") if version[0] == "1" else _read(version, action, "Request")


@cache
def answer(version: str, action: str) -> Form:
    """The form of an answer. Raises `KeyError` for an unknown action."""
    return _read(version, action, "Response")


def actions() -> frozenset[str]:
    """The actions of every version."""
    names = (file.name for folder in ("v16", "v201", "v21") for file in files("ocpp").joinpath(folder, "schemas").iterdir())
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return frozenset(stem.removesuffix("Request") for stem in stems if not stem.endswith("Response"))


def form(schema: Any, moves: tuple[tuple[str, str], ...] = ()) -> Form:
    """The form of a schema."""
    return _form(schema, schema, {}, moves)


def _read(version: str, action: str, suffix: str) -> Form:
    # OCPP 1.5 and 1.2 have no schemas of their own; what 2.1 sends without an answer has no "Request" in its name
    folder = files("ocpp").joinpath("v16" if version[0] == "1" else "v" + version.replace(".", ""), "schemas")
    for name in (action + suffix, action) if suffix == "Request" else (action + suffix,):
        file = folder.joinpath(name + ".json")
        if file.is_file():
            return form(json.loads(file.read_text("utf-8-sig")), MEMBERS.get((version[0], name), ()))
    raise KeyError(action)


def _form(schema: Any, root: Any, known: dict[str, Form], moves: tuple[tuple[str, str], ...] = ()) -> Form:
    """``known`` are the definitions that have been read; OCPP's refer to each other, but never in a circle."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in known:
            known[name] = _form(root["definitions"][name], root, known)
        return known[name]
    kind, moment = schema.get("type", ""), schema.get("format") == "date-time"
    if kind == "object":
        members = {name: _form(each, root, known) for name, each in schema.get("properties", {}).items()}
        closed = schema.get("additionalProperties") is False
        names = {folded(name): name for name in members} if closed else None
        timed = any(each.timed for each in members.values())
        return Form(kind, None, False, timed, members, names, frozenset(schema.get("required", ())), None, moves)
    if kind == "array":
        items = _form(schema["items"], root, known)
        return Form(kind, timed=items.timed, items=items)
    words = {folded(word): word for word in schema["enum"]} if "enum" in schema else None
    return Form(kind, words, moment, moment)
