"""The vocabulary of events: the JSON that a backend reads, and the names of actions that have no fields of their own."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from ocpp_tw.core import charger_events
from ocpp_tw.core.entries import numbered
from ocpp_tw.core.event import Data, Event, encode
from ocpp_tw.core.event_names import NAMES
from ocpp_tw.ocpp.actions import snake_case
from ocpp_tw.ocpp.schemas import load

CONTRACT = {
    "connect_charger": ["charger"],
    "disconnect_charger": ["charger"],
    "health": ["charger"],
    "change_connector_status": ["charger", "conn", "status"],
    "start_transaction": ["charger", "conn", "tag", "meter_start"],
    "stop_transaction": ["charger", "transaction_id", "reason", "meter_stop"],
    "meter_value": ["conn", "transaction_id", "meter_value"],
    "data_transfer": ["charger"],
}
"""The seed's events and fields (CONTRACT 1): a backend written for it reads these, and they never change."""


def event(data: Data, **more: Any) -> dict[str, Any]:
    """The event as a backend reads it."""
    said: dict[str, Any] = json.loads(
        encode(Event("some_event", "csms.example.com", data, "id-1", "2026-11-22T10:00:00.123Z", "gw-1", more.pop("ocpp", None), **more))
    )
    return said


def test_an_event_says_what_is_so_and_nothing_else() -> None:
    """CONTRACT 1: the flags stand there only when they are true, and what is always there is null when it is not known."""
    assert event(Data("CP1")) == {
        "event": "some_event",
        "domain": "csms.example.com",
        "data": {"charger": "CP1"},
        "id": "id-1",
        "time": "2026-11-22T10:00:00.123Z",
        "gateway": "gw-1",
        "ocpp": None,
    }
    flags = event(Data("CP1"), duplicate=True, offline=True, provisional=True)
    assert flags["duplicate"] is flags["offline"] is flags["provisional"] is True


def test_the_event_begins_as_the_seeds_did() -> None:
    """CONTRACT 1: event, domain, data, in that order."""
    assert list(event(Data("CP1")))[:3] == ["event", "domain", "data"]


def test_the_payload_is_the_chargers_own_bytes() -> None:
    """CONTRACT 1: not one key renamed, not one number respelled."""
    raw = b'{"b": 1.50, "a":1E2, "a": "\\u00e9"}'
    text = encode(Event("x", "d", Data("CP1"), "i", "t", "g", "1.6", payload=msgspec.Raw(raw)))
    assert raw in text


def test_numbering_an_event_appends_its_number() -> None:
    """CONTRACT 1: seq is the store's to give; the event stays the JSON object that it was."""
    text = encode(Event("x", "d", Data("CP1"), "i", "t", "g", "1.6"))
    assert json.loads(numbered(text, 42)) == {**json.loads(text), "seq": 42}


@pytest.mark.parametrize("name", CONTRACT)
def test_the_seeds_fields_have_their_names(name: str) -> None:
    """CONTRACT 1: never break a seed name."""
    assert set(CONTRACT[name]) <= {field.encode_name for field in msgspec.structs.fields(NAMES[name])}


@pytest.mark.parametrize(("name", "data"), NAMES.items())
def test_every_event_names_its_charger_and_is_called_after_its_class(name: str, data: type[Data]) -> None:
    """CONTRACT 1: also meter_value, where the seed forgot it."""
    fields = [field.name for field in msgspec.structs.fields(data)]
    assert issubclass(data, Data) and fields[0] == "charger"
    assert name == ("health" if data is charger_events.Health else snake_case(data.__name__))


def test_no_field_is_left_out_for_being_null() -> None:
    """A typed model of a backend's finds every field of `data` every time."""
    status = charger_events.ChangeConnectorStatus("CP1", 1, "Available", "NoError", None, None, None)
    assert event(status)["data"]["info"] is None


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("Heartbeat", "heartbeat"),
        ("SecurityEventNotification", "security_event_notification"),
        ("FirmwareStatusNotification", "firmware_status_notification"),
        ("NotifyReport", "notify_report"),
        ("NotifyEVChargingNeeds", "notify_ev_charging_needs"),
        ("Get15118EVCertificate", "get_15118_ev_certificate"),
        ("NotifyDERAlarm", "notify_der_alarm"),
        ("AFRRSignal", "afrr_signal"),
        ("UsePriorityCharging", "use_priority_charging"),
        ("A", "a"),
        ("", ""),
    ],
)
def test_an_action_in_snake_case(action: str, name: str) -> None:
    """CONTRACT 1 spells several of them out."""
    assert snake_case(action) == name


@pytest.mark.parametrize(("version", "count"), [("v16", 39), ("v201", 64), ("v21", 91)])
def test_every_action_of_every_version_has_a_name_of_its_own(version: str, count: int) -> None:
    """Events and neutral commands are told apart by it; it is fit for the commands' own pattern, too."""
    names = {action: snake_case(action) for action in load(version).actions}
    assert len(names) == count and len(set(names.values())) == count
    assert all(name.replace("_", "").isalnum() and name == name.lower() and "__" not in name for name in names.values())
    assert all(name.replace("_", "") == action.lower() for action, name in names.items())
