"""AsyncAPI 3 of the lists in Redis: events, commands, dead letters and replies.

Knows neither Redis nor what is in a message: schemas are those of `contract.events` and `contract.commands`, in the dialect of AsyncAPI
(JSON Schema draft 7, and a little more).
"""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..core.commands import DeadLetter
from ..core.event_names import NAMES
from ..core.gateway_events import CommandResult
from ..redis.keys import Keys
from ..settings import Settings
from . import commands, events
from .meanings import said
from .schemas import Schema, moved, of_types

SCHEMAS = "#/components/schemas/"
RESULT = next(name for name, data in NAMES.items() if data is CommandResult)


def asyncapi() -> Schema:
    """The document, with the names that the lists have by default."""
    settings, keys = Settings(), Keys("any")
    _, dead = of_types([DeadLetter])
    happen = {name: schema for name, schema in events.definitions().items() if name in events.NAMED}
    dead_letter = DeadLetter.__name__
    messages = {
        **{name: _message(name, name, schema["description"]) for name, schema in happen.items()},
        commands.RAW: _message(commands.RAW, "A command as an OCPP CALL", commands.definitions()[commands.RAW]["description"]),
        commands.NEUTRAL: _message(
            commands.NEUTRAL, "A command in the neutral form", commands.definitions()[commands.NEUTRAL]["description"]
        ),
        dead_letter: _message(dead_letter, "A dead letter", said(DeadLetter)),
    }
    lists = {
        "events": (
            settings.events,
            happen,
            "What has happened. The gateway appends (RPUSH); take from the other end (LPOP, BLPOP, BLMOVE). `--events` names it.",
        ),
        "commands": (
            settings.commands,
            (commands.RAW, commands.NEUTRAL),
            "What chargers are to do. Append (RPUSH); the gateway takes from the other end. `--commands` names it.",
        ),
        "dead_letters": (keys.dead_letters, (dead_letter,), "Elements of the list of commands that are none."),
        "replies": (
            None,
            (RESULT,),
            "The list that a command names in `reply_to`: its result, without `seq`. It expires an hour after its last element.",
        ),
    }
    definitions = events.definitions() | commands.definitions() | dead
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The OCPP gateway's lists in Redis",
            "version": __version__,
            "description": "Each element of a list is one JSON object. The contract is docs/contract.md, sections 1 and 2.",
        },
        "defaultContentType": "application/json",
        "servers": {"redis": {"host": "127.0.0.1:6379", "protocol": "redis", "description": "Redis or Valkey; `--redis` names it."}},
        "channels": {name: _channel(*each) for name, each in lists.items()},
        "operations": {
            "publish_events": _operation("send", "events", "The gateway tells what has happened."),
            "take_commands": {
                **_operation("receive", "commands", "The gateway takes a command, and publishes exactly one `command_result` for it."),
                "reply": {"channel": {"$ref": "#/channels/replies"}, "address": {"location": "$message.payload#/reply_to"}},
            },
            "set_aside_dead_letters": _operation("send", "dead_letters", "The gateway sets aside what is no command."),
        },
        "components": {"messages": messages, "schemas": _as_draft_7(moved(definitions, SCHEMAS))},
    }


def _channel(address: str | None, messages: Any, meaning: str) -> Schema:
    return {
        "address": address,
        "description": meaning,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "servers": [{"$ref": "#/servers/redis"}],
    }


def _operation(action: str, channel: str, meaning: str) -> Schema:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": meaning}


def _message(name: str, title: str, meaning: str) -> Schema:
    return {"name": name, "title": title, "summary": meaning, "payload": {"$ref": SCHEMAS + name}}


def _as_draft_7(schema: Any) -> Any:
    """Draft 7 has the schemas of a tuple's elements in ``items``, and sees nothing beside a reference."""
    if isinstance(schema, list):
        return [_as_draft_7(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    written = {key: _as_draft_7(value) for key, value in schema.items()}
    if "prefixItems" in written:
        return {
            **{key: value for key, value in written.items() if key != "prefixItems"},
            "items": written["prefixItems"],
            "additionalItems": False,
        }
    if isinstance(written.get("$ref"), str) and len(written) > 1:
        return {"allOf": [{"$ref": written.pop("$ref")}, *written.pop("allOf", [])], **written}
    return written
