"""Texts that are no frames, and answers in odd shape: told, ended, and never quoted in the log (issue 11, B.9, B.10, D.15)."""

from __future__ import annotations

import json

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from in_memory import in_memory

VERSIONS = ("1.6", "2.0.1", "2.1")


@pytest.fixture
def logged():
    """All that is logged meanwhile, as text."""
    lines: list[str] = []

    def observe(event):
        lines.append(f"{formatEvent(event)} {event.get('log_failure')}")

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize("ocpp", VERSIONS)
@pytest.mark.parametrize(
    ("text", "id", "action"),
    [
        ('[2,"q1","StopTransaction",{"transactionId":5,"meterStop":,"timestamp":"x"}]', "q1", "StopTransaction"),
        ('[2,"q3","StopTransaction"]', "q3", "StopTransaction"),
        ('[2,"q4","MeterValues",[]]', "q4", "MeterValues"),
        ('[2,"q5",{"a":1},{}]', "q5", None),
        ('[2,"","Heartbeat",{}]', None, "Heartbeat"),
        ("nonsense\x1b", None, None),
        ('[7,"q6"]', "q6", None),
    ],
)
def test_what_cannot_be_read_is_told_with_what_can(ocpp, text, id, action):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    cp.send_text(text)
    (event,) = here.published()
    assert event["event"] == "message_refused" and event.get("message_id") == id and event.get("action") == action
    assert event["data"]["code"] and event["data"]["text"].isprintable() and event["data"]["text"][:8] == text[:8]
    cp.frames()
    cp.call("Heartbeat")


def test_a_repeat_of_it_is_answered_again_and_not_told_again():
    here = in_memory()
    cp = here.connect()
    here.published()
    for _ in range(2):
        cp.send_text('[2,"q3","StopTransaction"]')
    assert [frame[:2] for frame in cp.frames()] == [[4, "q3"], [4, "q3"]]
    assert here.published_names() == ["message_refused"]


def test_without_payloads_no_piece_of_it_is_told():
    here = in_memory(event_payload=False)
    here.connect().send_text("nonsense")
    assert here.published()[-1]["data"]["text"] is None


@pytest.mark.parametrize("ocpp", VERSIONS)
def test_a_frame_with_a_trailing_nul_is_served(ocpp):
    cp = in_memory().connect(ocpp=ocpp)
    cp.send_text('[2,"h","Heartbeat",{}]\0\0')
    assert cp.frames()[0][:2] == [3, "h"]


@pytest.mark.parametrize(("ocpp", "code"), [("1.6", "FormationViolation"), ("2.0.1", "ProtocolError"), ("2.1", "ProtocolError")])
def test_a_call_with_further_elements_is_served_with_a_violation(ocpp, code):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.send_text('[2,"h","Heartbeat",{},{}]')
    assert cp.frames()[0][:2] == [3, "h"]
    event = here.published()[-1]
    assert event["event"] == "health" and [(each["path"], each["rule"]) for each in event["violations"]] == [("", "structure")]
    cp = in_memory(validation="strict").connect(ocpp=ocpp)
    cp.send_text('[2,"h","Heartbeat",{},{}]')
    assert cp.frames()[0][:3] == [4, "h", code]


@pytest.mark.parametrize(("ocpp", "code"), [("1.6", "FormationViolation"), ("2.0.1", "ProtocolError"), ("2.1", "ProtocolError")])
@pytest.mark.parametrize("kind", ["2.0", '"2"'])
def test_a_call_whose_message_type_is_no_integer_is_served_with_a_violation(ocpp, code, kind):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.send_text(f'[{kind},"h","Heartbeat",{{}}]')
    assert [frame[:2] for frame in cp.frames()] == [[3, "h"]]
    event = here.published()[-1]
    assert event["event"] == "health" and [(each["path"], each["rule"]) for each in event["violations"]] == [("", "structure")]
    here = in_memory(validation="strict")
    cp = here.connect(ocpp=ocpp)
    cp.send_text(f'[{kind},"h","Heartbeat",{{}}]')
    assert [frame[:3] for frame in cp.frames()] == [[4, "h", code]]
    assert "message type" in here.published()[-1]["data"]["description"]


@pytest.mark.parametrize("ocpp", VERSIONS)
@pytest.mark.parametrize("validation", ["tolerant", "strict"])
@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        ('[3,17,{"status":"Accepted"}]', "result", "Accepted"),
        ('[3,"17",{"status":"Accepted"},"",{}]', "result", "Accepted"),
        ('[3,"17","ClearCache",{"status":"Accepted"}]', "result", "Accepted"),
        ('[3,"17"]', "result", None),
        ('[3,"17",[]]', "error", None),
        ('[3,"17",{"status":}]', "error", None),
        ('[4,"17"]', "error", None),
        ('[4,"","GenericError","",{}]', "error", None),
        ('[4,"17",{"a":1}]', "error", None),
        ('[3.0,"17",{"status":"Accepted"}]', "result", "Accepted"),
        ('["3","17",{"status":"Accepted"}]', "result", "Accepted"),
        ('["3",17,"ClearCache",{"status":"Accepted"}]', "result", "Accepted"),
        ('["3","17",{"status":}]', "error", None),
        ('[4.0,"17","GenericError","",{}]', "error", None),
        ('["4","17","GenericError","",{}]', "error", None),
        ('["4","","GenericError","",{}]', "error", None),
    ],
)
def test_an_answer_in_odd_shape_ends_its_command_at_once(ocpp, validation, answer, outcome, status):
    here = in_memory(validation=validation)
    cp = here.connect(ocpp=ocpp)
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=[2, "17", "ClearCache", {}])
    assert cp.frames()[-1][:2] == [2, "17"]
    here.published()
    cp.send_text(answer)
    result = here.command_result()
    assert (result["outcome"], result["status"]) == (outcome, status)
    assert cp.frames() == []
    here.dispatcher.stop()


def test_a_late_answer_with_its_id_as_a_number_is_a_late_one():
    here = in_memory()
    cp = here.connect()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=[2, "17", "ClearCache", {}])
    here.clock.advance(60)
    here.published()
    cp.send_text('[3,17,{"status":"Accepted"}]')
    assert here.published_names() == ["late_response"]
    here.dispatcher.stop()


SECRET = "SECRET7"


@pytest.mark.parametrize("mode", ["tolerant", "strict"])
@pytest.mark.parametrize(
    ("ocpp", "text"),
    [
        ("1.6", json.dumps([2, "1", "Authorize", {"idTag": SECRET * 10}])),
        ("1.6", json.dumps([2, "1", "Authorize", {"idTag": [SECRET]}])),
        ("1.6", json.dumps([2, "1", "StartTransaction", {"idTag": {"tag": SECRET}}])),
        ("2.0.1", json.dumps([2, "1", "Authorize", {"idToken": {"idToken": SECRET * 10, "type": SECRET}}])),
        ("2.0.1", json.dumps([2, "1", "Authorize", {"idToken": SECRET}])),
        ("2.1", f'[2,"1","Authorize",{{"idToken":{{"idToken":"{SECRET}","type":"KeyCode"'),
        ("2.1", f'[2,"1","Authorize",["{SECRET}"]]'),
        ("2.1", json.dumps([2, "1", "TransactionEvent", {"eventType": SECRET, "transactionInfo": {"transactionId": SECRET}}])),
    ],
)
def test_no_value_of_a_message_reaches_the_log_or_a_description(ocpp, text, mode, logged):
    """D.15: the path, the rule and the length say enough."""
    here = in_memory(validation=mode)
    cp = here.connect(ocpp=ocpp)
    cp.send_text(text)
    refused = [event["data"]["description"] for event in here.published() if event["event"] == "message_refused"]
    assert not any(SECRET in line for line in [*logged, *refused])
    assert SECRET not in json.dumps(cp.frames())


def test_a_refusal_names_path_rule_and_length():
    here = in_memory(validation="strict")
    here.connect().send_call("Authorize", {"idTag": "x" * 35})
    assert here.published()[-1]["data"]["description"] == "idTag: maxLength: 20, not string of length 35"


@pytest.mark.parametrize(
    ("ocpp", "action", "payload", "description"),
    [
        (
            "2.0.1", "TransactionEvent", {"eventType": SECRET, "transactionInfo": {"transactionId": "t"}},
            "eventType: enum: Ended or Started or Updated, not string of length 7",
        ),
        (
            "1.6", "StartTransaction", {"idTag": "x", "meterStart": [SECRET]},
            "two of connectorId, idTag, meterStart and timestamp: required: connectorId",
        ),
    ],
)  # fmt: skip
def test_so_does_one_of_a_message_that_no_repair_makes_readable(ocpp, action, payload, description):
    here = in_memory()
    here.connect(ocpp=ocpp).send_call(action, payload)
    assert here.published()[-1]["data"]["description"] == description
    (model,) = here.application.reader.evidence.report()
    assert sum(each["refused"] for each in model["breaches"]) == len(model["breaches"]) > 0


def test_no_command_reaches_the_log(logged):
    """Neither one that cannot be read nor one that is refused."""
    here = in_memory()
    here.connect()
    here.dispatcher.start()
    for element in (
        SECRET,
        json.dumps({"CpID": "cp1", "data": [2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": [SECRET]}]}),
    ):
        here.store.push(element.encode())
    here.store.push(b'{"event":"' + SECRET.encode() + b'"}')
    assert not any(SECRET in line for line in logged)
    here.dispatcher.stop()
