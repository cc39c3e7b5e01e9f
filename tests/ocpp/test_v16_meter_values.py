"""MeterValues read in one pass give the same fact as by way of a dictionary, and none that violates the schema is accepted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in_memory import in_memory
from ocpp_tw.ocpp.frames import QuickReader
from ocpp_tw.ocpp.v16 import V16
from ocpp_tw.ocpp.v16_meter_values import compiled_reader, meter_values
from payloads import broken, schema, valid
from same_values import assert_same_values

SCHEMA = schema("v16", "MeterValues")
MEMBERS = SCHEMA["properties"]["meterValue"]["items"]["properties"]["sampledValue"]["items"]["properties"]
NOW = "2026-11-22T10:00:00Z"

values = st.sampled_from(["0", "18312", "232.5", "-1", "1e3", " 5", "", ".", "1.2.3", "٣", "²", "abc", "0012.50", "5."]) | st.text(
    max_size=5
)
odd = st.none() | st.integers() | st.booleans() | st.just({}) | st.text(max_size=3)
samples = st.fixed_dictionaries(
    {"value": values},
    optional={name: st.sampled_from(each["enum"]) for name, each in MEMBERS.items() if "enum" in each and name != "format"},
)
strange = st.builds(
    lambda sample, more: sample | more,
    samples,
    st.dictionaries(st.sampled_from([*MEMBERS, "timestamp", "signed", "unitOfMeasure"]), odd, max_size=2),
)
readings = st.fixed_dictionaries(
    {"timestamp": st.sampled_from([NOW, "", None, 5]), "sampledValue": st.lists(samples | samples | strange, max_size=3)}
)
messages = st.fixed_dictionaries(
    {"connectorId": st.integers(-1, 2**70) | st.sampled_from([1.0, True]), "meterValue": st.lists(readings, max_size=3)},
    optional={"transactionId": st.integers() | odd, "another": odd},
)


READERS = {"msgspec": meter_values(None), "compiled": meter_values(compiled_reader())}
"""The reader without compiled modules, and that with them where they are built (tests/ocpp/test_compiled.py says whether they are)."""


def in_one_pass(payload: Any) -> Any:
    """The fact; the compiled reader reads all that the other does."""
    facts = {name: read(json.dumps(payload).encode()) for name, read in READERS.items()}
    assert facts["compiled"] is not None or facts["msgspec"] is None
    return facts["compiled"]


def agrees(payload: Any) -> bool:
    """Whether the message is read in one pass; then it must be valid, and its fact the same as by way of a dictionary."""
    in_one_pass(payload)
    return all(_agrees(payload, read) for read in READERS.values())


def _agrees(payload: Any, read: QuickReader) -> bool:
    quick = read(json.dumps(payload).encode())
    if quick is None:
        return False
    assert V16.schemas.request("MeterValues", payload) == []
    by_dictionary = V16.translations["MeterValues"].read(payload)
    assert (quick.conn, quick.transaction_id, quick.readings) == (by_dictionary.conn, by_dictionary.transaction_id, by_dictionary.readings)
    assert_same_values(quick.values, by_dictionary.readings)
    return True


@settings(deadline=None, max_examples=300)
@given(messages | valid(SCHEMA))
def test_any_message_gives_the_same_fact_or_is_not_read_in_one_pass(payload: Any) -> None:
    """C3, FIELD 25: the one-pass reader accepts no message that the schema would not, and changes nothing in those it accepts."""
    agrees(payload)


@pytest.mark.parametrize("breach", list(broken(SCHEMA)), ids=str)
def test_no_message_that_violates_the_schema_is_read_in_one_pass(breach: Any) -> None:
    assert in_one_pass(breach.payload) is None


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "18312"},
        {"value": "232.5", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
        {"value": "20", "measurand": "SoC", "unit": "Percent", "location": "EV", "context": "Sample.Periodic"},
        {"value": "21.5", "measurand": "Temperature", "unit": "Celcius"},
        {"value": "0.98", "measurand": "Power.Factor"},
    ],
)
def test_ordinary_messages_are_read_in_one_pass(sample: dict[str, str]) -> None:
    """Otherwise the reader would gain nothing."""
    reading = {"timestamp": NOW, "sampledValue": [sample, sample]}
    assert agrees({"connectorId": 1, "transactionId": 7, "meterValue": [reading, reading]})
    assert agrees({"connectorId": 1, "meterValue": [reading]})


@pytest.mark.parametrize(
    "sample",
    [
        {"value": "70", "measurand": "Temperature", "unit": "Fahrenheit"},
        {"value": "AAAA", "format": "SignedData"},
        {"value": "1", "format": "Raw"},
        {"value": "-0"},
        {"value": "--1"},
        {"value": "1.100000000000000000000"},
        {"value": "100000000000000000000"},
    ],
)
def test_a_sample_that_needs_conversion_is_not_read_in_one_pass(sample: dict[str, str]) -> None:
    assert in_one_pass({"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [sample]}]}) is None


@pytest.mark.parametrize(
    "text",
    [
        b'{"connectorId":1,"connectorId":2,"meterValue":[{"timestamp":"a","sampledValue":[{"value":"1","value":"2"}]}]}',
        b' { "meterValue" : [ {"sampledValue":[{"value":"\\u0031"}],"timestamp":"\\ud83d\\ude00"} ] , "connectorId" : 1 } ',
        b'{"connectorId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":"1"}]}]',
        b'{"connectorId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":"1"}]}]} x',
        b'{"connectorId":1,"meterValue":[{"timestamp":"\xff","sampledValue":[{"value":"1"}]}]}',
        b'{"connectorId":1,"meterValue":' + b"[" * 100 + b"]" * 100 + b',"meterValue":[{"timestamp":"a","sampledValue":[{"value":"1"}]}]}',
        b'{"meter\\u0056alue":'
        + b"[" * 100
        + b"]" * 100
        + b',"connectorId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":"1"}]}]}',
        b'{"connectorId":1,"meterValue":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"",
        b"null",
    ],
    ids=lambda text: text[:40].decode("latin-1"),
)
def test_the_event_is_the_same_with_and_without_the_one_pass_reader(text: bytes) -> None:
    """Whatever the JSON is like: a member twice, odd spacing, escapes, not JSON at all."""
    outcomes = []
    for quick in (V16.quick_readers, {}):
        here = in_memory()
        cp = here.connect()
        cp.charger.version = replace(cp.charger.version, quick_readers=quick)
        here.published()
        cp.send_text(b'[2,"1","MeterValues",' + text + b"]")
        outcomes.append((cp.frames(), here.published()))
    for _, events in outcomes:
        for each in events:
            del each["id"]
    assert outcomes[0] == outcomes[1]


def test_a_handler_gets_the_readings_as_they_arrived() -> None:
    """Also from the one-pass reader."""
    reading = {"timestamp": NOW, "sampledValue": [{"value": "1", "unit": "Wh"}]}
    assert in_one_pass({"connectorId": 1, "meterValue": [reading]}).readings == [reading]
