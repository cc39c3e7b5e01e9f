"""Validates published events by their JSON Schemas, as nothing but those allow: a member that is in none of them is wrong too."""

from __future__ import annotations

import json
from functools import cache

import jsonschema_rs

from ocpp_tw.contract.events import definitions, event_schema
from ocpp_tw.contract.schemas import closed


@cache
def _validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(closed(event_schema(name)), validate_formats=True)


def schema_faults(text: bytes) -> list[str]:
    """What is not as the event's schema says; nothing for what is no event of a gateway's (a test of a driver's publishes anything)."""
    event = json.loads(text)
    if not isinstance(event, dict) or not {"event", "domain", "gateway"} <= set(event):
        return []
    name = event["event"]
    if name not in definitions():
        return [f"{name}: there is no schema of it"]
    return [f"{name} {'/'.join(map(str, error.instance_path))}: {error.message}" for error in _validator(name).iter_errors(event)]
