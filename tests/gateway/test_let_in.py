"""What can be told apart is let in, with nulls and violations: CALLERROR makes a charger throw a transaction away (issue 11, B.8, B.11; 1.6 §4.8)."""

from __future__ import annotations

import pytest

from in_memory import START_1, in_memory, stop

MISSING = object()


def changed(payload, member, value):
    return {name: each for name, each in {**payload, member: value}.items() if each is not MISSING}


@pytest.mark.parametrize("value", [MISSING, None, "lots", {}])
@pytest.mark.parametrize(("member", "field"), [("meterStop", "meter_stop"), ("timestamp", "timestamp")])
def test_a_stop_needs_only_its_transaction(member, field, value):
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1)["transactionId"]
    cp.call("StopTransaction", changed(stop(id), member, value))
    event = here.published()[-1]
    assert event["event"] == "stop_transaction" and event["violations"] and event["data"]["match"] == "exact"
    assert event["data"][field] == (value if (member, value) == ("timestamp", "lots") else None)
    assert event["data"]["energy_wh" if member == "meterStop" else "duration_s"] is None


@pytest.mark.parametrize(
    ("member", "field", "unknown"),
    [("timestamp", "timestamp", None), ("meterStart", "meter_start", None), ("connectorId", "conn", 0), ("idTag", "tag", "")],
)
@pytest.mark.parametrize("value", [MISSING, None])
def test_a_start_needs_only_what_tells_it_apart(member, field, unknown, value):
    here = in_memory()
    cp = here.connect()
    answer = cp.call("StartTransaction", changed(START_1, member, value))
    event = here.published()[-1]
    assert event["event"] == "start_transaction" and event["data"][field] == unknown and event["violations"]
    cp.call("StopTransaction", stop(answer["transactionId"]))
    assert here.published()[-1]["data"]["match"] == "exact"


HUGE = pytest.mark.parametrize("huge", [10**20, 10**300, -(10**300), 10**4000], ids=["21 digits", "301", "-301", "4001"])


@HUGE
@pytest.mark.parametrize("member", ["meterStart", "meterStop"])
def test_an_integer_beyond_all_proportion_is_no_meter_reading(member, huge):
    here = in_memory()
    cp = here.connect()
    id = cp.call("StartTransaction", START_1 | ({member: huge} if member == "meterStart" else {}))["transactionId"]
    cp.call("StopTransaction", stop(id) | ({member: huge} if member == "meterStop" else {}))
    start, end = here.published()[-2:]
    told, field = (start, "meter_start") if member == "meterStart" else (end, "meter_stop")
    assert told["data"][field] is None and end["data"]["energy_wh"] is None
    assert [(each["path"], each["rule"]) for each in told["violations"]] == [(member, "maximum" if huge > 0 else "minimum")]


@HUGE
@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_an_integer_beyond_all_proportion_is_no_number_of_a_message(ocpp, huge):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    update = {
        "eventType": "Updated",
        "timestamp": "2026-11-23T08:00:00Z",
        "triggerReason": "Trigger",
        "transactionInfo": {"transactionId": "t"},
    }
    cp.call("TransactionEvent", update | {"seqNo": 3})
    cp.call("TransactionEvent", update | {"seqNo": huge})
    event = here.published()[-1]
    assert event["event"] == "transaction_update" and event["data"]["seq_no"] is None
    assert ("seqNo", "maximum" if huge > 0 else "minimum") in [(each["path"], each["rule"]) for each in event["violations"]]


@pytest.mark.parametrize("timestamp", ["", "0000-00-00T00:00:00Z", "yesterday"])
def test_a_timestamp_that_is_none_is_a_violation(timestamp):
    here = in_memory()
    cp = here.connect()
    cp.call("StartTransaction", START_1 | {"timestamp": timestamp})
    (violation,) = here.published()[-1]["violations"]
    assert (violation["path"], violation["rule"]) == ("timestamp", "format")


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_2_x_transaction_without_numbers_and_times_is_told(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    meter = [{"sampledValue": [{"value": 5}]}]
    for kind in ("Started", "Updated", "Updated", "Ended"):
        more = {"meterValue": meter} if kind == "Updated" else {}
        cp.call("TransactionEvent", {"eventType": kind, "transactionInfo": {"transactionId": "t"}, **more})
    events = here.published()
    assert [event["event"] for event in events] == ["start_transaction", "transaction_update", "meter_value", "stop_transaction"]
    assert all(event["violations"] for event in events)
    assert events[-1]["data"]["match"] == "exact" and events[-1]["data"]["timestamp"] is None and events[0]["data"].get("seq_no") is None
    cp.call("BootNotification", {"reason": "PowerUp"})
    assert here.published()[-1]["data"]["vendor"] == ""
    cp.call("MeterValues", {"meterValue": meter})
    assert here.published()[-1]["data"]["conn"] == 0


BUTTON = {"idToken": {"type": "NoAuthorization"}}


@pytest.mark.parametrize(
    "button", [BUTTON, {"idToken": {"type": "NoAuthorization", "idToken": None}}, {"idToken": {"type": "NoAuthorization", "idToken": ""}}]
)
@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_a_start_button_is_accepted_wherever_it_comes_with_or_without_the_text_of_a_tag(ocpp, button):
    """C02.FR.02; the text is left empty (C02.FR.01), and by some chargers left out."""
    here = in_memory(base_url="http://b", authorize="backend")
    cp = here.connect(ocpp=ocpp)
    assert cp.call("Authorize", button) == {"idTokenInfo": {"status": "Accepted"}}
    data = here.published()[-1]["data"]
    assert (data["tag"], data["tag_type"], data["status"]) == ("", "NoAuthorization", "Accepted")
    for number, kind in enumerate(("Started", "Updated", "Ended")):
        event = {"eventType": kind, "timestamp": "2026-11-22T10:00:00Z", "triggerReason": "Authorized", "seqNo": number}
        assert cp.call("TransactionEvent", event | {"transactionInfo": {"transactionId": "t"}} | button) == {
            "idTokenInfo": {"status": "Accepted"}
        }
        data = here.published()[-1]["data"]
        assert data["tag_type"] == "NoAuthorization" and data.get("status", "Accepted") == "Accepted"


@pytest.mark.parametrize("token", [MISSING, None, {}, "TAG1"])
def test_without_an_idtoken_there_is_no_idtokeninfo(token):
    """E01.FR.11."""
    cp = in_memory().connect(ocpp="2.0.1")
    for kind in ("Started", "Updated", "Ended"):
        event = {"eventType": kind, "transactionInfo": {"transactionId": "t"}, "triggerReason": "Authorized"}
        assert cp.call("TransactionEvent", changed(event, "idToken", token)) == {}


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_an_energy_in_an_unknown_unit_is_a_violation_and_no_energy(ocpp):
    for mode in ("tolerant", "strict"):
        here = in_memory(validation=mode)
        cp = here.connect(ocpp=ocpp)
        sample = {"value": 5.0, "unitOfMeasure": {"unit": "J"}}
        cp.call("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": "2026-11-22T10:00:00Z", "sampledValue": [sample]}]})
        assert [each["rule"] for each in here.published()[-1]["violations"]] == ["unit"]


def test_a_start_equal_to_one_that_ended_long_ago_is_a_new_transaction():
    """B.11: a clock that begins anew at each boot."""
    here = in_memory()
    cp = here.connect()
    first = cp.call("StartTransaction", START_1)["transactionId"]
    here.clock.advance(7200)
    assert cp.call("StartTransaction", START_1)["transactionId"] == first
    cp.call("StopTransaction", stop(first))
    assert cp.call("StartTransaction", START_1)["transactionId"] == first
    here.clock.advance(7200)
    second = cp.call("StartTransaction", START_1)["transactionId"]
    assert second != first and cp.call("StartTransaction", START_1)["transactionId"] == second
    assert here.published_names().count("start_transaction") == 2
