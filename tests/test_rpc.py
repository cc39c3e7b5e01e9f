"""What each version makes of frames: error codes, unreadable ids, message types 5 and 6 (R1 to R14)."""

from __future__ import annotations

import base64
import json

import pytest
from twisted.internet.defer import Deferred

from house import House, house
from ocpp_tw.interfaces import HandshakeRefused
from ocpp_tw.settings import Settings


@pytest.mark.parametrize(
    ("ocpp", "frame", "answer"),
    [
        ("1.6", '[7,"1"]', None),  # R3: ignored
        ("2.0.1", '[7,"1"]', ("1", "MessageTypeNotSupported")),
        ("2.1", '[7,"1"]', None),
        ("1.6", "nonsense", None),  # R13: 1.6 has no rule for it
        ("2.0.1", "nonsense", ("-1", "RpcFrameworkError")),
        ("2.1", "nonsense", ("-1", "RpcFrameworkError")),
        ("2.0.1", '[2,"","Heartbeat",{}]', ("-1", "RpcFrameworkError")),
        ("1.6", '[2,"1","Heartbeat",[]]', ("1", "FormationViolation")),  # R11
        ("2.0.1", '[2,"1","Heartbeat",[]]', ("1", "ProtocolError")),
        ("2.0.1", '[2,"1","Heartbeat",{"a":1e999}]', ("1", "FormatViolation")),
        ("2.0.1", '[2,"1","NoSuch",{}]', ("1", "NotImplemented")),
        ("2.0.1", '[2,"1","Reset",{}]', ("1", "NotSupported")),
        ("2.0.1", '[6,"1","NotifyPeriodicEventStream",{}]', ("1", "MessageTypeNotSupported")),
        ("1.6", '[6,"1","NotifyPeriodicEventStream",{}]', None),
    ],
)
def test_every_version_answers_in_its_own_words(ocpp, frame, answer):
    cp = house().comes(ocpp=ocpp)
    cp.raw(frame)
    got = cp.got()
    assert [(each[1], each[2]) for each in got] == ([answer] if answer else [])
    cp.asks("Heartbeat")


STREAM = {"id": 1, "pending": 0, "basetime": "2026-11-23T08:00:00Z", "data": [{"t": 0, "v": "230"}]}


def test_a_send_is_told_and_never_answered():
    """R14: NotifyPeriodicEventStream works; no other central system takes it."""
    here = house()
    cp = here.comes(ocpp="2.1")
    assert cp.asks("OpenPeriodicEventStream", {"constantStreamData": {"id": 1, "variableMonitoringId": 2, "params": {}}}) == {
        "status": "Accepted"
    }
    here.told()
    import json

    cp.raw(json.dumps([6, "s1", "NotifyPeriodicEventStream", STREAM]))
    assert cp.got() == []
    (event,) = here.told()
    assert (event["event"], event["payload"], event["message_id"]) == ("notify_periodic_event_stream", STREAM, "s1")
    cp.raw('[6,"s2","NoSuch",{}]')
    assert cp.got() == [] and here.told()[-1]["event"] == "message_refused"


def test_an_answer_that_the_charger_could_not_process_is_told():
    """R14: CALLRESULTERROR; never answered."""
    here = house()
    cp = here.comes(ocpp="2.1")
    cp.asks("Heartbeat", id="h1")
    here.told()
    cp.raw('[5,"h1","FormatViolation","what?",{}]')
    assert cp.got() == []
    (event,) = here.told()
    assert event["event"] == "message_refused" and event["data"]["code"] == "FormatViolation" and "h1" in event["data"]["description"]


def test_a_signed_message_is_served_as_the_one_inside():
    """R18."""
    here = house()
    cp = here.comes(ocpp="2.0.1")
    inside = {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": "2026-11-23T08:00:00Z"}
    wrapped = base64.urlsafe_b64encode(json.dumps(inside).encode()).decode().rstrip("=")
    assert cp.asks("StatusNotification-Signed", {"payload": wrapped, "signature": "x", "protected": "y"}) == {}
    event = here.told()[-1]
    assert event["event"] == "change_connector_status" and event["payload"]["signature"] == "x"
    assert event["data"]["evse"] == 1 and event["data"]["connector"] == 1
    assert cp.fails("StatusNotification-Signed", {"payload": "!"}) == "NotImplemented"


def test_the_clients_preference_wins():
    """C7."""
    here = house()
    assert here.knock(offered=("ocpp2.0.1", "ocpp1.6")).charger.ocpp == "2.0.1"
    assert here.knock(offered=("ocpp1.6", "ocpp2.1")).charger.ocpp == "1.6"
    assert here.knock(offered=("ocpp3", "ocpp2.1")).charger.ocpp == "2.1"


def test_a_charger_may_change_its_version_between_connections():
    """FIELD 15."""
    here = house()
    cp = here.comes(ocpp="1.6")
    cp.leaves()
    here.comes(ocpp="2.0.1").asks("Heartbeat")
    assert [event["ocpp"] for event in here.told()] == ["1.6", "1.6", "2.0.1", "2.0.1"]


def test_old_versions_are_served_as_1_6_where_that_is_wanted():
    """Item 11: 1.5's MeterValues have `values` of `values`."""
    here = house(legacy=True)
    cp = here.comes(ocpp="1.5")
    values = [{"timestamp": "2026-11-23T08:00:00Z", "values": [{"value": "1.5", "unit": "kWh"}]}]
    assert cp.asks("MeterValues", {"connectorId": 1, "values": values}) == {}
    event = here.told()[-1]
    assert event["ocpp"] == "1.5" and event["data"]["values"][0]["value"] == "1500" and event["violations"]
    with pytest.raises(HandshakeRefused):
        house().comes(ocpp="1.5")


def test_operators_decide_about_a_charger():
    """B1 to B5, CONTRACT 4: before it ever connects, while it is connected, and for good."""
    here = house()
    done: list[dict] = []
    Deferred.fromCoroutine(here.gateway.decide("cp1", {"boot_status": "Pending", "retry_interval": 30})).addCallback(done.append)
    assert done[0]["boot_status"] == "Pending" and done[0]["retry_interval"] == 30
    cp = here.comes(ocpp="2.0.1")
    boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
    answer = cp.asks("BootNotification", boot)
    assert (answer["status"], answer["interval"]) == ("Pending", 30)
    assert cp.fails("Heartbeat") == "SecurityError"
    Deferred.fromCoroutine(here.gateway.decide("cp1", {"boot_status": "Accepted"})).addCallback(done.append)
    trigger = cp.got()[-1]
    assert trigger[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
    cp.answers({"status": "Accepted"}, trigger[1])
    assert cp.asks("BootNotification", boot)["status"] == "Accepted"
    cp.asks("Heartbeat")


def test_a_charger_that_an_operator_rejects_stays_out():
    """B5: also on its next connection, whatever it was answered before."""
    here = house()
    cp = here.comes(ocpp="2.1")
    cp.asks("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}})
    Deferred.fromCoroutine(here.gateway.decide("cp1", {"boot_status": "Rejected"}))
    assert cp.fails("Heartbeat") == "SecurityError"
    cp.leaves()
    assert here.comes(ocpp="2.1").fails("Heartbeat") == "SecurityError"


def test_a_decision_reaches_the_gateway_that_has_the_charger():
    first = House(Settings(name="gw1"))
    second = House(Settings(name="gw2"), store=first.store)
    cp = second.comes()
    second.dispatch.start()
    Deferred.fromCoroutine(first.gateway.decide("cp1", {"boot_status": "Pending"}))
    assert cp.fails("Heartbeat") == "SecurityError"
    second.dispatch.stop()


def test_a_version_can_be_pinned():
    """CONTRACT 4, FIELD 15: the charger comes again, and is given what was decided."""
    here = house()
    Deferred.fromCoroutine(here.gateway.decide("cp1", {"version": "1.6"}))
    cp = here.knock(offered=("ocpp2.0.1", "ocpp1.6"))
    here.gateway.arrived(cp.charger)
    assert cp.wire.closed == (1012, "OCPP 1.6 only")
    cp.leaves()
    again = here.knock(offered=("ocpp2.0.1", "ocpp1.6"))
    here.gateway.arrived(again.charger)
    assert again.charger.ocpp == "1.6"
    again.asks("Heartbeat")


def test_long_lists_of_variables_are_asked_in_parts():
    """Item 8: ItemsPerMessage."""
    here = house()
    cp = here.comes(ocpp="2.0.1")
    here.dispatch.start()
    here.told()
    items = [{"component": {"name": "C"}, "variable": {"name": f"V{n}"}} for n in range(5)]
    here.orders(CpID="cp1", data=[2, "u1", "GetVariables", {"getVariableData": items}])
    sizes = []
    for _ in range(5):
        (frame,) = cp.got()
        asked = frame[3]["getVariableData"]
        sizes.append(len(asked))
        limit = {"attributeValue": "2"} if asked[0]["variable"]["name"] == "ItemsPerMessage" else {}
        cp.answers({"getVariableResult": [{"attributeStatus": "Accepted", **each, **limit} for each in asked]}, frame[1])
    assert sizes == [1, 1, 2, 2, 1]
    result = here.result()
    assert result["outcome"] == "result" and [each["variable"]["name"] for each in result["payload"]["getVariableResult"]] == [
        f"V{n}" for n in range(5)
    ]
    here.dispatch.stop()


def test_a_report_in_parts_is_told_when_it_is_whole():
    """Item 5: `command_report`."""
    here = house()
    cp = here.comes(ocpp="2.0.1")
    here.dispatch.start()
    here.told()
    here.orders(CpID="cp1", data=[2, "u1", "GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}])
    cp.answers({"status": "Accepted"})
    part = {"requestId": 7, "generatedAt": "2026-11-23T08:00:00Z", "seqNo": 0, "tbc": True}
    cp.got()
    cp.asks("NotifyReport", part)
    cp.asks("NotifyReport", part | {"seqNo": 1, "tbc": False})
    told = here.told()
    assert [event["event"] for event in told] == ["command_result", "notify_report", "notify_report", "command_report"]
    assert told[-1]["data"] == {
        "charger": "cp1", "id": "u1", "action": "GetBaseReport", "request_id": 7, "parts": 2, "complete": True, "missing": [],
    }  # fmt: skip
    here.dispatch.stop()


def test_a_report_that_does_not_come_is_told_as_overdue():
    here = house()
    cp = here.comes(ocpp="2.1")
    here.dispatch.start()
    here.orders(CpID="cp1", data=[2, "u1", "GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}])
    cp.answers({"status": "Accepted"})
    cp.says("NotifyReport", {"requestId": 7, "generatedAt": "2026-11-23T08:00:00Z", "seqNo": 1, "tbc": True})
    here.told()
    here.clock.advance(61)
    assert here.told()[-1]["data"]["complete"] is False
    here.dispatch.stop()
