"""JSON Schema of classes: what is required, what is left out, what fields mean."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import jsonschema_rs
import msgspec
import pytest
from msgspec import UNSET, UnsetType

from ocpp_tw.contract.commands import command_schema
from ocpp_tw.contract.commands import definitions as commands
from ocpp_tw.contract.documents import DOCUMENTS, as_json
from ocpp_tw.contract.events import NAMED, event_schema
from ocpp_tw.contract.meanings import meanings
from ocpp_tw.contract.schemas import closed, document, flat, of_types


class Inner(TypedDict):
    """What is in it."""

    second: str
    """the first in the source"""
    first: NotRequired[int]
    """not always there"""


class Base(msgspec.Struct):
    name: str
    """its name"""


class Outer(Base, omit_defaults=True):
    """A thing."""

    inner: Inner
    """more
    about it"""
    kind: Annotated[str, msgspec.Meta(extra_json_schema={"enum": ["a", "b"]})]
    """which"""
    flag: bool = False
    """only when true"""
    text: str | None = None
    """only when there is one"""
    later: int | UnsetType | None = UNSET
    """in later versions"""


def members(of: type, **how: Any) -> dict[str, Any]:
    return of_types([of], **how)[1][of.__name__]["properties"]


def test_a_field_means_what_stands_below_it():
    assert list(meanings(Outer).items())[:2] == [("inner", "more\nabout it"), ("kind", "which")]
    assert meanings(Outer)["name"] == "its name"
    assert members(Outer)["name"] == {"type": "string", "description": "its name"}
    assert list(members(Inner)) == ["second", "first"]


def test_what_is_left_out_by_default_is_not_its_default_where_it_is_there():
    schema = of_types([Outer])[1]["Outer"]
    assert schema["required"] == ["name", "inner", "kind"]
    assert schema["properties"]["flag"]["const"] is True
    assert schema["properties"]["text"]["type"] == "string"
    assert schema["properties"]["later"]["type"] == ["integer", "null"]


@pytest.mark.parametrize("left_out", [{}, {"flag": True, "text": "t", "later": None}])
def test_what_is_encoded_is_valid(left_out):
    schema, definitions = of_types([Outer])
    valid = jsonschema_rs.validator_for(closed(document(schema[0], definitions))).is_valid
    value = msgspec.json.decode(msgspec.json.encode(Outer("n", {"second": "s"}, "a", **left_out)))
    assert valid(value)
    for wrong in ({"flag": False}, {"text": None}, {"kind": "c"}, {"more": 1}, {"inner": {}}, {"inner": {"second": "s", "more": 1}}):
        assert not valid(value | wrong), wrong


def test_what_is_read_may_have_its_defaults():
    assert members(Outer, encoded=False)["text"]["type"] == ["string", "null"]
    assert members(Outer, encoded=False)["flag"]["type"] == "boolean"


def test_types_stand_in_one_list_if_they_have_no_more_to_say():
    assert flat({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}], "title": "t"}) == {
        "title": "t",
        "type": ["integer", "null"],
        "minimum": 0,
    }
    bounded = {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "null"}]}
    assert flat(bounded) == bounded


@pytest.mark.parametrize(
    "schema",
    [
        *(event_schema(name) for name in NAMED),
        event_schema(),
        command_schema(),
        *map(command_schema, (name for name in commands() if name.endswith("_command"))),
    ],
    ids=lambda schema: schema.get("title", ""),
)
def test_each_is_json_schema_that_says_what_it_is(schema):
    jsonschema_rs.meta.validate(schema)
    jsonschema_rs.validator_for(schema)
    assert "title" in schema or "$ref" in schema


def _nodes(value: Any) -> Any:
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(each)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_reference_leads_somewhere_and_nothing_defined_is_in_vain(name):
    whole = msgspec.json.decode(as_json(name))
    references = {node["$ref"] for node in _nodes(whole) if isinstance(node, dict) and isinstance(node.get("$ref"), str)}
    for reference in references:
        place: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    defined = whole.get("components", {}).get("schemas", {})
    unused = {each for each in defined if f"#/components/schemas/{each}" not in references}
    assert unused <= {"event", "http_command", "Data"} | {each for each in defined if each.endswith("_command")} and references
