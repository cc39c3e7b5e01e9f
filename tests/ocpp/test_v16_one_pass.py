"""What is read of OCPP 1.6 in one pass gives the same fact as by way of a dictionary; what breaks the schema, or has a timestamp that is none, is not read so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocpp_tw.ocpp import checks
from ocpp_tw.ocpp.v16 import V16
from payloads import broken, fullest, json_values, schema, valid

ACTIONS = ("Heartbeat", "StatusNotification")
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}


def in_one_pass(action: str, payload: Any) -> Any:
    return V16.quick_readers[action](json.dumps(payload, separators=(",", ":")).encode())


def agrees(action: str, payload: Any) -> bool:
    """Whether the message is read in one pass; then it is valid, and its fact is the same as by way of a dictionary."""
    quick = in_one_pass(action, payload)
    if quick is None:
        return False
    assert V16.schemas.request(action, payload) == [] and checks.found(payload, any_unit=False) == []
    assert quick == V16.translations[action].read(payload)
    return True


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Heartbeat", {}),
        ("StatusNotification", STATUS),
        ("StatusNotification", {**STATUS, "timestamp": "2026-11-22T10:00:00Z", "info": "x" * 50, "vendorErrorCode": "", "vendorId": "V"}),
        ("StatusNotification", {**STATUS, "connectorId": 0, "errorCode": "GroundFailure", "status": "Faulted"}),
    ],
)
def test_ordinary_messages_are_read_in_one_pass(action: str, payload: Any) -> None:
    assert agrees(action, payload)


@pytest.mark.parametrize("action", ACTIONS)
def test_no_fault_of_a_schema_is_read_in_one_pass(action: str) -> None:
    whole = schema("v16", action)
    faults = [each.payload for each in broken(whole)]
    assert faults and not any(agrees(action, payload) for payload in faults)
    assert agrees(action, fullest(whole) | ({"timestamp": "2026-11-22T10:00:00Z"} if action == "StatusNotification" else {}))


@pytest.mark.parametrize("timestamp", ["", "yesterday", "2026-13-45T10:00:00Z", None, 5])
def test_a_timestamp_that_is_none_is_left_to_the_other_way(timestamp: Any) -> None:
    assert not agrees("StatusNotification", {**STATUS, "timestamp": timestamp})


@given(valid(schema("v16", "StatusNotification")), st.sampled_from([*STATUS, "info", "timestamp", "more"]), json_values())
def test_any_message_gives_the_same_fact_or_is_not_read_in_one_pass(payload: Any, name: str, value: Any) -> None:
    agrees("StatusNotification", payload)
    agrees("StatusNotification", payload | {name: value})
