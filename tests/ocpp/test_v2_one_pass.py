"""What the one-pass readers of 2.x read gives the same fact as by way of a dictionary, the same events, and nothing that violates the schema is accepted."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in_memory import in_memory
from ocpp_tw.facts import MeterValues, Other, Started, Stopped, Updated
from ocpp_tw.ocpp import checks
from ocpp_tw.ocpp.frames import QuickReader
from ocpp_tw.ocpp.payload_json import decode
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v2_one_pass import quick_readers
from ocpp_tw.ocpp.version import Version
from payloads import broken, fullest, schema, valid
from same_values import assert_same_values

NOW = "2026-11-22T10:00:00Z"
FOLDERS = {"2.0.1": "v201", "2.1": "v21"}
VERSIONS = pytest.mark.parametrize("version", [V201, V21], ids=lambda version: version.name)
ACTIONS = ("Heartbeat", "StatusNotification", "MeterValues", "TransactionEvent", "NotifyEvent", "NotifyReport")
WITH_READINGS = MeterValues | Started | Updated | Stopped

NOT_READ_IN_ONE_PASS = ("customData", "costDetails", "transactionLimit")
"""Members that are left to the other way."""


def ordinary(name: str, folder: str) -> Any:
    """The schema of a request without those members."""

    def without(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: without(each) for name, each in part.items() if name not in NOT_READ_IN_ONE_PASS}
        return [without(each) for each in part] if isinstance(part, list) else part

    return without(schema(folder, f"{name}Request"))


def compact(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def usual(payload: Any) -> Any:
    """With a unit that is known, and limits that are integers."""
    return json.loads(json.dumps(payload).replace('"unit": "x"', '"unit": "A"').replace('Limit": 1.0', 'Limit": 1'))


READERS = {
    version.name: [quick_readers(FOLDERS[version.name], with_compiled=with_compiled) for with_compiled in (False, True)]
    for version in (V201, V21)
}
"""Those without compiled modules, and those with them where they are built (tests/ocpp/test_compiled.py says whether they are)."""


def in_one_pass(version: Version, action: str, payload: Any) -> Any:
    """The fact; the compiled readers read all that the others do."""
    without, fact = (readers[action](compact(payload)) for readers in READERS[version.name])
    assert fact is not None or without is None
    return fact


def agrees(version: Version, action: str, payload: Any) -> bool:
    """Whether the message is read in one pass; then it must be valid, and its fact the same as by way of a dictionary."""
    return all(_agrees(version, action, compact(payload), readers[action]) for readers in READERS[version.name])


def _agrees(version: Version, action: str, text: bytes, read: QuickReader) -> bool:
    quick = read(text)
    if quick is None:
        return False
    payload = decode(text)
    assert version.schemas.request(action, payload) == [] and checks.found(payload, any_unit=True) == []
    by_dictionary = version.translations[action].read(payload)
    if isinstance(quick, WITH_READINGS):
        assert quick.readings == by_dictionary.readings
        if by_dictionary.readings:
            assert_same_values(quick.values, by_dictionary.readings)
        quick, by_dictionary = (msgspec.structs.replace(each, raw=[], values=None) for each in (quick, by_dictionary))
    if isinstance(quick, Other):
        assert repr(quick.payload) == repr(by_dictionary.payload)
        quick, by_dictionary = (msgspec.structs.replace(each, raw={}) for each in (quick, by_dictionary))
    assert quick == by_dictionary and repr(quick) == repr(by_dictionary)
    return True


numbers = st.sampled_from(
    [0, 5, 18312, 232.5, 0.98, 5.0, -1, -2.5, 0.0001, 1e-5, 0.00012, 1e16, 1e22, 2**53, 2**63, 10**19, 10**20, 10**25, 123456789012.345]
) | st.floats(allow_nan=False, allow_infinity=False)
odd = st.none() | st.integers() | st.booleans() | st.just({}) | st.text(max_size=3)
units = st.fixed_dictionaries(
    {},
    optional={
        "unit": st.sampled_from(["Wh", "kWh", "W", "kW", "V", "A", "Percent", "K", "Fahrenheit", "", "kwh", "no unit", "x" * 21]) | odd,
        "multiplier": st.sampled_from([0, 3, -3, 12, 13, -13]) | odd,
        "customData": st.just({"vendorId": "V", "more": 1}),
    },
)


def samples(folder: str) -> st.SearchStrategy[Any]:
    """Sampled values, some of them strange."""
    members = schema(folder, "MeterValuesRequest")["definitions"]
    words = {name: members[f"{kind}EnumType"]["enum"] for name, kind in (("measurand", "Measurand"), ("context", "ReadingContext"))}
    words |= {name: members[f"{kind}EnumType"]["enum"] for name, kind in (("phase", "Phase"), ("location", "Location"))}
    signed = fullest(ordinary("MeterValues", folder))["meterValue"][0]["sampledValue"][0]["signedMeterValue"]
    ordinary_ones = st.fixed_dictionaries(
        {"value": numbers},
        optional={name: st.sampled_from(each) for name, each in words.items()}
        | {"unitOfMeasure": units, "signedMeterValue": st.just(signed)},
    )
    names = st.sampled_from([*words, "value", "timestamp", "signed", "unit", "signedMeterValue", "customData"])
    strange = st.builds(lambda sample, more: sample | more, ordinary_ones, st.dictionaries(names, odd, max_size=2))
    return ordinary_ones | ordinary_ones | ordinary_ones | strange


def messages(version: Version) -> st.SearchStrategy[tuple[Version, str, Any]]:
    """The version, actions and payloads: valid ones, with readings of any kind, with a member that is of any kind."""
    folder = FOLDERS[version.name]
    readings = st.lists(
        st.fixed_dictionaries({"timestamp": st.sampled_from([NOW, "", None]), "sampledValue": st.lists(samples(folder), max_size=3)}),
        max_size=2,
    )

    def changed(payload: Any, more: Any, read: Any) -> Any:
        return payload | more | ({"meterValue": read} if "meterValue" in payload else {})

    def of(action: str) -> st.SearchStrategy[tuple[Version, str, Any]]:
        whole, plain = schema(folder, f"{action}Request"), ordinary(action, folder)
        names = st.sampled_from([*whole["properties"], "another"])
        some = valid(plain) | st.builds(changed, valid(plain), st.just({}) | st.dictionaries(names, odd, max_size=1), readings)
        return st.tuples(st.just(version), st.just(action), some | valid(whole))

    return st.one_of(*map(of, ACTIONS))


@settings(deadline=None, max_examples=500)
@given(messages(V201) | messages(V21))
def test_any_message_gives_the_same_fact_or_is_not_read_in_one_pass(message: tuple[Version, str, Any]) -> None:
    """C3, FIELD 25: the one-pass readers accept no message that the schema would not, and change nothing in those they accept."""
    agrees(*message)


@VERSIONS
@pytest.mark.parametrize("action", ACTIONS)
def test_no_message_that_violates_the_schema_is_read_in_one_pass(version: Version, action: str) -> None:
    plain = ordinary(action, FOLDERS[version.name])
    assert agrees(version, action, usual(fullest(plain))), "else nothing would be read"
    for breach in broken(plain):
        assert in_one_pass(version, action, usual(breach.payload)) is None, str(breach)


def event(kind: str = "Updated", seq_no: int = 1, sample: Any = None, **more: Any) -> dict[str, Any]:
    readings = {} if sample is None else {"meterValue": [{"timestamp": NOW, "sampledValue": [sample, sample]}] * 2}
    payload = {"eventType": kind, "timestamp": NOW, "triggerReason": "Trigger", "seqNo": seq_no, "transactionInfo": {"transactionId": "t"}}
    return payload | readings | more


ORDINARY = [
    {"value": 18312},
    {"value": 18312.0},
    {"value": 232.50, "measurand": "Voltage", "phase": "L1-N", "unitOfMeasure": {"unit": "V"}},
    {"value": 1.5, "unitOfMeasure": {"unit": "kWh"}},
    {"value": 15, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W", "multiplier": 2}},
    {"value": 20, "measurand": "SoC", "location": "EV", "context": "Sample.Periodic", "unitOfMeasure": {"unit": "Percent"}},
    {"value": 7, "signedMeterValue": {"signedMeterData": "x", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}},
]
NOT_ORDINARY = [
    {"value": 1e-7},
    {"value": 1e25},
    {"value": "5"},
    {"value": 20, "measurand": "Temperature", "unitOfMeasure": {"unit": "Fahrenheit"}},
    {"value": 1, "unitOfMeasure": {"unit": "Wh", "multiplier": 13}},
    {"value": 1, "unitOfMeasure": {"unit": "furlong"}},
    {"value": 1, "customData": {"vendorId": "V", "more": 1}},
    {"value": 1, "unitOfMeasure": None},
]


@VERSIONS
@pytest.mark.parametrize("sample", ORDINARY, ids=str)
def test_ordinary_messages_are_read_in_one_pass(version: Version, sample: dict[str, Any]) -> None:
    """Otherwise the readers would gain nothing."""
    readings = [{"timestamp": NOW, "sampledValue": [sample]}]
    assert agrees(version, "MeterValues", {"evseId": 1, "meterValue": readings})
    token, evse = {"idToken": "TAG", "type": "ISO14443"}, {"id": 1, "connectorId": 2}
    for kind in ("Started", "Updated", "Ended"):
        assert agrees(version, "TransactionEvent", event(kind, sample=sample, idToken=token, evse=evse))
    for context in ("Transaction.Begin", "Transaction.End"):
        for kind in ("Started", "Ended"):
            assert agrees(version, "TransactionEvent", event(kind, sample=sample | {"context": context}, offline=True))


@VERSIONS
@pytest.mark.parametrize("sample", NOT_ORDINARY, ids=str)
def test_a_sample_that_needs_a_closer_look_is_not_read_in_one_pass(version: Version, sample: dict[str, Any]) -> None:
    assert in_one_pass(version, "MeterValues", {"evseId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [sample]}]}) is None


@VERSIONS
def test_a_sample_is_the_same_in_both_messages_that_have_some(version: Version) -> None:
    """So one table of units, and one compiled reader, serve both."""
    kinds = ("SampledValueType", "MeasurandEnumType", "ReadingContextEnumType", "PhaseEnumType", "LocationEnumType")
    of_meter_values, of_event = (
        schema(FOLDERS[version.name], f"{action}Request")["definitions"] for action in ("MeterValues", "TransactionEvent")
    )
    for kind in kinds:
        assert of_meter_values[kind].get("enum") == of_event[kind].get("enum")
        assert of_meter_values[kind].get("properties", {}).keys() == of_event[kind].get("properties", {}).keys()


def test_too_many_samples_are_not_read_in_one_pass() -> None:
    reading = {"timestamp": NOW, "sampledValue": [{"value": 1}] * 5_001}
    assert in_one_pass(V201, "MeterValues", {"evseId": 1, "meterValue": [reading]}) is None


def comes_to(version: Version, texts: list[bytes], *, quick: bool) -> tuple[Any, ...]:
    """The answers, the events and what is stored of the transactions, of a charger that sends these texts."""
    here = in_memory()
    cp = here.connect(ocpp=version.name)
    if not quick:
        cp.charger.version = replace(version, quick_readers={})
    here.published()
    for text in texts:
        cp.send_text(text)
    events = here.published()
    for each in events:
        del each["id"]
    frames = [frame if frame[0] != 2 else frame[2:] for frame in cp.frames()]
    return frames, events, here.store.tables["transactions", "cp1"]


def calls(action: str, payloads: list[Any]) -> list[bytes]:
    return [b'[2,"%d","%b",%b]' % (number, action.encode(), compact(each)) for number, each in enumerate(payloads)]


@VERSIONS
@pytest.mark.parametrize("action", ACTIONS)
def test_each_kind_of_violation_is_told_and_tolerated_as_it_was(version: Version, action: str) -> None:
    """Both ways, one fault after another, and each message once without one."""
    whole = schema(FOLDERS[version.name], f"{action}Request")
    payloads = [fullest(whole), fullest(ordinary(action, FOLDERS[version.name])), *(each.payload for each in broken(whole))]
    payloads += [each.payload for each in broken(ordinary(action, FOLDERS[version.name]))]
    texts = calls(action, [usual(each) for each in payloads])
    assert comes_to(version, texts, quick=True) == comes_to(version, texts, quick=False)


@VERSIONS
def test_a_transaction_is_the_same_either_way(version: Version) -> None:
    """With repeats under other ids, a gap, an offline message, tokens, each kind of sample."""
    token = {"idToken": "TAG", "type": "ISO14443"}
    begin, end = ({"value": value, "context": f"Transaction.{which}"} for value, which in ((1000, "Begin"), (4000.0, "End")))
    payloads = [event("Started", 0, begin, idToken=token, evse={"id": 1, "connectorId": 2}), event(seq_no=1)]
    payloads += [event(seq_no=2 + number, sample=each) for number, each in enumerate([*ORDINARY, *NOT_ORDINARY])]
    payloads += [event(seq_no=40, offline=True, sample=begin), event(seq_no=40, sample=begin), event(seq_no=41, idToken=token)]
    last = {"transactionInfo": {"transactionId": "t", "stoppedReason": "EVDisconnected", "chargingState": "Idle"}}
    payloads += [deepcopy(payloads[0]), event("Ended", 42, end, **last), event("Ended", 42, end, **last), event("Ended", 43, end)]
    texts = calls("TransactionEvent", payloads)
    quick, by_dictionary = (comes_to(version, texts, quick=quick) for quick in (True, False))
    assert quick == by_dictionary
    assert [each["data"]["energy_wh"] for each in quick[1] if each["event"] == "stop_transaction"] == [3000, 3000]


@VERSIONS
@pytest.mark.parametrize(
    "text",
    [
        b'{"evseId":1,"evseId":2,"meterValue":[{"timestamp":"a","sampledValue":[{"value":1,"value":2}]}]}',
        b' { "meterValue" : [ {"sampledValue":[{"value":1.50}],"timestamp":"\\ud83d\\ude00"} ] , "evseId" : 1 } ',
        b'{"evseId":1.0,"meterValue":[{"timestamp":"a","sampledValue":[{"value":1.0}]}]}',
        b'{"evseId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":01}]}]}',
        b'{"evseId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":1e400}]}]}',
        b'{"evseId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":"\\u0031"}]}]}',
        b'{"evseId":1,"meterValue":[{"timestamp":"a","sampledValue":[{"value":1}]}]',
        b'{"evseId":1,"meterValue":[{"timestamp":"\xff","sampledValue":[{"value":1}]}]}',
        b'{"evseId":1,"meterValue":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"",
        b"null",
    ],
    ids=lambda text: text[:60].decode("latin-1"),
)
def test_the_event_is_the_same_with_and_without_the_one_pass_reader(version: Version, text: bytes) -> None:
    """Whatever the JSON is like: a member twice, odd spacing and numbers, escapes, not JSON at all."""
    texts = [b'[2,"1","MeterValues",' + text + b"]"]
    assert comes_to(version, texts, quick=True) == comes_to(version, texts, quick=False)


@VERSIONS
@pytest.mark.parametrize("levels", [40, 150])
@pytest.mark.parametrize("twice", ["meterValue", "value"])
def test_what_is_nested_too_deep_is_found_also_where_a_member_comes_twice(version: Version, twice: str, levels: int) -> None:
    """Of two members of a name the latter counts."""
    deep = b'"%b":%b,' % (twice.encode(), b"[" * levels + b"]" * levels)
    for action, payload in (("MeterValues", {"evseId": 1}), ("TransactionEvent", event())):
        payload |= {"meterValue": [{"timestamp": NOW, "sampledValue": [{"value": 1}]}]}
        text = compact(payload).replace(b'"%b"' % twice.encode(), deep + b'"%b"' % twice.encode())
        texts = [b'[2,"1","%b",%b]' % (action.encode(), text)]
        quick, by_dictionary = (comes_to(version, texts, quick=quick) for quick in (True, False))
        assert quick == by_dictionary and quick[0][0][0] == (3 if levels < 100 else 4)


def test_a_secret_in_an_escape_is_hidden_either_way() -> None:
    """A StatusNotification is searched for them where it has an escape, though its schema has no free text but of its vendor."""
    text = b'{"timestamp":"2026-11-22T10:00:00Z","connectorStatus":"\\u0041vailable","evseId":1,"connectorId":1}'
    texts = [b'[2,"1","StatusNotification",' + text + b"]"]
    quick, by_dictionary = (comes_to(V201, texts, quick=quick) for quick in (True, False))
    assert quick == by_dictionary and quick[1][0]["payload"]["connectorStatus"] == "Available"


def test_a_handler_gets_the_readings_as_they_arrived() -> None:
    """Also from the one-pass reader."""
    sample = {"value": 1.5, "unitOfMeasure": {"unit": "kWh"}}
    for kind in ("Started", "Updated", "Ended"):
        payload = event(kind, sample=sample)
        assert in_one_pass(V201, "TransactionEvent", payload).readings == payload["meterValue"]
    assert in_one_pass(V201, "TransactionEvent", event()).readings == []
