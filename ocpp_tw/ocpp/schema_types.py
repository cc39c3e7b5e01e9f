"""Types for `msgspec`, made from OCPP's schemas of 2.x: JSON that one of them decodes is valid to its schema, and nothing has to be walked again.

Knows no action. They accept less than the schemas: no customData, and no integer that is written with a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from .payload_json import MAX_INTEGER, MIN_INTEGER

KEYWORDS = frozenset(
    {
        "$schema", "$id", "$ref", "title", "description", "comment", "javaType", "definitions", "default", "format", "type", "enum",
        "properties", "required", "additionalProperties", "items", "additionalItems", "minItems", "maxItems", "maxLength", "minimum", "maximum",
    }
)  # fmt: skip
"""The keywords that are known here. ``format`` is not validated (`ocpp_tw.ocpp.schemas`), the first line says nothing about what is valid."""

OPEN = "customData"
"""The member that may have further members of any name."""

Members = dict[str, Any]


def type_of(schema: Members, path: str = "", *, root: Members, instead: Mapping[str, Any]) -> Any:
    """The type that accepts no more than the schema does, at ``path`` in the whole schema ``root``.

    ``instead`` has types to use for members, by path (``meterValue/sampledValue``), None to accept none. The members of an object
    are in the order of their names, as `payload_json.digest` needs them, and None where they are left out.
    """
    while "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    assert schema.keys() <= KEYWORDS, f"no type can be made of {schema}"
    match schema["type"]:
        case "object":
            assert schema["additionalProperties"] is False
            return _object(schema, path, root, instead)
        case "array":
            items: Any = type_of(schema["items"], path, root=root, instead=instead)
            return Annotated[list[items], msgspec.Meta(min_length=schema.get("minItems"), max_length=schema.get("maxItems"))]
        case "string" if "enum" in schema:
            return Literal[tuple(schema["enum"])]
        case "string":
            return Annotated[str, msgspec.Meta(max_length=schema["maxLength"])] if "maxLength" in schema else str
        case "integer":
            low, high = schema.get("minimum", MIN_INTEGER), schema.get("maximum", MAX_INTEGER)
            return Annotated[int, msgspec.Meta(ge=int(low), le=int(high))]
        case "number":
            assert not schema.keys() & {"minimum", "maximum"}
            return int | float
        case "boolean":
            return bool
        case other:
            raise AssertionError(f"no type can be made of {other}")


def _object(schema: Members, path: str, root: Members, instead: Mapping[str, Any]) -> Any:
    fields: list[Any] = []
    for name in sorted(schema["properties"]):
        place = f"{path}/{name}" if path else name
        if place in instead:
            member = instead[place]
        else:
            member = None if name == OPEN else type_of(schema["properties"][name], place, root=root, instead=instead)
        if member is not None:
            fields.append((name, member) if name in schema.get("required", ()) else (name, member, None))
    # gc=False: only its lists refer to other objects, and none of those refers back
    return msgspec.defstruct("Read", fields, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False)
