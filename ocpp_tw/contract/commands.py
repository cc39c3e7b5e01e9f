"""JSON Schema of both forms of commands: what `ocpp_tw.core.commands.parse` reads, with the data that each command takes.

Knows neither chargers nor what a version can express: that is decided when the charger is known.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ..core.commands import NeutralCommand, RawCommand
from ..dispatch.translate import OWN_SHAPES
from ..ocpp.actions import snake_case
from ..ocpp.neutral.profiles import PERIOD, PROFILE
from ..ocpp.neutral.shapes import NUMBER, SHAPES, TAG, Natural, Shape, Types
from ..ocpp.v2 import V21, V201
from ..ocpp.v16 import V16
from .schemas import Schema, document, flat, of_types, ref

RAW, NEUTRAL, BY_HTTP = "raw_command", "neutral_command", "http_command"
"""The definitions of the two forms, and of a command by HTTP."""

TYPES: dict[type, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    Natural: {"type": "integer", "minimum": 0},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    dict: {"type": "object"},
}

INNER = {"profile": PROFILE, "charging_profile": PROFILE, "list": TAG, "periods": PERIOD}
"""The members that are objects of a shape of their own, or lists of those."""

NEEDS_ID: Schema = {"required": ["id"]}

OCPP_PAYLOAD: Schema = {
    "description": "OCPP's own payload, which is sent as it is: the name of at least one member is in camelCase",
    "type": "object",
    "not": {"propertyNames": {"pattern": "^[^A-Z]*$"}},
}


@cache
def definitions() -> dict[str, Schema]:
    """The definitions of both forms, and of every command of the neutral one: ``reset_command``, and ``reset_data``, which is in it."""
    _, found = of_types([RawCommand, NeutralCommand], encoded=False)
    raw, neutral = found[RawCommand.__name__], found[NeutralCommand.__name__]
    versions = (V16, V201, V21)
    actions = sorted(set[str]().union(*(version.csms_actions for version in versions)))
    raw["properties"]["data"]["prefixItems"][2] = {"enum": actions}
    others = sorted(set(map(snake_case, actions)) - SHAPES.keys() - OWN_SHAPES.keys())
    named: dict[str, Schema] = {}
    data: dict[str, Schema] = {}
    for command, shape in {**SHAPES, **OWN_SHAPES}.items():
        takes = _of_shape(shape)
        data[f"{command}_data"] = takes if command in OWN_SHAPES else {"anyOf": [takes, OCPP_PAYLOAD]}
        named[f"{command}_command"] = _command(neutral, {"const": command}, ref(f"{command}_data"), bool(shape.required))
    any_other = {"type": "object", "description": "OCPP's payload of the action that the command is named after, in snake_case"}
    named["other_command"] = _command(neutral, {"enum": others}, any_other, False)
    form: Schema = {"title": neutral["title"], "description": neutral["description"], "oneOf": [ref(name) for name in named]}
    by_http = {
        "title": "A command by HTTP",
        "description": "Either form; of the neutral one `id` may be left out.",
        "oneOf": [ref(RAW), *form["oneOf"]],
    }
    return {RAW: raw, NEUTRAL: form | NEEDS_ID, BY_HTTP: by_http, **named, **data}


def command_schema(name: str = "") -> Schema:
    """The schema of one form, of one command in the neutral form (``reset_command``), or of all. Raises `KeyError`."""
    if not name:
        return document({"title": "A command", "oneOf": [ref(RAW), ref(NEUTRAL)]}, definitions())
    schema = definitions()[name]
    needs_id = {} if name in (RAW, NEUTRAL, BY_HTTP) else {"required": ["id", *schema["required"]]}
    return document({**schema, **needs_id}, definitions())


def _command(form: Schema, name: Schema, data: Schema, data_needed: bool) -> Schema:
    members = form["properties"]
    properties = {**members, "command": {**members["command"], **name}, "data": data}
    required = [each for each in members if (each in form["required"] and each != "id") or (each == "data" and data_needed)]
    return {"title": name.get("const", "any other command"), "type": "object", "properties": properties, "required": required}


def _of_shape(shape: Shape) -> Schema:
    """A member that is null counts as missing."""
    required = {name: _of_member(name, types) for name, types in shape.required.items()}
    optional = {name: flat({"anyOf": [_of_member(name, types), {"type": "null"}]}) for name, types in shape.optional.items()}
    schema: Schema = {"type": "object", "properties": required | optional}
    if required:
        schema["required"] = list(required)
    return schema if shape.lenient else schema | {"additionalProperties": {"type": "null"}}


def _of_member(name: str, types: Types) -> Schema:
    each = [
        TYPES[kind] for kind in (types if isinstance(types, tuple) else (types,)) if (kind in TYPES and types != NUMBER) or kind is float
    ]
    if name in INNER:
        inner: Any = {"anyOf": [_of_shape(INNER[name]), OCPP_PAYLOAD]} if INNER[name] is PROFILE else _of_shape(INNER[name])
        return {"type": "array", "items": inner} if types is list else inner
    return flat({"anyOf": each}) if each else {}
