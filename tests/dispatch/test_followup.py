"""After an unknown outcome of a remote start or stop the backend hears whether the transaction was seen."""

from __future__ import annotations

import json

import pytest

from in_memory import START_1, in_memory, stop
from ocpp_tw.core.commands import Taken, digest

START = [2, "u1", "RemoteStartTransaction", {"connectorId": 1, "idTag": "TAG1"}]
NOW = "2026-11-23T08:00:00Z"


def with_charger(ocpp="1.6"):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.published()
    here.dispatcher.start()
    return here, cp


def followups(here):
    return [event["data"] for event in here.published() if event["event"] == "command_followup"]


def lost(here, cp, how="timeout"):
    """The last command's outcome becomes unknown; the charger, on whichever connection it is then."""
    if how == "timeout":
        here.clock.advance(31)
        return cp
    cp.disconnect()
    return here.connect(ocpp=cp.charger.ocpp)


def followup(verdict, transaction, id="u1", action="RemoteStartTransaction", outcome="timeout"):
    return [{"charger": "cp1", "id": id, "action": action, "outcome": outcome, "verdict": verdict, "transaction_id": transaction}]


@pytest.mark.parametrize("how", ["timeout", "connection_lost"])
def test_a_start_that_is_seen_later_is_confirmed(how):
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp = lost(here, cp, how)
    assert followups(here) == []
    here.clock.advance(60)
    cp.send_call("StartTransaction", START_1)
    assert followups(here) == followup("confirmed", 1_000_000_001, outcome=how)
    cp.send_call("StartTransaction", START_1 | {"timestamp": "2026-11-23T09:00:00Z"})
    assert followups(here) == [] and here.clock.getDelayedCalls() == []


def test_a_start_that_was_seen_before_the_outcome_is_confirmed_with_it():
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp.send_call("StartTransaction", START_1)
    here.clock.advance(31)
    names = [event["event"] for event in here.published() if event["event"].startswith("command")]
    assert names == ["command_result", "command_followup"]
    assert here.clock.getDelayedCalls() == []


@pytest.mark.parametrize("other", [{"idTag": "TAG2"}, {"connectorId": 2}])
def test_another_start_confirms_nothing_and_the_time_refutes(other):
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp = lost(here, cp)
    cp.send_call("StartTransaction", START_1 | other)
    here.connect("cp2").send_call("StartTransaction", START_1)
    here.clock.advance(119)
    assert followups(here) == []
    here.clock.advance(2)
    assert followups(here) == followup("refuted", None)


def test_a_repeat_of_an_old_start_confirms_nothing():
    here, cp = with_charger()
    cp.send_call("StartTransaction", START_1)
    here.push_command(CpID="cp1", data=START)
    cp = lost(here, cp, "connection_lost")
    cp.send_call("StartTransaction", START_1)
    assert followups(here) == []
    here.clock.advance(121)
    assert followups(here) == followup("refuted", None, outcome="connection_lost")


def test_one_start_confirms_one_command():
    here, cp = with_charger()
    for n in (1, 2):
        here.push_command(cp_id="cp1", command="remote_start_transaction", data={"tag": "TAG1"}, id=f"u{n}")
    here.clock.advance(31)
    here.clock.advance(31)
    cp.send_call("StartTransaction", START_1)
    assert followups(here) == followup("confirmed", 1_000_000_001)
    here.clock.advance(121)
    assert followups(here) == followup("refuted", None, id="u2")


def test_nothing_is_known_of_a_charger_that_is_not_there():
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp.disconnect()
    here.clock.advance(121)
    assert followups(here) == followup("unknown", None, outcome="connection_lost")


@pytest.mark.parametrize("outcome", ["result", "error", "other"])
def test_a_known_outcome_and_any_other_command_are_not_followed(outcome):
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=[2, "u1", "ClearCache", {}] if outcome == "other" else START)
    cp.send_text('[4,"u1","GenericError","",{}]' if outcome == "error" else '[3,"u1",{"status":"Rejected"}]')
    cp.send_call("StartTransaction", START_1)
    here.clock.advance(200)
    assert followups(here) == [] and here.application.incoming.on_transaction is None


def test_while_nobody_watches_transactions_go_their_plain_way():
    here, cp = with_charger()
    assert here.application.incoming.on_transaction is None
    here.push_command(CpID="cp1", data=START)
    assert here.application.incoming.on_transaction is not None
    lost(here, cp)
    here.clock.advance(121)
    assert here.application.incoming.on_transaction is None


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [('[3,"u1",{"status":"Rejected"}]', "refuted"), ('[4,"u1","GenericError","",{}]', "refuted"), ('[3,"u1",{"status":"Accepted"}]', None)],
)
def test_a_late_refusal_decides_and_a_late_promise_does_not(answer, verdict):
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    lost(here, cp)
    cp.send_text(answer)
    assert followups(here) == (followup(verdict, None) if verdict else [])
    here.clock.advance(121)
    assert followups(here) == ([] if verdict else followup("refuted", None))


def test_a_stop_is_confirmed_by_the_end_and_refuted_while_it_goes_on():
    here, cp = with_charger()
    ids = [cp.call("StartTransaction", START_1 | {"connectorId": n})["transactionId"] for n in (1, 2)]
    for n, id in enumerate(ids):
        here.push_command(CpID="cp1", data=[2, f"s{n}", "RemoteStopTransaction", {"transactionId": id}], timeout=5)
        here.clock.advance(6)
    cp.send_call("StopTransaction", stop(ids[0]))
    assert followups(here) == followup("confirmed", ids[0], "s0", "RemoteStopTransaction")
    here.clock.advance(121)
    assert followups(here) == followup("refuted", ids[1], "s1", "RemoteStopTransaction")


def test_a_stop_of_a_transaction_that_nobody_knows_stays_unknown():
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=[2, "s", "RemoteStopTransaction", {"transactionId": 5}])
    lost(here, cp)
    here.clock.advance(121)
    assert followups(here) == followup("unknown", 5, "s", "RemoteStopTransaction")


def event_2(kind, seq, trigger, **more):
    info = {"transactionId": "T1", **more.pop("info", {})}
    return {"eventType": kind, "timestamp": NOW, "triggerReason": trigger, "seqNo": seq, "transactionInfo": info, **more}


@pytest.mark.parametrize("cable", ["first", "later"])
def test_in_2_x_a_start_is_known_by_its_id(cable):
    here, cp = with_charger("2.0.1")
    if cable == "first":
        cp.send_call("TransactionEvent", event_2("Started", 0, "CablePluggedIn", evse={"id": 1}))
    data = {"tag": "TAG1", "connector_id": 1, "remote_start_id": 77}
    here.push_command(cp_id="cp1", command="remote_start_transaction", data=data, id="u1")
    lost(here, cp)
    kind, seq = ("Updated", 1) if cable == "first" else ("Started", 0)
    said = event_2(kind, seq, "RemoteStart", info={"remoteStartId": 78}, evse={"id": 1}, idToken={"idToken": "TAG1", "type": "ISO14443"})
    cp.send_call("TransactionEvent", said)
    assert followups(here) == []
    said["seqNo"], said["transactionInfo"]["remoteStartId"] = seq + 1, 77
    said["eventType"] = "Updated"
    cp.send_call("TransactionEvent", said)
    assert followups(here) == followup("confirmed", "T1", action="RequestStartTransaction")


def test_in_2_x_a_stop_is_known_by_the_transaction():
    here, cp = with_charger("2.1")
    cp.send_call("TransactionEvent", event_2("Started", 0, "RemoteStart", evse={"id": 1}))
    here.push_command(cp_id="cp1", command="remote_stop_transaction", data={"transaction_id": "T1"}, id="u1")
    cp = lost(here, cp, "connection_lost")
    cp.send_call("TransactionEvent", event_2("Ended", 1, "RemoteStop"))
    assert followups(here) == followup("confirmed", "T1", action="RequestStopTransaction", outcome="connection_lost")


@pytest.mark.parametrize(
    ("element", "action"),
    [
        ({"CpID": "cp1", "data": START}, "RemoteStartTransaction"),
        (
            {"cp_id": "cp1", "command": "remote_start_transaction", "data": {"tag": "TAG1", "connector_id": 1}, "id": "u1"},
            "remote_start_transaction",
        ),
    ],
)
def test_what_an_earlier_run_has_sent_is_followed_as_well(element, action):
    """F14."""
    here, text = in_memory(), json.dumps(element).encode()
    here.store.processing["gw"].append(text)
    here.store.left["gw"].append(Taken(text, 5.0, True))
    here.store.tables["sent", "gw"][digest(text)] = b"1"
    here.dispatcher.start()
    here.clock.advance(20)
    here.connect().send_call("StartTransaction", START_1)
    assert followups(here) == followup("confirmed", 1_000_000_001, action=action, outcome="connection_lost")


def test_a_gateway_that_stops_says_that_it_does_not_know():
    here, cp = with_charger()
    for n in (1, 2):
        here.push_command(CpID="cp1", data=[2, f"u{n}", *START[2:]])
    here.clock.advance(31)
    here.published()
    here.dispatcher.stop()
    assert followups(here) == followup("unknown", None)
    cp.disconnect()
    assert followups(here) == followup("unknown", None, id="u2", outcome="connection_lost")
    assert here.clock.getDelayedCalls() == []
