"""JSON Schema of the events, one for each name, from the classes that they are encoded from (`ocpp_tw.core.event_names`).

Knows neither who publishes an event nor where it goes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from ..core.event import Data, Event
from ..core.event_names import NAMES
from ..ocpp.actions import CHARGER_ACTIONS_V16, CHARGER_ACTIONS_V21, CHARGER_ACTIONS_V201, FIXED_ANSWERS, OWN_ANSWERS, snake_case
from ..ocpp.negotiation import enabled_versions
from ..settings import Settings
from .meanings import said
from .schemas import Schema, document, of_types, only_2x, ref

SEQ: Schema = {
    "type": "integer",
    "minimum": 1,
    "description": "numbers the events of one charger without a gap, across connections, restarts and gateways; those of a refused handshake, "
    "and what is merely claimed of a charger, are numbered apart, all together",
}
"""The member that the store adds as it appends an event; a result in a list for replies has none."""

OTHERS = sorted(
    {snake_case(action): action for action in CHARGER_ACTIONS_V16 | CHARGER_ACTIONS_V201 | CHARGER_ACTIONS_V21}.items()
    - {(snake_case(action), action) for action in OWN_ANSWERS | FIXED_ANSWERS | {"DataTransfer"}}
)
"""The events that are named after an action, and the action of each."""

VERSIONS = [version.name for version in enabled_versions(replace(Settings(), legacy=True)).values()]
"""The versions of OCPP that a connection may have."""

NAMED = [*NAMES, *dict(OTHERS)]
"""The names of all events."""

ANY = "event"
"""The definition of any event."""


@cache
def definitions() -> dict[str, Schema]:
    """The definitions of all events, each under its name, and of what is in them."""
    _, found = of_types([Event, Data, *NAMES.values()])
    members = found[Event.__name__]["properties"]
    members["ocpp"] = {**members["ocpp"], "enum": [*VERSIONS, None]}
    members["data"] = {"type": "object", "description": members["data"]["description"]}
    members["seq"] = SEQ
    del found[Event.__name__]["type"]  # it is never alone: what it belongs to says that it is an object, and which members it has
    named = {name: _event(name, data) for name, data in NAMES.items()}
    named |= {name: _event(name, Data, action) for name, action in OTHERS}
    whole: Schema = {"title": "An event", "description": said(Event), "oneOf": [ref(name) for name in named]}
    return {ANY: whole, **named, **found}


def event_schema(name: str = ANY) -> Schema:
    """The schema of one event, or of any. Raises `KeyError`."""
    return document(ref(name) if name == ANY else definitions()[name], definitions())


def _event(name: str, data: type[Data], action: str = "") -> Schema:
    """The envelope around such data."""
    properties: Schema = {"event": {"const": name}, "data": ref(data.__name__)}
    meaning = said(data)
    if action:
        properties["action"] = {"const": action}
        meaning = f"A charger's {action}, which the gateway does not interpret: its request is in `payload`."
    later = only_2x(data)
    versions = {}
    if later:
        versions = {
            "if": {"properties": {"ocpp": {"type": "string", "pattern": "^2"}}},
            "then": {"properties": {"data": {"required": later}}},
            "else": {"properties": {"data": {"properties": dict.fromkeys(later, False)}}},
        }
    envelope = {"allOf": [ref(Event.__name__)], "type": "object", "properties": properties}
    return {"title": name, "description": meaning, **envelope, **versions}
