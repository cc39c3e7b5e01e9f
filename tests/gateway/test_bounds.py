"""What strangers send is neither kept at length nor told at length, tolerant or strict."""

from __future__ import annotations

import base64
import gc
import json
import time

import pytest

from in_memory import START_1, in_memory
from ocpp_tw.ocpp import meter_values

LONG = "x" * 100_000
BOOT_2 = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
EVENT = {
    "eventType": "Started",
    "timestamp": "2026-11-23T08:00:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t1"},
    "idToken": {"idToken": "TAG1", "type": "ISO14443"},
}
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


def with_long(payload, path):
    """The payload with a word far too long at a path."""
    copy = json.loads(json.dumps(payload))
    inner = copy
    *way, last = path.split("/")
    for name in way:
        inner = inner.setdefault(name, {})
    inner[last] = LONG
    return copy


@pytest.mark.parametrize("validation", ["tolerant", "strict"])
@pytest.mark.parametrize(
    ("ocpp", "action", "payload", "path"),
    [
        *(("1.6", "BootNotification", BOOT, path) for path in ("chargePointVendor", "chargePointModel", "firmwareVersion")),
        *(("1.6", "BootNotification", BOOT, path) for path in ("chargePointSerialNumber", "chargeBoxSerialNumber")),
        *(("1.6", "StartTransaction", START_1, path) for path in ("idTag", "timestamp")),
        *(("1.6", "StopTransaction", {"transactionId": 5, "meterStop": 1, "timestamp": "x"}, p) for p in ("idTag", "timestamp", "reason")),
        ("1.6", "Authorize", {}, "idTag"),
        *(("2.0.1", "BootNotification", BOOT_2, f"chargingStation/{path}") for path in ("model", "vendorName", "firmwareVersion")),
        *(("2.1", "TransactionEvent", EVENT, path) for path in ("transactionInfo/transactionId", "idToken/idToken", "idToken/type")),
        ("2.0.1", "TransactionEvent", EVENT, "timestamp"),
        ("2.0.1", "Authorize", {"idToken": {"type": "ISO14443"}}, "idToken/idToken"),
    ],
)
def test_a_word_that_would_be_kept_at_length_is_refused(validation, ocpp, action, payload, path):
    here = in_memory(validation=validation)
    cp = here.connect(ocpp=ocpp)
    here.published()
    cp.send_call(action, with_long(payload, path))
    ((kind, _, _, description, _),) = cp.frames()
    (event,) = here.published()
    assert kind == 4 and event["event"] == "message_refused" and event["data"]["description"] == description
    assert path.rpartition("/")[2] in description and LONG[:30] not in description
    kept = [value for table in here.store.tables.values() for value in table.values()]
    assert all(len(value) < 1000 for value in kept)


def test_what_is_kept_of_no_message_may_be_long():
    """No data of a vendor, no text for a driver is lost because nobody expected its length."""
    cp = in_memory().connect()
    assert cp.call("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError", "info": LONG}) == {}
    assert cp.call("DataTransfer", {"vendorId": "V", "data": LONG})["status"]


def test_measurands_and_units_are_not_remembered_at_length():
    known = dict(meter_values._canonical_units)
    cp = in_memory().connect()
    for number in range(3):
        sample = {"value": "1", "measurand": f"{number}{LONG}", "unit": f"{number}{LONG}"}
        cp.call("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [sample]}]})
    assert meter_values._canonical_units == known


@pytest.mark.parametrize("validation", ["tolerant", "strict"])
@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
def test_more_samples_than_any_charger_has_are_refused(validation, ocpp):
    here = in_memory(validation=validation)
    cp = here.connect(ocpp=ocpp)
    here.published()
    values = [{"value": "1"} if ocpp[0] == "1" else {"value": 1}] * 5001
    readings = [{"timestamp": "2026-11-23T08:00:00Z", "sampledValue": values}]
    where = {"connectorId": 1} if ocpp[0] == "1" else {"evseId": 1}
    assert cp.call_error("MeterValues", {**where, "meterValue": readings}).startswith("Occur")
    (event,) = here.published()
    assert event["data"]["description"] == "more than 5000 sampled values"
    readings[0]["sampledValue"] = values[:5000]
    cp.call("MeterValues", {**where, "meterValue": readings})


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
def test_a_message_that_is_too_much_is_refused_and_told(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    cp.send_text('[2,"q1","DataTransfer",{{"vendorId":"V","data":[{}]}}]'.format(",".join(["1"] * 210_000)))
    (answer,) = cp.frames()
    assert answer[:2] == [4, "q1"] and answer[3] == "more than 200000 values"
    (event,) = here.published()
    assert event["event"] == "message_refused" and event["action"] == "DataTransfer" and event["message_id"] == "q1"
    cp.call("Heartbeat")


ATTRIBUTE = {"type": "Actual", "value": "16.5", "mutability": "ReadWrite", "persistent": True, "constant": False}
ONE = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
HAPPENED = {"timestamp": "2026-11-23T08:00:00Z", "trigger": "Alerting", "actualValue": "1", "eventNotificationType": "CustomMonitor"}
SCHEDULE = {"id": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.5}]}
PROFILE = {"id": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute"}
MONITOR = {"id": 1, "transaction": False, "value": 1.5, "type": "UpperThreshold", "severity": 5}


@pytest.mark.parametrize("validation", ["tolerant", "strict"])
@pytest.mark.parametrize(
    ("action", "payload", "member", "item"),
    [
        ("NotifyReport", {"requestId": 1}, "reportData", {**ONE, "variableAttribute": [ATTRIBUTE] * 4}),
        (
            "NotifyReport",
            {"requestId": 1},
            "reportData",
            {"component": {"name": "C"}, "variable": {"name": "V"}, "variableAttribute": [{}]},
        ),
        ("NotifyEvent", {}, "eventData", {"eventId": 1, **HAPPENED, **ONE}),
        ("NotifyMonitoringReport", {"requestId": 1}, "monitor", {**ONE, "variableMonitoring": [MONITOR] * 2}),
        ("ReportChargingProfiles", {"requestId": 1, "chargingLimitSource": "EMS", "evseId": 1}, "chargingProfile", PROFILE),
    ],
)
def test_a_valid_report_is_served_whatever_it_has_in_a_megabyte(validation, action, payload, member, item):
    here = in_memory(validation=validation)
    cp = here.connect(ocpp="2.0.1")
    if action == "ReportChargingProfiles":
        item = {**item, "chargingSchedule": [SCHEDULE]}
    else:
        payload = {**payload, "generatedAt": "2026-11-23T08:00:00Z", "seqNo": 0}
    count = 1_000_000 // (len(json.dumps(item)) + 2)
    assert cp.call(action, {**payload, member: [item] * count}) == {}
    assert "violations" not in here.published()[-1]


def test_an_answer_that_is_too_much_ends_its_command():
    here = in_memory()
    cp = here.connect()
    outcomes = []
    cp.charger.call("GetConfiguration", {}).addCallback(outcomes.append)
    (_, id, _, _) = cp.frames()[-1]
    cp.send_text('[3,"{}",{{"configurationKey":[{}]}}]'.format(id, ",".join(["{}"] * 110_000)))
    assert [outcome.kind for outcome in outcomes] == ["error"]


def test_sixteen_long_answers_are_not_remembered():
    """A repeat of a call with a long answer is answered again, but only the latest such answer is kept for it."""
    from ocpp_tw.ocpp.conversation import NEW, Conversation

    conversation = Conversation()
    for number in range(16):
        conversation.received(str(number), number)
        conversation.answered(str(number), b"x" * 1_000_000)
    assert conversation.received("15", 15) == b"x" * 1_000_000
    assert conversation.received("3", 3) is NEW


def test_violations_do_not_grow_an_event():
    here = in_memory()
    cp = here.connect()
    here.store.events.clear()
    cp.call("MeterValues", {"connectorId": 1, "meterValue": [{"a": 1}] * 5000})
    (text,) = here.store.events
    assert len(text) < 2.2 * 5000 * len('{"a": 1}, ')


def test_an_object_with_thousands_of_members_takes_no_time_that_grows_with_their_square():
    """Whatever their order: some of them make quicksort slow."""
    cp = in_memory().connect(ocpp="2.0.1")
    times = []
    for count in (1000, 8000):
        members = {"vendorId": "V"} | {f"m{number:06}": number for number in range(count)}
        text = json.dumps([2, str(count), "TransactionEvent", EVENT | {"seqNo": count, "customData": members}])
        begun = time.process_time()
        cp.send_text(text)
        times.append(time.process_time() - begun)
    assert times[1] < max(24 * times[0], 0.1)


@pytest.mark.parametrize("where", ["", "customData", "idToken"])
def test_an_object_with_more_members_than_any_is_refused(where):
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    here.published()
    members = {f"m{number}": 1 for number in range(10_001)}
    payload = EVENT | ({where: members} if where else members)
    assert cp.call_error("TransactionEvent", payload) == "FormatViolation"
    (event,) = here.published()
    assert event["data"]["description"] == "an object of more than 10000 members"


@pytest.mark.parametrize("data", ["[" + "1," * 210_000 + "1]", "[" * 200 + "]" * 200, "[" + ",".join(["9" * 4000] * 50) + "]"])
def test_what_is_too_much_is_so_within_a_signed_message(data):
    cp = in_memory().connect(ocpp="2.0.1")
    payload = '{"vendorId":"V","data":' + data + "}"
    signed = {"payload": base64.urlsafe_b64encode(payload.encode()).decode().rstrip("="), "signatures": []}
    assert cp.call_error("DataTransfer-Signed", signed) == "NotImplemented"


TIME = "2026-11-23T08:00:00Z"


def sampled(count, sample, version="1"):
    reading = {"timestamp": TIME, "sampledValue": [sample] * count}
    return {"connectorId" if version == "1" else "evseId": 1, "meterValue": [reading]}


def signed_report(count):
    entry = {**ONE, "variableAttribute": [ATTRIBUTE]}
    text = json.dumps({"requestId": 1, "generatedAt": TIME, "seqNo": 0, "reportData": [entry] * count})
    return {"payload": base64.urlsafe_b64encode(text.encode()).decode().rstrip("="), "signatures": []}


NESTED = [[[[[[[[[[[[]]]]]]]]]]]]
COSTLY = {
    "floats": ("1.6", "DataTransfer", {"vendorId": "V", "data": [number + 0.123456 for number in range(49_000)]}),
    "nothing but objects": ("2.0.1", "DataTransfer", {"vendorId": "V", "data": [{}] * 95_000}),
    "brackets in strings": ("2.0.1", "DataTransfer", {"vendorId": "V", "data": [{"a": "["}] * 60_000}),
    "nested lists": ("2.0.1", "DataTransfer", {"vendorId": "V", "data": [NESTED] * 8000}),
    "a signed report": ("2.0.1", "NotifyReport-Signed", signed_report(2800)),
    "lists in a vendor's text": (
        "1.6",
        "DataTransfer",
        {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "SignCertificate", "data": '{"csr":"x","a":[%s1]}' % ("[]," * 300_000)},
    ),
    "profiles": ("2.0.1", "ReportChargingProfiles", {
        "requestId": 1, "chargingLimitSource": "EMS", "evseId": 1, "chargingProfile": [{**PROFILE, "chargingSchedule": [SCHEDULE]}] * 3500,
    }),
    "numbers for strings": ("1.6", "MeterValues", sampled(4900, {"value": 5, "Unit": "kWh"})),
    "kilowatt-hours": ("1.6", "MeterValues", sampled(4900, {"value": "1234.5", "unit": "kWh"})),
    "multipliers": ("2.0.1", "MeterValues", sampled(4900, {"value": 1234.5, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}}, "2")),
    "degrees": ("2.0.1", "MeterValues", sampled(4900, {"value": 71.5, "measurand": "Temperature", "unitOfMeasure": {"unit": "Fahrenheit"}}, "2")),
    "readings without samples": ("1.6", "MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": TIME}] * 24_000}),
    "a transaction's samples": ("2.0.1", "TransactionEvent", {**EVENT, "eventType": "Ended", "meterValue": [
        {"timestamp": TIME, "sampledValue": [{"value": 1234.5, "context": "Transaction.End", "unitOfMeasure": {"unit": "kWh"}}] * 4900}
    ]}),
}  # fmt: skip


def test_no_megabyte_costs_much_more_than_a_megabyte_of_plain_text():
    here = in_memory()

    def best(ocpp, action, payload):
        times = []
        for number in range(4):
            cp = here.connect(f"{ocpp}-{number}", ocpp=ocpp)
            text = json.dumps([2, "1", action, payload])
            gc.disable()  # a collection looks through all that the tests have left
            begun = time.process_time()
            cp.send_text(text)
            times.append(time.process_time() - begun)
            gc.enable()
            cp.disconnect()
            here.store.events.clear()
        return min(times)

    plain = best("1.6", "DataTransfer", {"vendorId": "V", "data": "x" * 990_000})
    dear = {name: took / plain for name, message in COSTLY.items() if (took := best(*message)) > 25 * max(plain, 0.005)}
    assert not dear
