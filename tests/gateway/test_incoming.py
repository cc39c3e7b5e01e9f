"""What each version makes of frames: error codes, unreadable ids, message types 5 and 6 (R1 to R14)."""

from __future__ import annotations

import base64
import json

import pytest
from twisted.internet.defer import Deferred

from in_memory import START_1, in_memory
from ocpp_tw.facts import Authorization, Start
from ocpp_tw.handlers import Handlers
from ocpp_tw.interfaces import HandshakeRefused
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


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
    cp = in_memory().connect(ocpp=ocpp)
    cp.send_text(frame)
    got = cp.frames()
    assert [(each[1], each[2]) for each in got] == ([answer] if answer else [])
    cp.call("Heartbeat")


STREAM = {"id": 1, "pending": 0, "basetime": "2026-11-23T08:00:00Z", "data": [{"t": 0, "v": "230"}]}


def test_a_send_is_told_and_never_answered():
    """R14: NotifyPeriodicEventStream works; no other central system takes it."""
    here = in_memory()
    cp = here.connect(ocpp="2.1")
    assert cp.call("OpenPeriodicEventStream", {"constantStreamData": {"id": 1, "variableMonitoringId": 2, "params": {}}}) == {
        "status": "Accepted"
    }
    here.published()
    import json

    cp.send_text(json.dumps([6, "s1", "NotifyPeriodicEventStream", STREAM]))
    assert cp.frames() == []
    (event,) = here.published()
    assert (event["event"], event["payload"], event["message_id"]) == ("notify_periodic_event_stream", STREAM, "s1")
    cp.send_text('[6,"s2","NoSuch",{}]')
    assert cp.frames() == [] and here.published()[-1]["event"] == "message_refused"


def test_a_call_of_what_is_meant_for_a_send_is_answered():
    """Its sender waits for an answer, and would send it again and again."""
    here = in_memory()
    assert here.connect(ocpp="2.1").call("NotifyPeriodicEventStream", STREAM) == {}
    assert here.published_names()[-1] == "notify_periodic_event_stream"


def test_an_answer_that_the_charger_could_not_process_is_told():
    """R14: CALLRESULTERROR; never answered."""
    here = in_memory()
    cp = here.connect(ocpp="2.1")
    cp.call("Heartbeat", id="h1")
    here.published()
    cp.send_text('[5,"h1","FormatViolation","what?",{}]')
    assert cp.frames() == []
    (event,) = here.published()
    assert event["event"] == "message_refused" and event["data"]["code"] == "FormatViolation" and "h1" in event["data"]["description"]


def test_a_signed_message_is_served_as_the_one_inside():
    """R18."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    inside = {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": "2026-11-23T08:00:00Z"}
    wrapped = base64.urlsafe_b64encode(json.dumps(inside).encode()).decode().rstrip("=")
    assert cp.call("StatusNotification-Signed", {"payload": wrapped, "signature": "x", "protected": "y"}) == {}
    event = here.published()[-1]
    assert event["event"] == "change_connector_status" and event["payload"]["signature"] == "x"
    assert event["data"]["evse"] == 1 and event["data"]["connector"] == 1
    assert cp.call_error("StatusNotification-Signed", {"payload": "!"}) == "NotImplemented"


def test_the_clients_preference_wins():
    """C7."""
    here = in_memory()
    assert here.handshake(offered=("ocpp2.0.1", "ocpp1.6")).charger.ocpp == "2.0.1"
    assert here.handshake(offered=("ocpp1.6", "ocpp2.1")).charger.ocpp == "1.6"
    assert here.handshake(offered=("ocpp3", "ocpp2.1")).charger.ocpp == "2.1"


def test_a_charger_may_change_its_version_between_connections():
    """FIELD 15."""
    here = in_memory()
    cp = here.connect(ocpp="1.6")
    cp.disconnect()
    here.connect(ocpp="2.0.1").call("Heartbeat")
    assert [event["ocpp"] for event in here.published()] == ["1.6", "1.6", "2.0.1", "2.0.1"]


def test_old_versions_are_served_as_1_6_where_that_is_wanted():
    """Item 11: 1.5's MeterValues have `values` of `values`."""
    here = in_memory(legacy=True)
    cp = here.connect(ocpp="1.5")
    values = [{"timestamp": "2026-11-23T08:00:00Z", "values": [{"value": "1.5", "unit": "kWh"}]}]
    assert cp.call("MeterValues", {"connectorId": 1, "values": values}) == {}
    event = here.published()[-1]
    assert event["ocpp"] == "1.5" and event["data"]["values"][0]["value"] == "1500" and event["violations"]
    with pytest.raises(HandshakeRefused):
        in_memory().connect(ocpp="1.5")


def test_operators_decide_about_a_charger():
    """B1 to B5, CONTRACT 4: before it ever connects, while it is connected, and for good."""
    here = in_memory()
    done: list[dict] = []
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"boot_status": "Pending", "retry_interval": 30})).addCallback(done.append)
    assert done[0]["boot_status"] == "Pending" and done[0]["retry_interval"] == 30
    cp = here.connect(ocpp="2.0.1")
    boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
    answer = cp.call("BootNotification", boot)
    assert (answer["status"], answer["interval"]) == ("Pending", 30)
    assert cp.call_error("Heartbeat") == "SecurityError"
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"boot_status": "Accepted"})).addCallback(done.append)
    trigger = cp.frames()[-1]
    assert trigger[2:] == ["TriggerMessage", {"requestedMessage": "BootNotification"}]
    cp.answer({"status": "Accepted"}, trigger[1])
    assert cp.call("BootNotification", boot)["status"] == "Accepted"
    cp.call("Heartbeat")


def test_a_charger_that_an_operator_rejects_stays_out():
    """B5: also on its next connection, whatever it was answered before."""
    here = in_memory()
    cp = here.connect(ocpp="2.1")
    cp.call("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}})
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"boot_status": "Rejected"}))
    assert cp.call_error("Heartbeat") == "SecurityError"
    cp.disconnect()
    assert here.connect(ocpp="2.1").call_error("Heartbeat") == "SecurityError"


@pytest.mark.parametrize("taken_back", ["Accepted", None])
@pytest.mark.parametrize("status", ["Rejected", "Pending"])
def test_an_operators_restriction_can_be_taken_back_while_the_charger_is_connected(status, taken_back):
    """Its messages are served again at once, and commands sent."""
    here = in_memory()
    cp = here.connect()
    cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"boot_status": status}))
    assert cp.call_error("Heartbeat") == "SecurityError"
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"boot_status": taken_back}))
    cp.call("Heartbeat")
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=[2, "u1", "RemoteStartTransaction", {"idTag": "T"}])
    assert cp.frames()[-1][2] == "RemoteStartTransaction"
    here.dispatcher.stop()


def test_a_decision_made_while_the_charger_arrives_is_not_lost():
    here = in_memory()
    arriving, arrive = [], here.roster.arrive

    def late(*arrival):
        record: Deferred = Deferred()
        arriving.append((record, arrive(*arrival)))
        return record

    here.roster.arrive = late
    cp = here.connect()
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"boot_status": "Rejected"}))
    record, found = arriving.pop()
    found.chainDeferred(record)
    assert cp.call_error("Heartbeat") == "SecurityError"


def test_a_decision_reaches_the_gateway_that_has_the_charger():
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    cp = second.connect()
    second.dispatcher.start()
    Deferred.fromCoroutine(first.gateway.decisions.decide("cp1", {"boot_status": "Pending"}))
    assert cp.call_error("Heartbeat") == "SecurityError"
    second.dispatcher.stop()


def test_a_version_can_be_pinned():
    """CONTRACT 4, FIELD 15: the charger comes again, and is given what was decided."""
    here = in_memory()
    Deferred.fromCoroutine(here.gateway.decisions.decide("cp1", {"version": "1.6"}))
    cp = here.handshake(offered=("ocpp2.0.1", "ocpp1.6"))
    here.gateway.arrived(cp.charger)
    assert cp.wire.closed == (1012, "OCPP 1.6 only")
    cp.disconnect()
    again = here.handshake(offered=("ocpp2.0.1", "ocpp1.6"))
    here.gateway.arrived(again.charger)
    assert again.charger.ocpp == "1.6"
    again.call("Heartbeat")


def test_a_report_in_parts_is_told_when_it_is_whole():
    """Item 5: `command_report`."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    here.dispatcher.start()
    here.published()
    here.push_command(CpID="cp1", data=[2, "u1", "GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}])
    cp.answer({"status": "Accepted"})
    part = {"requestId": 7, "generatedAt": "2026-11-23T08:00:00Z", "seqNo": 0, "tbc": True}
    cp.frames()
    cp.call("NotifyReport", part)
    cp.call("NotifyReport", part | {"seqNo": 1, "tbc": False})
    told = here.published()
    assert [event["event"] for event in told] == ["command_result", "notify_report", "notify_report", "command_report"]
    assert told[-1]["data"] == {
        "charger": "cp1", "id": "u1", "action": "GetBaseReport", "request_id": 7, "parts": 2, "complete": True, "missing": [],
    }  # fmt: skip
    here.dispatcher.stop()


def test_a_request_id_with_a_point_is_the_integer_that_it_means():
    """The charger is sent it as it was written, and may answer with either spelling."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    here.dispatcher.start()
    here.store.push(b'{"CpID":"cp1","data":[2,"u1","GetBaseReport",{"requestId":5.0,"reportBase":"FullInventory"}]}')
    assert b'"requestId":5.0' in cp.wire.sent[-1]
    cp.answer({"status": "Accepted"}, "u1")
    cp.send_call("NotifyReport", {"requestId": 5, "generatedAt": "2026-11-23T08:00:00Z", "seqNo": 0, "tbc": False})
    (report,) = [event["data"] for event in here.published() if event["event"] == "command_report"]
    assert (report["request_id"], report["complete"]) == (5, True) and type(report["request_id"]) is int
    here.dispatcher.stop()


def test_a_report_that_does_not_come_is_told_as_overdue():
    here = in_memory()
    cp = here.connect(ocpp="2.1")
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=[2, "u1", "GetBaseReport", {"requestId": 7, "reportBase": "FullInventory"}])
    cp.answer({"status": "Accepted"})
    cp.send_call("NotifyReport", {"requestId": 7, "generatedAt": "2026-11-23T08:00:00Z", "seqNo": 1, "tbc": True})
    here.published()
    here.clock.advance(61)
    assert here.published()[-1]["data"]["complete"] is False
    here.dispatcher.stop()


def gap(n):
    """A TransactionEvent that shows that messages of its transaction are missing."""
    event = {"eventType": "Updated", "timestamp": "2026-11-23T08:00:00Z", "triggerReason": "Trigger", "evse": {"id": 1}}
    first = event | {"eventType": "Started", "seqNo": 0, "transactionInfo": {"transactionId": f"t{n}"}}
    return [first, event | {"seqNo": 2, "transactionInfo": {"transactionId": f"t{n}"}}]


def test_a_mute_charger_with_many_gaps_still_gets_its_commands():
    """One GetTransactionStatus at a time, of the latest few transactions only."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    for n in range(50):
        for message in gap(n):
            cp.send_call("TransactionEvent", message)
    asked = [frame for frame in cp.frames() if frame[0] == 2]
    assert [frame[3]["transactionId"] for frame in asked] == ["t0"]
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=[2, "u1", "ClearCache", {}])
    here.clock.pump([31] * 5)
    asked = [frame[3].get("transactionId", "the command") for frame in cp.frames() if frame[0] == 2]
    assert "the command" in asked and len(asked) <= 5 and "t49" in asked
    here.dispatcher.stop()
    cp.disconnect()


def test_commands_go_before_what_the_gateway_asks_for_itself():
    """A charger that answers all but GetTransactionStatus, and whose gaps never end, gets its commands one after another."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    here.dispatcher.start()
    asked = []
    for n in range(15):
        for message in gap(n):
            cp.send_call("TransactionEvent", message)
        if n == 3:
            for command in ("ClearCache", {}), ("Reset", {"type": "Immediate"}):
                here.push_command(CpID="cp1", data=[2, command[0], *command], timeout=5)
        for _ in range(20):
            here.clock.advance(1)
            for frame in [frame for frame in cp.frames() if frame[0] == 2]:
                asked.append(frame[2])
                if frame[2] != "GetTransactionStatus":
                    cp.answer({"status": "Accepted"}, frame[1])
    first, second = asked.index("ClearCache"), asked.index("Reset")
    assert second == first + 1 and first <= 4 and asked.count("GetTransactionStatus") > 5
    here.dispatcher.stop()
    cp.disconnect()


def test_a_claim_that_takes_its_time_keeps_the_commands_turn():
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    here.dispatcher.start()
    claimed, claim = Deferred(), here.commands.claim
    here.commands.claim = lambda command, connection: claimed.addCallback(lambda _: claim(command, connection))
    here.push_command(CpID="cp1", data=[2, "u1", "ClearCache", {}])
    for message in gap(1):
        cp.send_call("TransactionEvent", message)
    assert not [frame for frame in cp.frames() if frame[0] == 2]
    claimed.callback(None)
    assert [frame[2] for frame in cp.frames()] == ["ClearCache"]
    cp.answer({"status": "Accepted"}, "u1")
    assert [frame[2] for frame in cp.frames()] == ["GetTransactionStatus"]
    here.dispatcher.stop()
    cp.disconnect()


def test_a_late_answer_to_what_the_gateway_asked_for_itself_is_no_late_response():
    """No backend knows the id."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    for message in gap(1):
        cp.send_call("TransactionEvent", message)
    (id,) = [frame[1] for frame in cp.frames() if frame[0] == 2]
    here.clock.advance(31)
    here.published()
    cp.answer({"messagesInQueue": False}, id)
    assert here.published() == [] and cp.charger.violations == 0
    cp.disconnect()


class Unencodable:
    """What a plugin's mistake may put into a verdict."""


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_a_start_whose_verdict_no_event_can_contain_is_published_all_the_same(ocpp, tidy):
    """Nothing is acknowledged without its event: the start goes on as if the handlers had failed."""

    class Broken(Handlers):
        def started(self, charger, fact):
            return Start(Authorization("Accepted", Unencodable()))

    here = InMemoryGateway(handlers=Broken(Settings()))
    cp = here.connect(ocpp=ocpp)
    if ocpp == "1.6":
        cp.call("StartTransaction", START_1)
    else:
        cp.call("TransactionEvent", gap(1)[0] | {"idToken": {"idToken": "T", "type": "Central"}})
    (event,) = [event for event in here.published() if event["event"] == "start_transaction"]
    assert event["provisional"]
    tidy.clear()
