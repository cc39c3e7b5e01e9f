"""OCPP's own schemas: all of them load, and each violation is reported with its path, rule and value."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocpp_tw.ocpp.schemas import MORE, Schemas, Violation, load, told
from payloads import broken, fullest, json_objects, schema, valid

VERSIONS = (("v16", ""), ("v201", "Request"), ("v21", "Request"))
"""Each version's folder, and the suffix of a request's file there."""
SENDS = {"NotifyPeriodicEventStream"}
"""What 2.1 sends without an answer (R14); its file has no suffix."""

V16 = load("v16")
START = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "2026-11-22T10:00:00Z"}


@pytest.mark.parametrize(("version", "count"), [("v16", 39), ("v201", 64), ("v21", 91)])
def test_every_action_of_every_version_has_its_schemas(version: str, count: int) -> None:
    """For requests and answers."""
    schemas = load(version)
    assert len(schemas.actions) == count
    assert set(schemas.valid_request) - set(schemas.valid_answer) <= SENDS
    assert set(schemas.valid_answer) <= set(schemas.valid_request) == schemas.actions


def test_the_schemas_are_compiled_once() -> None:
    """All chargers share them."""
    assert load("v16") is V16


def test_the_fullest_payload_of_every_schema_is_valid() -> None:
    """So the payloads of these tests cover every keyword of the schemas."""
    for version, suffix in VERSIONS:
        schemas = load(version)
        for action in schemas.actions - SENDS:
            payload = fullest(schema(version, action + suffix))
            assert schemas.request(action, payload) == [] and schemas.valid_request[action](payload), (version, action)
            answer = fullest(schema(version, action + "Response"))
            assert schemas.answer(action, answer) == [] and schemas.valid_answer[action](answer), (version, action)


@given(st.data())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_payloads_made_from_a_schema_are_valid(data: st.DataObject) -> None:
    """Whatever the strategy draws, for any version."""
    version, suffix = data.draw(st.sampled_from(VERSIONS))
    action = data.draw(st.sampled_from(sorted(load(version).actions - SENDS)))
    assert load(version).request(action, data.draw(valid(schema(version, action + suffix)))) == []


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({}, [("", "required", {}, [name]) for name in ("connectorId", "idTag", "meterStart", "timestamp")]),
        (START | {"meterStart": "5"}, [("meterStart", "type", "5", [])]),
        (START | {"meterStart": 5.0}, [("meterStart", "type", 5.0, [])]),
        (START | {"meterStart": True}, [("meterStart", "type", True, [])]),
        (START | {"idTag": "x" * 21}, [("idTag", "maxLength", "x" * 21, [])]),
        (START | {"a": 1, "b": 2}, [("", "additionalProperties", START | {"a": 1, "b": 2}, ["a", "b"])]),
    ],
)
def test_a_violation_has_path_rule_value_and_names(payload: dict[str, Any], told: list[tuple[Any, ...]]) -> None:
    """CONTRACT 1: `violations`."""
    found = [each.as_event() for each in V16.request("StartTransaction", payload)]
    assert found == [dict(zip(("path", "rule", "value", "names"), each, strict=True)) for each in told]


def test_the_path_leads_into_lists() -> None:
    """To find the one sample of eight."""
    payload = {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [{"value": "1"}, {"value": 2, "unit": "Fortnights"}]}]}
    found = {(each.path, each.rule) for each in V16.request("MeterValues", payload)}
    way = ("meterValue", 0, "sampledValue", 1)
    assert found == {((*way, "value"), "type"), ((*way, "unit"), "enum")}


def test_a_long_value_is_truncated_in_an_event() -> None:
    """The size of an event must be bounded, whatever a charger sends."""
    told = Violation(("a",), "maxLength", "x" * 10_000, "").as_event()
    assert len(told["value"]) == 201 and told["value"].endswith("…")


@pytest.mark.parametrize("timestamp", ["2026-11-22T10:00:00", "2026-11-22T10:00:00+03", "yesterday", ""])
def test_any_timestamp_is_valid(timestamp: str) -> None:
    """R17, FIELD 20: 1.6 §3.13 leaves the zone open, and a message is not lost for its clock."""
    assert V16.valid_request["StartTransaction"](START | {"timestamp": timestamp})


def test_a_limit_in_tenths_is_a_multiple_of_a_tenth() -> None:
    """6.3 is, though 6.3 / 0.1 is not a whole number to a processor."""
    periods = [{"startPeriod": 0, "limit": tenths / 10} for tenths in range(10_000)]
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    assert V16.answer("GetCompositeSchedule", {"status": "Accepted", "chargingSchedule": schedule}) == []
    periods[7]["limit"] = 0.75
    (found,) = V16.answer("GetCompositeSchedule", {"status": "Accepted", "chargingSchedule": schedule})[:1]
    assert found.rule == "multipleOf"


def test_both_spellings_of_celsius_are_valid() -> None:
    """R17: errata 2."""
    for unit in ("Celsius", "Celcius"):
        assert V16.valid_request["MeterValues"](
            {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [{"value": "1", "unit": unit}]}]}
        )


def test_every_single_fault_is_exactly_one_violation() -> None:
    """For every schema of every version, by the keyword that is violated."""
    for version, suffix in VERSIONS:
        schemas: Schemas = load(version)
        for action in schemas.actions - SENDS:
            for fault in broken(schema(version, action + suffix)):
                found = [each for each in schemas.request(action, fault.payload) if each is not MORE]
                assert not schemas.valid_request[action](fault.payload), (action, str(fault))
                assert [each.rule for each in found] == [fault.rule], (action, str(fault), found)
                (only,) = found
                inner = fault.rule in ("required", "additionalProperties")
                assert only.path == (fault.path[:-1] if inner else fault.path), (action, str(fault))
                assert only.names == ((fault.path[-1],) if inner else ())


@given(st.sampled_from(sorted(V16.actions)), json_objects())
@settings(deadline=None)
def test_is_valid_and_the_list_of_violations_agree(action: str, payload: dict[str, Any]) -> None:
    """For any object; and every violation can be put into an event."""
    found = V16.request(action, payload)
    assert V16.valid_request[action](payload) == (not found)
    for each in found:
        assert isinstance(each.as_event()["path"], str) and each.message


def test_what_is_wrong_far_behind_is_found_too() -> None:
    """Only the beginning of a long message is looked through, but what makes it invalid is always named."""
    samples: list[Any] = [{"value": "1", "unit": "Wh"}] * 2000 + [{"value": 5}]
    found = V16.request("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": samples}]})
    assert found[0].path == ("meterValue", 0, "sampledValue", 2000, "value") and found[0].value == 5 and found[1:] == [MORE]


def test_members_are_looked_for_behind_any_number_of_unknown_ones() -> None:
    """Whatever stands before them, OCPP's own members are neither missed nor taken for missing."""
    payload: dict[str, Any] = {f"unknown{number}": number for number in range(5000)} | START
    found = V16.request("StartTransaction", payload)
    assert [each.rule for each in found] == ["additionalProperties", "more"] and len(found[0].names) == 10
    assert [each.rule for each in V16.request("StartTransaction", payload | {"idTag": 5})] == ["type", "additionalProperties", "more"]


def test_an_event_lists_twenty_violations_and_says_that_there_are_more() -> None:
    """The size of an event must be bounded, whatever a charger sends."""
    for count, listed in ((20, 20), (21, 21), (40_000, 21)):
        found = V16.request("MeterValues", {"connectorId": 1, "meterValue": [1] * count})
        assert len(found) <= 101
        events = told(found)
        assert len(events) == listed and (events[-1]["rule"] == "more") == (count > 20)


def test_an_event_has_the_beginning_of_a_large_value() -> None:
    """As JSON, and without going through all of it."""
    (found,) = V16.request("StartTransaction", START | {"meterStart": [{"a": "b" * 100}] * 10})
    assert found.as_event()["value"].startswith('[{"a": "bbb') and len(found.as_event()["value"]) == 201


def test_nothing_of_a_large_value_is_kept_once_its_event_is_made() -> None:
    """Megabytes waited for the garbage collector, which hardly ever comes."""
    value = [{"a": "b" * 100}] * 10
    before = sys.getrefcount(value), sys.getrefcount(value[0])
    gc.disable()
    try:
        Violation((), "type", value, "").as_event()
        assert (sys.getrefcount(value), sys.getrefcount(value[0])) == before
    finally:
        gc.enable()


def test_an_unknown_action_has_no_schema() -> None:
    """It raises KeyError."""
    with pytest.raises(KeyError):
        V16.request("MadeUp", {})
