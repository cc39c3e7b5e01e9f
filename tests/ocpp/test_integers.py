"""Integers that are written 4.0 are integers to JSON Schema, in every message of every version (issue 11, A.5)."""

from __future__ import annotations

import json
import re

import pytest

from in_memory import in_memory
from ocpp_tw.ocpp.frames import Call, parse
from ocpp_tw.ocpp.malformed import Malformed
from ocpp_tw.ocpp.v2 import V21, V201
from ocpp_tw.ocpp.v16 import V16
from payloads import fullest, schema

FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}


def written_with_points(payload: str) -> bytes:
    """The JSON with each integer written with a point."""
    return re.sub(r"(?<=[: \[])(-?\d+)(?=[,}\]])", r"\1.0", payload).encode()


@pytest.mark.parametrize("version", [V16, V201, V21], ids=lambda version: version.name)
def test_every_integer_member_of_every_message_means_the_integer(version):
    for action, translation in version.translations.items():
        name = action if version is V16 or action in version.send_actions else f"{action}Request"
        payload = json.dumps(fullest(schema(FOLDERS[version.name], name))).replace(".0", "")
        points, plain = (
            parse(b'[2,"1","%b",%b]' % (action.encode(), text), version.quick_readers)
            for text in (written_with_points(payload), payload.encode())
        )
        assert isinstance(points, Call) and isinstance(plain, Call)
        assert repr(points.fact or translation.read(points.payload)) == repr(plain.fact or translation.read(plain.payload)), action


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_session_written_with_points_is_told_in_integers(ocpp):
    """seqNo, evse, remoteStartId and multiplier; the energy is not a thousand times too small."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()

    def event(kind: str, seq_no: str, value: str, context: str) -> str:
        return (
            f'[2,"{kind}","TransactionEvent",{{"eventType":"{kind}","timestamp":"2026-11-22T10:00:00Z","triggerReason":"RemoteStart",'
            f'"seqNo":{seq_no},"evse":{{"id":1.0,"connectorId":2e0}},"transactionInfo":{{"transactionId":"t","remoteStartId":7.0}},'
            f'"meterValue":[{{"timestamp":"2026-11-22T10:00:00Z","sampledValue":[{{"value":{value},"context":"{context}",'
            '"unitOfMeasure":{"unit":"Wh","multiplier":3.0}}]}]}]'
        )

    cp.send_text(event("Started", "4.0", "1", "Transaction.Begin"))
    cp.send_text(event("Ended", "5.0", "3", "Transaction.End"))
    assert [frame[0] for frame in cp.frames()] == [3, 3]
    told = {each["event"]: each["data"] for each in here.published()}
    start, stop = told["start_transaction"], told["stop_transaction"]
    assert (start["conn"], start["connector"], start["seq_no"], start["remote_start_id"], start["meter_start"]) == (1, 2, 4, 7, 1000)
    assert all(type(start[name]) is int for name in ("conn", "connector", "seq_no", "remote_start_id"))
    assert (stop["seq_no"], stop["energy_wh"], stop["meter_stop"]) == (5, 2000, 3000) and type(stop["seq_no"]) is int


def test_a_number_beyond_all_bounds_is_unreadable():
    with pytest.raises(Malformed):
        parse(b'[2,"1","Heartbeat",{"a":1e400}]')


NEVER_AN_INTEGER = ("1e30", "-1e30", "1e19", "10000000000000000000000000000000", "-9223372036854775809")
"""Beyond 64 bits, where OCPP's integers have 32 (2.0.1 part 2 §2.1.4)."""


def numbers_in(value: object) -> list[object]:
    """All the numbers in a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if type(value) in (int, float) else [each for member in inner for each in numbers_in(member)]


@pytest.mark.parametrize("number", NEVER_AN_INTEGER)
@pytest.mark.parametrize("version", [V16, V201, V21], ids=lambda version: version.name)
def test_an_integer_beyond_64_bits_breaks_the_schema_wherever_it_stands_and_is_never_told(version, number):
    here = in_memory(event_payload=False)
    cp = here.connect(ocpp=version.name)
    for action in sorted(set(version.translations) - version.send_actions):
        payload = json.dumps(fullest(schema(FOLDERS[version.name], action if version is V16 else f"{action}Request")))
        for place, found in enumerate(re.finditer(r"(?<=[: \[])-?\d+(?:\.0)?(?=[,}\]])", payload)):
            broken, half = (payload[: found.start()] + written + payload[found.end() :] for written in (number, "1.5"))
            if all(each.rule != "type" for each in version.schemas.request(action, json.loads(half))):
                continue  # a decimal
            here.published()
            broken = broken.replace('"transactionId": "x"', f'"transactionId": "{place}"')  # no repeat of the one before
            cp.send_text(f'[2,"{action}{place}","{action}",{broken}]')
            told = [each for each in here.published() if "violations" in each]
            assert told and {each["rule"] for each in told[0]["violations"]} <= {"maximum", "minimum", "type"}, (action, broken)
            # OCPP's own arrays are told as they came
            data = [{name: each for name, each in event["data"].items() if name != "meter_value"} for event in told]
            assert not any(type(each) is float or abs(each) >= 2**63 for each in numbers_in(data)), (action, data)


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_seqno_beyond_all_bounds_is_none_and_an_evse_beyond_them_is_refused(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    cp.send_text(
        '[2,"1","TransactionEvent",{"eventType":"Started","timestamp":"2026-11-22T10:00:00Z","triggerReason":"RemoteStart",'
        '"seqNo":1e40,"transactionInfo":{"transactionId":"t"}}]'
    )
    (start,) = here.published()
    assert start["data"]["seq_no"] is None and [(each["path"], each["rule"]) for each in start["violations"]] == [("seqNo", "maximum")]
    cp.send_text(
        '[2,"2","StatusNotification",{"evseId":1e30,"connectorId":1,"connectorStatus":"Available","timestamp":"2026-11-22T10:00:00Z"}]'
    )
    (refused,) = here.published()
    assert refused["event"] == "message_refused" and refused["violations"][0]["path"] == "evseId"
    assert [frame[0] for frame in cp.frames()] == [3, 4]


@pytest.mark.parametrize(("written", "meant"), [("1e17", 10**17), ("9007199254740993.0", 2**53 + 1), ("-9223372036854775808.0", -(2**63))])
def test_an_integer_of_64_bits_is_exact_however_it_is_written(written, meant):
    frame = parse(b'[2,"1","Heartbeat",{"a":%b}]' % written.encode())
    assert isinstance(frame, Call) and frame.payload == {"a": meant} and type(frame.payload["a"]) is int
