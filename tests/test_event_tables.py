"""What compares each event of the suite with the tables of docs/contract.md (`tests/conftest.py`) finds what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from event_tables import EventTables
from in_memory import START_1, in_memory, stop

HEALTH: dict[str, Any] = {
    "event": "health", "domain": "d", "data": {"charger": "cp1"}, "id": "i", "time": "t", "gateway": "gw", "ocpp": "1.6",
    "action": "Heartbeat", "message_id": "m", "payload": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def contract() -> EventTables:
    return EventTables()


def test_an_event_as_the_document_has_it_is_right(contract):
    assert contract.faults(json.dumps(HEALTH | {"seq": 7}).encode()) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"ocpp": 1.6}, "'ocpp' is 1.6, not string or null"),
        ({"duplicate": False}, "'duplicate' is there, though not true"),
        ({"extra": 1}, "'extra' stands in no table"),
        ({"data": {"charger": None}}, "'charger' is None, not string"),
        ({"data": {}}, "'charger' is not there"),
        ({"event": "authorize", "data": {"charger": "c", "tag": "T", "status": "Accepted", "tag_type": None}}, "'tag_type' is there, though 2.x only"),
        ({"event": "authorize", "ocpp": "2.1", "data": {"charger": "c", "tag": "T", "status": "Accepted"}}, "'tag_type' is not there"),
        ({"event": "notify_report", "data": {"charger": "c", "more": 1}}, "'more' stands in no table"),
    ],
)  # fmt: skip
def test_an_event_that_is_not_is_told(contract, changes, fault):
    (found,) = contract.faults(json.dumps(HEALTH | changes).encode())
    assert found.endswith(fault)


def test_members_of_which_nothing_is_known_are_null_and_those_of_2x_are_left_out_in_1_6():
    """CONTRACT 1: a consumer that follows the tables finds every member."""
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    cp.call("StopTransaction", stop(id))
    for event in here.published()[-2:]:
        assert event["data"]["backend_id"] is None
        assert not {"connector", "seq_no", "trigger", "charging_state", "tag_type", "remote_start_id"} & set(event["data"])


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_members_of_which_nothing_is_known_are_null_in_2x(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    event = {"eventType": "Started", "timestamp": "2026-11-23T08:00:00Z", "triggerReason": "CablePluggedIn", "seqNo": 0}
    cp.call("TransactionEvent", event | {"transactionInfo": {"transactionId": "t1"}})
    data = here.published()[-1]["data"]
    assert {data[each] for each in ("connector", "charging_state", "tag_type", "remote_start_id", "backend_id")} == {None}


def test_the_envelope_of_an_absent_chargers_result_has_its_version_as_null():
    here = in_memory()
    here.application.start()
    here.push_command(cp_id="nobody", command="reset", data={"type": "Soft"}, id="r1", ttl=0)
    (event,) = here.published()
    assert event["event"] == "command_result" and event["ocpp"] is None
