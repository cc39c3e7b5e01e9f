"""JSON Schema (2020-12) of the classes that are encoded as JSON, or decoded from it, with the meanings of their fields.

Knows no class by name. A field that is left out of what is encoded, as long as it has its default, never has that default where it is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_type_hints

import msgspec
from msgspec import NODEFAULT, inspect

from .meanings import meanings, said

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFINITIONS = "#/$defs/"
"""Where a schema of its own has those that it refers to."""

REFERRING = ("$ref", "mapping")
"""Members that refer to definitions; the latter is that of a discriminator."""

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A reference to a definition."""
    return {"$ref": DEFINITIONS + name}


def of_types(types: Iterable[Any], *, encoded: bool = True) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each type, and the definitions of all classes in them. ``encoded``: as we write them, else as we read them."""
    listed = list(types)
    schemas, definitions = msgspec.json.schema_components(listed, ref_template=DEFINITIONS + "{name}")
    classes = _classes(listed)
    return list(schemas), {name: _described(schema, classes[name], encoded) for name, schema in definitions.items()}


def left_out(of: type) -> set[str]:
    """The fields that may be left out of what is encoded."""
    info = inspect.type_info(of)
    assert isinstance(info, inspect.StructType | inspect.TypedDictType)
    if isinstance(info, inspect.TypedDictType):
        return {field.name for field in info.fields if not field.required}
    omits = info.cls.__struct_config__.omit_defaults
    return {field.encode_name for field in info.fields if _unset(field) or (omits and not field.required)}


def only_2x(of: type) -> list[str]:
    """The fields of an event's data that are not there in events of OCPP 1.6: those that are `UNSET` by default."""
    return [field.encode_name for field in _fields(of) if _unset(field)]


def _unset(field: Any) -> bool:
    return not field.required and field.default is NODEFAULT and field.default_factory is NODEFAULT


def flat(schema: Schema) -> Schema:
    """The same, with several types that have no more to say in one list of them: ``{"type": ["string", "null"]}``."""
    each = schema.get("anyOf", [])
    if len(each) == 1:
        return {**{key: value for key, value in schema.items() if key != "anyOf"}, **each[0]}
    if not each or any(one.keys() - {"type", "minimum"} or "type" not in one for one in each):
        return schema
    types: list[str] = []
    for one in each:
        types += [one["type"]] if isinstance(one["type"], str) else one["type"]
    bounds = next(({"minimum": one["minimum"]} for one in each if "minimum" in one), {})  # of a number only, whatever else there may be
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, "type": types, **bounds}


def document(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """A schema that stands for itself, with the definitions it needs and no others."""
    names = needed(schema, definitions)
    defined = {name: definition for name, definition in definitions.items() if name in names}
    return {"$schema": DIALECT, **schema, **({"$defs": defined} if defined else {})}


def needed(schema: Any, definitions: dict[str, Schema]) -> set[str]:
    """The names of the definitions that a schema refers to, by way of others too."""
    found: set[str] = set()
    due = [schema]
    while due:
        for name in _references(due.pop()) - found:
            found.add(name)
            due.append(definitions[name])
    return found


def moved(schema: Any, prefix: str) -> Any:
    """The same with its references to definitions elsewhere: ``#/components/schemas/``."""
    if isinstance(schema, dict):
        return {key: _moved(value, prefix) if key in REFERRING else moved(value, prefix) for key, value in schema.items()}
    return [moved(each, prefix) for each in schema] if isinstance(schema, list) else schema


def _moved(value: Any, prefix: str) -> Any:
    if isinstance(value, dict):
        return {key: _moved(each, prefix) for key, each in value.items()}
    return value.replace(DEFINITIONS, prefix, 1) if isinstance(value, str) else moved(value, prefix)


def closed(schema: Any) -> Any:
    """The same, of objects that have no members but these. The contract does not promise that: members may be added to it."""
    if isinstance(schema, dict):
        inner = {key: closed(value) for key, value in schema.items()}
        if schema.get("type") != "object" or "properties" not in schema:
            return inner
        return {**inner, "unevaluatedProperties": False}
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


def _references(schema: Any) -> set[str]:
    if isinstance(schema, dict):
        own = schema.get("$ref")
        inner = set[str]().union(*map(_references, schema.values()))
        return inner | {own.removeprefix(DEFINITIONS)} if isinstance(own, str) else inner
    return set[str]().union(*map(_references, schema)) if isinstance(schema, list) else set()


def _described(schema: Schema, of: type, encoded: bool) -> Schema:
    """The definition of a class, by what its source says."""
    optional, texts = left_out(of), meanings(of)
    if "properties" not in schema:  # of a class that is written as an array
        return schema
    properties: dict[str, Schema] = {}
    tag = _tag(of)
    if tag is not None:
        properties[tag[0]] = {"const": tag[1]}
    for field in _fields(of):
        own = {
            key: value
            for key, value in schema["properties"][field.encode_name].items()
            if key != "default" or not (encoded or value is None)
        }
        if encoded and field.encode_name in optional:
            own = _unlike(own, field.default)
        text = texts.get(field.name)
        properties[field.encode_name] = flat(own) | ({"description": text} if text else {})
    required = [name for name in properties if name not in optional] if encoded else schema.get("required", [])
    described = {"title": schema["title"], "description": said(of), "type": "object", "properties": properties, "required": required}
    if "additionalProperties" in schema and not encoded:
        described["additionalProperties"] = schema["additionalProperties"]
    return {key: value for key, value in described.items() if value not in ("", [])}


def _tag(of: type) -> tuple[str, Any] | None:
    """The member by which the class is told from others, and its value."""
    info = inspect.type_info(of)
    return (info.tag_field, info.tag) if isinstance(info, inspect.StructType) and info.tag_field else None


def _unlike(schema: Schema, default: Any) -> Schema:
    """A field's schema where it has not that default."""
    if default is False:
        return {"const": True}
    if default is not None or "anyOf" not in schema:
        return schema
    return {**schema, "anyOf": [each for each in schema["anyOf"] if each != {"type": "null"}]}


def _fields(of: type) -> tuple[Any, ...]:
    info = inspect.type_info(of)
    assert isinstance(info, inspect.StructType | inspect.TypedDictType)
    if isinstance(info, inspect.StructType):
        return info.fields
    source = list(get_type_hints(of))  # msgspec has them by their names
    return tuple(sorted(info.fields, key=lambda field: source.index(field.name)))


def _classes(types: Iterable[Any]) -> dict[str, type]:
    """The classes in these types, by the names that msgspec gives to them."""
    found: dict[str, type] = {}
    due = list(inspect.multi_type_info(types))
    while due:
        each = due.pop()
        if isinstance(each, inspect.StructType | inspect.TypedDictType):
            assert found.get(each.cls.__name__, each.cls) is each.cls, f"two classes are called {each.cls.__name__}"
            if each.cls.__name__ in found:
                continue
            found[each.cls.__name__] = each.cls
            due += [field.type for field in each.fields]
        else:
            due += _inner(each)
    return found


def _inner(type: Any) -> list[Any]:
    """The types in another: of a union, a list, a tuple."""
    parts = [getattr(type, name) for name in getattr(type, "__struct_fields__", ())]
    return [inner for part in parts for inner in (part if isinstance(part, tuple) else (part,)) if isinstance(inner, inspect.Type)]
