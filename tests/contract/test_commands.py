"""JSON Schema of commands: it allows what is read as a command, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from ocpp_tw.contract.commands import INNER, NEUTRAL, RAW, command_schema
from ocpp_tw.core.commands import Invalid, parse
from ocpp_tw.dispatch.translate import OWN_SHAPES
from ocpp_tw.ocpp.neutral.profiles import PERIOD, PROFILE
from ocpp_tw.ocpp.neutral.shapes import SHAPES, TAG, InvalidShape, Shape
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v16 import V16

VALUES: list[Any] = [None, 0, 1, -1, 1.5, "x", "", True, [], {}]
VALID = {str: "x", int: 1, float: 1.5, list: [], dict: {"connectorId": 1}}

RESET = {"cp_id": "cp1", "command": "reset", "data": {"type": "Soft"}, "id": "r1"}
CALL = {"CpID": "cp1", "data": [2, "r1", "Reset", {"type": "Soft"}]}


def is_read(element: Any) -> bool:
    try:
        parse(json.dumps(element).encode())
    except Invalid:
        return False
    return True


def fits(shape: Shape, data: Any) -> bool:
    try:
        shape.read(data)
    except InvalidShape:
        return False
    return True


@pytest.mark.parametrize(("command", "shape"), [*SHAPES.items(), *OWN_SHAPES.items()])
def test_data_is_valid_if_it_has_the_shape_of_its_command(command, shape):
    valid = jsonschema_rs.validator_for(command_schema(f"{command}_command")).is_valid
    kinds = {name: kind[0] if isinstance(kind, tuple) else kind for name, kind in shape.required.items()}
    least = {name: next(value for base, value in VALID.items() if issubclass(kind, base)) for name, kind in kinds.items()}
    element = {"cp_id": "cp1", "command": command, "id": "r1"}
    assert valid({**element, "data": least})
    assert valid(element) is (not least)
    for name in (*shape.required, *shape.optional, "unknown"):
        for value in VALUES:
            if (name in INNER and isinstance(value, dict)) or (name == "unknown" and value is None):
                continue  # its own members are read later; what is null is ignored, but nobody should rely on that
            assert valid({**element, "data": {**least, name: value}}) is fits(shape, {**least, name: value}), (name, value)
        assert valid({**element, "data": {each: value for each, value in least.items() if each != name}}) is (name not in shape.required)


def test_members_that_have_a_shape_of_their_own_are_in_the_commands():
    """A charging profile, its periods, the entries of a local list."""
    known = [name for shape in (*SHAPES.values(), PROFILE) for name in (*shape.required, *shape.optional)]
    assert set(INNER) <= set(known)
    valid = jsonschema_rs.validator_for(command_schema("set_charging_profile_command")).is_valid
    period = {"start": 0, "limit": 16}
    profile = {"id": 1, "stack_level": 0, "purpose": "TxProfile", "kind": "Absolute", "unit": "A", "periods": [period]}
    element = {"cp_id": "cp1", "command": "set_charging_profile", "id": "r1"}
    for inner, good in ((profile, True), ({"chargingProfileId": 1}, True), ({**profile, "periods": [{}]}, False), ({}, False)):
        assert valid({**element, "data": {"connector_id": 1, "profile": inner}}) is good
    assert fits(PERIOD, period)
    entries = jsonschema_rs.validator_for(command_schema("send_local_list_command")).is_valid
    for entry in ({"tag": "T"}, {"tag": "T", "status": "Accepted"}, {"status": "Accepted"}, {"tag": 1}, {"tag": "T", "more": 1}):
        data = {"version": 1, "update_type": "Full", "list": [entry]}
        assert entries({"cp_id": "cp1", "command": "send_local_list", "id": "r1", "data": data}) is fits(TAG, entry), entry


def test_ocpps_own_payload_is_valid_too():
    valid = jsonschema_rs.validator_for(command_schema()).is_valid
    assert valid({**RESET, "command": "unlock_connector", "data": {"connectorId": 1}})
    assert valid({**RESET, "command": "get_base_report", "data": {"requestId": 1, "reportBase": "FullInventory"}})
    assert not valid({**RESET, "command": "set_security_profile", "data": {"securityProfile": 1}})
    assert not valid({**RESET, "command": "dance"})


def test_every_command_of_every_version_is_valid():
    valid = jsonschema_rs.validator_for(command_schema(RAW)).is_valid
    neutral = jsonschema_rs.validator_for(command_schema()).is_valid
    for version in (V16, V201, V21):
        for action in version.csms_actions:
            assert valid({"CpID": "cp1", "data": [2, "r1", action, {}]})
        for command in version.neutral:
            assert neutral({**RESET, "command": command, "data": {"camelCase": 1}})


@pytest.mark.parametrize(("form", "element"), [(NEUTRAL, RESET), (RAW, CALL)])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("timeout", [None, 0, 3600, 3600.5, -1, "1", True, []]),
        ("ttl", [None, 0, 86_400, 86_401, -1, "1", True]),
        ("expires", [None, 1_790_000_000, "2026-11-22T10:00:00Z", True, []]),
        ("reply_to", [None, "mine", "", "x" * 512, "x" * 513, 1]),
    ],
)
def test_what_both_forms_may_have_is_valid_if_it_is_read(form, element, name, values):
    valid = jsonschema_rs.validator_for(command_schema(form)).is_valid
    assert valid(element) and is_read(element)
    for value in values:
        assert valid({**element, name: value}) is is_read({**element, name: value}), value


@pytest.mark.parametrize(
    "changes",
    [
        *({"id": value} for value in ("", "x" * 36, "x" * 37, 7, 1.5, True, None)),
        *({"cp_id": value} for value in ("", 1, None)),
        *({"data": value} for value in (None, [], "x")),
        {"command": 1},
    ],
    ids=str,
)
def test_the_neutral_form_is_valid_if_it_is_read(changes):
    assert jsonschema_rs.validator_for(command_schema(NEUTRAL)).is_valid(RESET | changes) is is_read(RESET | changes)


@pytest.mark.parametrize("name", RESET)
def test_the_neutral_form_needs_what_is_needed_to_read_it(name):
    element = {each: value for each, value in (RESET | {"command": "clear_cache", "data": {}}).items() if each != name}
    assert jsonschema_rs.validator_for(command_schema(NEUTRAL)).is_valid(element) is is_read(element)


@pytest.mark.parametrize(
    "call",
    [[3, "r1", "Reset", {}], [2, "r1", "Reset"], [2, "r1", "Reset", {}, 1], [2, "", "Reset", {}], [2, True, "Reset", {}], [2, 7, "Reset", {}],
     [2, "r1", "no name", {}], [2, "r1", "Reset", []], [2, "x" * 37, "Reset", {}], {}, None],
    ids=str,
)  # fmt: skip
def test_a_call_is_valid_if_it_is_read(call):
    element = {"CpID": "cp1", "data": call}
    assert jsonschema_rs.validator_for(command_schema(RAW)).is_valid(element) is is_read(element)
