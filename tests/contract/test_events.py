"""JSON Schema of events: each name has one, and it is as strict as the events are."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from event_schemas import schema_faults
from in_memory import START_1, in_memory, stop
from ocpp_tw.contract.events import NAMED, event_schema
from ocpp_tw.core.commands import OUTCOMES
from ocpp_tw.core.event_names import NAMES
from ocpp_tw.core.security import KINDS
from ocpp_tw.ocpp.actions import snake_case
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v16 import V16


@pytest.fixture(scope="module")
def stopped():
    """A `stop_transaction` as it is published, without its number."""
    here = in_memory()
    cp = here.connect()
    cp.call("StopTransaction", stop(cp.call("StartTransaction", START_1)["transactionId"]))
    event = here.published()[-1]
    assert event["event"] == "stop_transaction"
    return event


def changed(published, data=None, **changes):
    return json.dumps({**published, **changes, "data": {**published["data"], **(data or {})}}).encode()


def test_every_event_has_a_schema_of_its_own():
    """Those that are named after an action as well, of every version."""
    assert set(NAMES) < set(NAMED) and len(NAMED) == len(set(NAMED))
    interpreted = {
        "Authorize",
        "BootNotification",
        "DataTransfer",
        "Heartbeat",
        "MeterValues",
        "StatusNotification",
        "StartTransaction",
        "StopTransaction",
        "TransactionEvent",
    }
    for version in (V16, V201, V21):
        assert {snake_case(action) for action in version.translations if action not in interpreted} <= set(NAMED)
    with pytest.raises(KeyError):
        event_schema("stop")


def test_an_event_as_it_is_published_is_valid(stopped):
    assert schema_faults(json.dumps(stopped).encode()) == []
    jsonschema_rs.validator_for(event_schema()).validate(stopped)
    jsonschema_rs.validator_for(event_schema()).validate(
        {**stopped, "new": 1, "data": {**stopped["data"], "new": 1}}
    )  # members may be added


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"match": "perhaps"}}, "data/match"),
        ({"data": {"energy_wh": "3000"}}, "data/energy_wh"),
        ({"data": {"trigger": "x"}}, "data/trigger"),
        ({"data": {"more": 1}}, "data"),
        ({"more": 1}, "more"),
        ({"provisional": False}, "provisional"),
        ({"time": "yesterday"}, "time"),
        ({"ocpp": "1.7"}, "ocpp"),
        ({"ocpp": "2.1"}, '"seq_no" is a required property'),
        ({"event": "stop"}, "there is no schema"),
        ({"seq": 0}, "seq"),
    ],
)
def test_an_event_that_is_not_is_told(stopped, changes, said):
    assert any(said in fault for fault in schema_faults(changed(stopped, **changes))), changes


def test_closed_sets_are_listed():
    def of(event, name):
        data = event_schema(event)["properties"]["data"]["$ref"].rpartition("/")[2]
        return event_schema(event)["$defs"][data]["properties"][name]

    assert of("command_result", "outcome")["enum"] == [*OUTCOMES]
    assert of("security_event", "kind")["enum"] == [*KINDS]
    assert of("stop_transaction", "match")["enum"] == ["exact", "by_connector", "none"]
    assert of("boot_notification", "status")["enum"] == ["Accepted", "Pending", "Rejected"]
