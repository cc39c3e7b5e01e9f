"""AsyncAPI: the lists with their messages."""

from __future__ import annotations

import json

import jsonschema_rs
import msgspec
import pytest

from in_memory import in_memory
from ocpp_tw.contract.documents import as_json
from ocpp_tw.contract.events import NAMED
from ocpp_tw.redis.keys import Keys
from ocpp_tw.settings import Settings


@pytest.fixture(scope="module")
def lists():
    return msgspec.json.decode(as_json("asyncapi"))


def valid(lists, message, value) -> bool:
    """Whether it is such a message, in the dialect of the document: JSON Schema draft 7."""
    schema = {"$ref": lists["components"]["messages"][message]["payload"]["$ref"], "components": lists["components"]}
    return jsonschema_rs.Draft7Validator(schema).is_valid(value)


def test_the_lists_are_those_of_the_settings(lists):
    keys = Keys.of(Settings(name="gw"))
    addresses = {name: channel["address"] for name, channel in lists["channels"].items()}
    assert addresses == {"events": keys.events, "commands": keys.commands, "dead_letters": keys.dead_letters, "replies": None}
    assert list(lists["channels"]["events"]["messages"]) == NAMED
    assert lists["operations"]["take_commands"]["reply"]["channel"] == {"$ref": "#/channels/replies"}


def test_what_is_in_them_is_valid(lists):
    here = in_memory()
    here.application.start()
    here.push_command(CpID="nobody", data=[2, "r1", "Reset", {"type": "Soft"}], reply_to="mine")
    here.store.push(b'{"no": "command"}')
    here.store.push(b"\xff")
    (event,) = here.published()
    assert valid(lists, "command_result", event) and not valid(lists, "health", event)
    assert not valid(lists, "command_result", {**event, "data": {**event["data"], "outcome": "perhaps"}})
    assert valid(lists, "command_result", json.loads(here.store.replies["mine"][0]))
    whole, broken = map(json.loads, here.store.dead)
    assert valid(lists, "DeadLetter", whole) and valid(lists, "DeadLetter", broken)
    assert "base64" in broken and "base64" not in whole and not valid(lists, "DeadLetter", {"element": ""})


def test_commands_are_valid_in_either_form(lists):
    assert valid(lists, "raw_command", {"CpID": "cp1", "data": [2, "r1", "Reset", {"type": "Soft"}]})
    assert not valid(lists, "raw_command", {"CpID": "cp1", "data": [2, "r1", "Reset", {}, 1]})
    assert valid(lists, "neutral_command", {"cp_id": "cp1", "command": "reset", "data": {"type": "Soft"}, "id": "r1"})
    assert not valid(lists, "neutral_command", {"cp_id": "cp1", "command": "reset", "data": {"type": "Soft"}})
