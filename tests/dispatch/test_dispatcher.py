"""A command of the backend's ends in exactly one result, whatever becomes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred

from in_memory import START_1, in_memory
from ocpp_tw.core.commands import Claim, Invalid
from ocpp_tw.dispatch.by_http import Busy, Unanswered
from ocpp_tw.dispatch.dispatcher import PEER_MESSAGES
from ocpp_tw.facts import Registration
from ocpp_tw.handlers import Handlers
from ocpp_tw.ocpp.v16 import V16
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

START = [2, "u1", "RemoteStartTransaction", {"connectorId": 1, "idTag": "T"}]


def with_charger(**settings):
    here = in_memory(**settings)
    cp = here.connect()
    here.published()
    here.dispatcher.start()
    return here, cp


def test_a_raw_call_reaches_the_charger_as_it_was_written():
    """CONTRACT 2: member order, numbers and strings untouched, compact."""
    here, cp = with_charger()
    here.store.push(b'{"CpID":"cp1","data":[2,"u1","DataTransfer",{ "messageId" : "m\\u00e9", "vendorId":"v" }]}')
    assert cp.wire.sent[-1] == b'[2,"u1","DataTransfer",{"messageId":"m\\u00e9","vendorId":"v"}]'


def test_a_command_by_http_cannot_name_a_gateway_that_is_to_be_told():
    """That is between gateways: it would put a message into any list of commands."""
    here, cp = with_charger()
    here.dispatcher.ask(b'{"cp_id": "cp1", "command": "clear_cache", "id": "u1", "asker": "gw-9"}')
    cp.answer({"status": "Accepted"})
    assert here.command_result()["outcome"] == "result" and not here.store.own["gw-9"]


def test_its_answer_is_the_result():
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    here.clock.advance(0.25)
    cp.answer({"status": "Accepted"})
    assert here.command_result() == {
        "charger": "cp1", "id": "u1", "action": "RemoteStartTransaction", "outcome": "result", "status": "Accepted",
        "payload": {"status": "Accepted"}, "error": None, "sent": True, "latency_ms": 250, "by": None, "traceparent": None,
    }  # fmt: skip
    assert here.store.processing["gw"] == []


@pytest.mark.parametrize(
    ("command", "data", "action", "payload"),
    [
        ("remote_start_transaction", {"tag": "T", "connector_id": 1}, "RemoteStartTransaction", {"connectorId": 1, "idTag": "T"}),
        ("remote_start_transaction", {"tag": "T", "connector_id": 0}, "RemoteStartTransaction", {"idTag": "T"}),
        ("remote_stop_transaction", {"transaction_id": 5}, "RemoteStopTransaction", {"transactionId": 5}),
        ("get_configuration", {"key": ["A"]}, "GetConfiguration", {"key": ["A"]}),
        ("get_configuration", {}, "GetConfiguration", {}),
        ("change_configuration", {"key": "A", "value": "1"}, "ChangeConfiguration", {"key": "A", "value": "1"}),
        ("reset", {"type": "Hard"}, "Reset", {"type": "Hard"}),
        ("unlock_connector", {"connectorId": 1}, "UnlockConnector", {"connectorId": 1}),
    ],
)
def test_neutral_commands_are_translated(command, data, action, payload):
    here, cp = with_charger()
    here.push_command(cp_id="cp1", command=command, data=data, id="u1")
    assert json.loads(cp.wire.sent[-1]) == [2, "u1", action, payload]


def test_a_refusal_of_the_chargers_is_an_error():
    """FIELD 'CALLERROR shapes': any is taken."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp.send_text('[4,"u1","NotSupported","no","a string"]')
    result = here.command_result()
    assert result["outcome"] == "error" and result["error"] == {"code": "NotSupported", "description": "no", "details": "a string"}


@pytest.mark.parametrize(
    ("rest", "details"),
    [
        ('"x",["a",1]', ["a", 1]), ('"x",7', 7), ('["a"]', ["a"]), ('"x"', {}), ('"x",null', {}), ('"x","",{"a":1}', {"a": 1}),
        (f'"x","{"d" * 5000}"', "d" * 1000),
    ],
)  # fmt: skip
def test_the_details_of_a_refusal_are_kept_in_whatever_shape(rest, details):
    """FIELD 'CALLERROR shapes'."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp.send_text(f'[4,"u1","GenericError",{rest}]')
    assert here.command_result()["error"]["details"] == details


def test_a_refusal_without_the_calls_id_is_one_too():
    """FIELD: EVerest answers an unknown action with the id "-1"."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp.send_text('[4,"-1","GenericError","",{}]')
    assert here.command_result()["outcome"] == "error"


def test_no_answer_in_time_is_a_timeout_and_a_late_one_is_told_as_that():
    """R8, FIELD 12."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START, timeout=5)
    here.clock.advance(5.1)
    assert here.command_result()["outcome"] == "timeout"
    cp.answer({"status": "Accepted"}, "u1")
    (late,) = here.published()
    assert late["event"] == "late_response" and late["data"]["id"] == "u1" and late["data"]["payload"] == {"status": "Accepted"}


def test_one_command_at_a_time_is_asked():
    """R6: and the clock of the second starts when it is sent."""
    here, cp = with_charger()
    for n in range(3):
        here.push_command(CpID="cp1", data=[2, f"u{n}", "ClearCache", {}], timeout=10)
    assert len(cp.frames()) == 1
    here.clock.advance(9)
    cp.answer({"status": "Accepted"}, "u0")
    assert len(cp.frames()) == 1
    here.clock.advance(9)
    cp.answer({"status": "Accepted"}, "u1")
    cp.answer({"status": "Accepted"}, "u2")
    assert [event["data"]["outcome"] for event in here.published()] == ["result"] * 3


def test_the_chargers_own_messages_are_served_meanwhile():
    """R6, FIELD 11: crossing CALLs are normal."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    cp.frames()
    cp.call("Heartbeat")


def test_other_chargers_wait_for_nobody():
    here, _ = with_charger()
    other = here.connect("cp2")
    here.push_command(CpID="cp1", data=START)
    here.push_command(CpID="cp2", data=[2, "u2", "ClearCache", {}])
    assert len(other.frames()) == 1


def test_the_connections_end_is_the_commands_end():
    """FIELD 12: at once, not after the time-out."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    here.push_command(CpID="cp1", data=[2, "u2", "ClearCache", {}])
    cp.disconnect()
    results = [event["data"] for event in here.published() if event["event"] == "command_result"]
    assert [(each["id"], each["outcome"], each["sent"]) for each in results] == [("u1", "connection_lost", True), ("u2", "offline", False)]
    again = here.connect()
    here.push_command(CpID="cp1", data=[2, "u2", "ClearCache", {}])  # it was never sent: it may be tried again
    assert len(again.frames()) == 1


def test_a_charger_that_is_not_there_is_offline():
    """F32."""
    here = in_memory()
    here.dispatcher.start()
    here.push_command(CpID="nobody", data=START)
    result = here.command_result()
    assert (result["outcome"], result["sent"], result["id"]) == ("offline", False, "u1")


def test_a_command_waits_for_its_charger_as_long_as_it_says():
    """CONTRACT 2: ttl."""
    here = in_memory()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=START, ttl=60)
    here.push_command(CpID="cp2", data=START, ttl=10)
    here.clock.advance(11)
    assert here.command_result()["outcome"] == "expired"
    cp = here.connect("cp1")
    assert json.loads(cp.wire.sent[0])[:2] == [2, "u1"]
    cp.answer({"status": "Accepted"})
    assert here.command_result()["outcome"] == "result"
    assert here.clock.getDelayedCalls() == []


def test_the_same_id_is_executed_once():
    """F33."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START)
    here.push_command(CpID="cp1", data=START)
    assert len(cp.frames()) == 1
    assert here.command_result()["outcome"] == "duplicate"


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"CpID": "cp1", "data": [2, "u", "NoSuch", {}]}, "is no action of OCPP 1.6"),
        ({"CpID": "cp1", "data": [2, "u", "Heartbeat", {}]}, "is not for a backend to send"),
        ({"CpID": "cp1", "data": [2, "u", "Reset", {}]}, "type"),
        ({"CpID": "cp1", "data": [2, "u", "Reset", {"type": "Medium"}]}, "type"),
        ({"CpID": "cp1", "data": [2, "u", "Reset", [1]]}, "JSON object"),
        ({"CpID": "cp1", "data": [2, "u"]}, "CALL"),
        ({"CpID": "cp1", "data": [3, "u", "Reset", {"type": "Soft"}]}, "CALL"),
        ({"cp_id": "cp1", "command": "no_such", "data": {}, "id": "u"}, "no command no_such"),
        ({"cp_id": "cp1", "command": "remote_start_transaction", "data": {}, "id": "u"}, "tag"),
        ({"cp_id": "cp1", "command": "get_configuration", "data": {"key": 7}, "id": "u"}, "get_configuration"),
        ({"cp_id": "cp1", "command": 7, "data": {}, "id": "u"}, "snake_case"),
        ({"CpID": "cp1", "data": [2, "u", "Reset", {"type": "Soft"}], "timeout": -1}, "timeout"),
        ({"CpID": "cp1", "data": [2, "u", "Reset", {"type": "Soft"}], "ttl": "x"}, "ttl"),
    ],
)
def test_an_invalid_command_says_why_and_nothing_is_sent(order, why):
    here, cp = with_charger()
    here.push_command(**order)
    assert cp.frames() == []
    result = here.command_result()
    assert result["outcome"] == "invalid" and why in result["error"]["description"]
    assert here.store.processing["gw"] == []


@pytest.mark.parametrize(
    "element",
    [
        b"", b"nonsense", b"[]", b"{}", b"\xff", b'{"CpID":"cp1"}', b'{"CpID":5,"data":[2,"u","Reset",{}]}',
        b'{"CpID":"cp1","data":[2,"u","Reset",{"type":"Soft"}],"reply_to":5}',
    ],
)  # fmt: skip
def test_what_nobody_can_be_told_of_is_put_aside(element):
    """CONTRACT 2: `commands:dead`."""
    here, cp = with_charger()
    here.store.push(element)
    assert len(here.store.dead) == 1 and here.store.processing["gw"] == []
    here.push_command(CpID="cp1", data=START)
    assert len(cp.frames()) == 1


def test_a_charger_that_is_not_accepted_is_not_asked():
    """B4, B5, F32."""

    class Choosy(Handlers):
        verdict = Registration("Rejected", 60)

        def boot_notification(self, charger, fact):
            return self.verdict

    handlers = Choosy(Settings())
    here = InMemoryGateway(handlers=handlers)
    cp = here.connect()
    here.dispatcher.start()
    cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    here.published()
    here.push_command(CpID="cp1", data=[2, "a", "GetConfiguration", {}])
    assert here.command_result()["outcome"] == "not_allowed"
    handlers.verdict = Registration("Pending", 60)
    cp.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
    here.published()
    here.push_command(CpID="cp1", data=START)
    assert here.command_result()["outcome"] == "not_allowed"
    here.push_command(CpID="cp1", data=[2, "b", "GetConfiguration", {}])
    assert len(cp.frames()) == 1


def test_the_result_goes_to_the_backends_own_list_as_well():
    """CONTRACT 2: reply_to."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START, reply_to="reply:7")
    cp.answer({"status": "Accepted"})
    (reply,) = here.store.replies["reply:7"]
    assert json.loads(reply)["data"]["outcome"] == "result"


def test_every_action_of_1_6_can_be_asked():
    """Every CSMS-initiated action: 19 of the core specification and 7 of the security extension, DataTransfer among them."""
    assert len(V16.csms_actions) == 26


def test_a_command_finds_the_gateway_that_has_its_charger():
    """FIELD 23: any gateway may take it."""
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    cp = second.connect()
    first.dispatcher.start()
    second.dispatcher.start()
    first.push_command(CpID="cp1", data=START)
    assert len(cp.frames()) == 1
    cp.answer({"status": "Accepted"})
    assert first.command_result()["outcome"] == "result"
    assert first.store.processing == {"gw1": [], "gw2": []}
    first.dispatcher.stop()
    second.dispatcher.stop()


def test_a_command_by_http_is_answered_wherever_the_charger_is():
    first = InMemoryGateway(Settings(name="gw1"))
    second = InMemoryGateway(Settings(name="gw2"), store=first.store)
    cp = second.connect()
    first.dispatcher.start()
    second.dispatcher.start()
    answers = []
    first.dispatcher.ask(b'{"cp_id":"cp1","command":"reset","data":{"type":"Soft"}}').addCallback(answers.append)
    cp.answer({"status": "Accepted"})
    assert answers[0]["outcome"] == "result" and answers[0]["payload"] == {"status": "Accepted"}
    assert first.command_result()["outcome"] == "result"
    first.dispatcher.stop()
    second.dispatcher.stop()
    assert first.clock.getDelayedCalls() == []


def test_a_command_by_http_that_is_none_is_refused():
    with pytest.raises(Invalid):
        in_memory().dispatcher.ask(b"{}")


@pytest.mark.parametrize("note", [b'{"event"', b'{"evict":1}', b'{"evict":"x"}', b'{"event":{}}', b'{"decided":"x","changes":7}'])
def test_word_from_another_gateway_that_makes_no_sense_is_let_go(note):
    here, cp = with_charger()
    here.store.push(note)
    assert here.store.processing["gw"] == []
    here.push_command(CpID="cp1", data=START)
    assert len(cp.frames()) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
elements = st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()) | st.fixed_dictionaries(
    {"CpID": json_values | st.just("cp1"), "data": json_values | st.just(START)},
    optional={"timeout": json_values, "ttl": json_values, "reply_to": json_values, "id": json_values, "command": json_values},
).map(lambda value: json.dumps(value).encode())  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(elements, max_size=5))
def test_whatever_is_pushed_the_loop_goes_on(pushed):
    """CONTRACT 2: malformed elements never stop the loop, and none is lost."""
    here, cp = with_charger()
    for element in pushed:
        here.store.push(element)
    cp.disconnect()
    here.clock.advance(100_000)
    results = here.published_names().count("command_result")
    notes = sum(element.startswith(PEER_MESSAGES) for element in pushed)
    assert results + len(here.store.dead) + notes == len(pushed) and here.store.processing["gw"] == []
    here.dispatcher.stop()


def test_a_stop_leaves_waiting_commands_in_hand():
    """A restart takes them up again: they are neither done nor expired."""
    here = in_memory()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=START, ttl=60)
    here.dispatcher.stop()
    assert here.published() == [] and len(here.store.processing["gw"]) == 1
    again = InMemoryGateway(store=here.store)
    again.dispatcher.start()
    assert len(again.connect().frames()) == 1
    assert here.clock.getDelayedCalls() == []


def test_more_commands_than_can_be_under_way_wait(monkeypatch):
    monkeypatch.setattr("ocpp_tw.dispatch.dispatcher.MAX_RUNNING", 2)
    here, cp = with_charger()
    for n in range(5):
        here.push_command(CpID="cp1", data=[2, f"u{n}", "ClearCache", {}])
    assert len(here.store.commands) > 0
    for n in range(5):
        here.clock.advance(0.2)
        cp.answer({"status": "Accepted"}, f"u{n}")
    assert here.published_names() == ["command_result"] * 5
    here.dispatcher.stop()


def test_a_charger_that_talks_but_answers_nothing_is_told_of():
    """FIELD 13: heartbeats, and no answer to any command."""
    here, cp = with_charger()
    for n in range(4):
        here.push_command(CpID="cp1", data=[2, f"u{n}", "ClearCache", {}], timeout=5)
        cp.send_call("Heartbeat")
        here.clock.advance(5.1)
    (event,) = [event for event in here.published() if event["event"] == "unresponsive"]
    assert event["data"] == {"charger": "cp1", "timeouts": 3}
    assert cp.charger.unresponsive
    for id in ("u9", "u10"):
        here.push_command(CpID="cp1", data=[2, id, "ClearCache", {}])
        cp.answer({"status": "Accepted"}, id)
    told = here.published()
    assert [event["event"] for event in told] == ["unresponsive", "command_result", "command_result"]
    assert told[0]["data"] == {"charger": "cp1", "timeouts": 4, "over": True}
    assert not cp.charger.unresponsive


def test_a_charger_that_says_nothing_at_all_is_not_called_unresponsive():
    """It is the pings' business."""
    here, _ = with_charger()
    for n in range(4):
        here.push_command(CpID="cp1", data=[2, f"u{n}", "ClearCache", {}], timeout=5)
        here.clock.advance(5.1)
    assert "unresponsive" not in here.published_names()


def test_a_charger_that_was_quiet_at_first_and_then_talks_without_answering_is_unresponsive():
    here, cp = with_charger()
    for n in range(5):
        here.push_command(CpID="cp1", data=[2, f"u{n}", "ClearCache", {}])
        if n == 3:
            cp.send_call("Heartbeat")
        here.clock.advance(31)
    told = [event["data"] for event in here.published() if event["event"] == "unresponsive"]
    assert [data["timeouts"] for data in told] == [4]


def test_a_client_that_hangs_up_loses_neither_the_command_nor_its_result():
    """The command is carried out, its one result is published, and its id is free for the next."""
    here, cp = with_charger()
    asked = here.dispatcher.ask(b'{"cp_id": "cp1", "command": "clear_cache", "id": "u1"}')
    call = cp.frames()[-1]
    asked.addErrback(lambda why: why.trap(CancelledError))
    asked.cancel()
    cp.answer({"status": "Accepted"}, call[1])
    assert here.command_result()["outcome"] == "result"
    results: list = []
    here.dispatcher.ask(b'{"cp_id": "cp1", "command": "clear_cache", "id": "u2"}').addCallback(results.append)
    cp.answer({"status": "Accepted"})
    assert results[0]["outcome"] == "result"


def test_of_equal_ids_asked_at_once_by_http_each_ends_in_an_event():
    """CONTRACT 2: exactly one for each."""
    here, cp = with_charger()
    answers: list = []
    for _ in range(3):
        here.dispatcher.ask(b'{"cp_id": "cp1", "command": "clear_cache", "id": "u1"}').addCallback(answers.append)
    cp.answer({"status": "Accepted"}, "u1")
    told = [event["data"] for event in here.published() if event["event"] == "command_result"]
    assert [each["outcome"] for each in told] == ["duplicate", "duplicate", "result"]
    assert answers == told and len(cp.frames()) == 1


def without_store(here: InMemoryGateway) -> list[Deferred]:
    """From now on the store answers no question; what it owes."""
    owed: list[Deferred] = []
    here.commands.claim = here.roster.locate = owing(owed)
    return owed


def full_store(here: InMemoryGateway) -> list[Deferred]:
    """From now on the store answers questions and takes nothing; the claims that it owes."""
    owed: list[Deferred] = []
    here.commands.claim = owing(owed)
    here.events.paused = True
    return owed


def owing(owed: list[Deferred]):
    """Answers nothing."""

    def never(*_):
        owed.append(Deferred())
        return owed[-1]

    return never


def asked(here: InMemoryGateway, charger: str = "cp1", id: str = "u1", **more) -> list[dict]:
    """What a command by HTTP is answered, once it is."""
    answers: list[dict] = []
    body = {"cp_id": charger, "command": "clear_cache", "id": id, **more}
    here.dispatcher.ask(json.dumps(body).encode()).addCallback(answers.append)
    return answers


@pytest.mark.parametrize("charger", ["cp1", "unknown"])
@pytest.mark.parametrize("ttl", [0, 600])
def test_a_command_by_http_ends_soon_without_the_store_and_is_never_sent(charger, ttl):
    """CONTRACT 4: nothing has been decided."""
    here, cp = with_charger()
    owed = without_store(here)
    answers = asked(here, charger, ttl=ttl)
    here.clock.advance(5.1)
    (answer,) = answers
    assert (answer["outcome"], answer["sent"], answer["error"]["code"]) == ("error", False, "unavailable")
    assert here.command_result() == answer
    for each in owed:
        if not each.called:
            each.callback(Claim("new"))
    here.clock.advance(600)
    assert cp.frames() == [] and here.published() == [] and here.clock.getDelayedCalls() == []


def test_nor_is_one_sent_late_where_the_store_answers_and_takes_no_writes():
    """Who asked has gone when there is room again."""
    here, cp = with_charger()
    full_store(here)
    answers = asked(here)
    here.clock.pump([0.5] * 8)
    assert answers == []  # it may be for a moment only
    here.clock.pump([0.5] * 3)
    (answer,) = answers
    assert (answer["outcome"], answer["sent"], answer["error"]["code"]) == ("error", False, "unavailable")
    here.events.resume()
    here.clock.advance(600)
    assert cp.frames() == [] and here.command_result() == answer and here.clock.getDelayedCalls() == []


def test_one_that_the_store_refuses_for_a_moment_is_sent():
    here, cp = with_charger()
    claims = full_store(here)
    answers = asked(here)
    here.clock.pump([0.5] * 8)
    here.events.resume()
    here.clock.pump([0.5] * 6)
    here.events.paused = True
    here.clock.pump([0.5] * 8)
    assert answers == []
    here.events.resume()
    claims[0].callback(Claim("new"))
    cp.answer({"status": "Accepted"}, "u1")
    assert answers[0]["outcome"] == "result"


def test_nor_does_one_hang_that_waits_behind_another():
    here, cp = with_charger()
    owed = without_store(here)
    here.push_command(CpID="cp1", data=START)  # it is the backend's, and waits for the store as long as it takes
    answers = [asked(here, id=f"a{n}") for n in range(3)]
    here.clock.advance(5.1)
    assert [each[0]["error"]["code"] for each in answers] == ["unavailable"] * 3
    owed[0].callback(Claim("new"))
    assert [frame[1] for frame in cp.frames()] == ["u1"]
    here.dispatcher.stop()


def test_one_that_was_sent_gets_its_answer_without_the_store():
    here, cp = with_charger()
    answers = asked(here)
    without_store(here)
    here.clock.pump([1] * 20)
    cp.answer({"status": "Accepted"}, "u1")
    assert answers[0]["outcome"] == "result" and here.clock.getDelayedCalls() == []


def test_one_that_waits_for_its_charger_or_its_turn_goes_on_while_the_store_answers():
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=START, timeout=60)
    waiting, later = asked(here, id="a1", timeout=60), asked(here, "cp2", "a2", ttl=600)
    here.clock.pump([1] * 50)
    assert waiting == later == []
    cp.answer({"status": "Accepted"}, "u1")
    cp.answer({"status": "Accepted"}, "a1")
    here.connect("cp2").answer({"status": "Accepted"}, "a2")
    assert [each[0]["outcome"] for each in (waiting, later)] == ["result", "result"]


def test_a_command_by_http_that_reaches_another_gateway_late_is_not_sent():
    """Who asked has been told that there is no result."""
    first, told = in_memory(name="gw1"), []
    second = InMemoryGateway(Settings(name="gw2"), store=first.store, clock=first.clock)
    cp = second.connect()
    first.dispatcher.start()
    second.dispatcher.start()
    first.events.paused = True
    first.dispatcher.ask(b'{"cp_id":"cp1","command":"clear_cache","id":"u1","timeout":5}').addErrback(lambda why: told.append(why.type))
    first.clock.advance(120)
    first.events.resume()
    assert told == [Unanswered] and cp.frames() == []
    assert first.command_result()["outcome"] == "expired"
    first.dispatcher.stop()
    second.dispatcher.stop()


def test_commands_by_http_that_wait_are_bounded_whether_or_not_who_asked_still_does():
    """HOSTILE: asked with a long ttl and hung up on, they would wait for a day, each in memory."""
    here = in_memory(http_commands=2)
    body = b'{"cp_id": "cp1", "command": "clear_cache", "ttl": 60, "id": "%b"}'
    for id in (b"u1", b"u2"):
        asked = here.dispatcher.ask(body % id)
        asked.addErrback(lambda why: why.trap(CancelledError))
        asked.cancel()
    with pytest.raises(Busy):
        here.dispatcher.ask(body % b"u3")
    here.clock.advance(61)
    told = []
    here.dispatcher.ask(body % b"u3").addCallback(told.append)
    here.clock.advance(61)
    assert [each["outcome"] for each in told] == ["expired"]


def test_a_remote_start_whose_client_hangs_up_takes_no_other_starts_confirmation():
    here, cp = with_charger()
    body = b'{"cp_id": "cp1", "command": "remote_start_transaction", "id": "%b", "data": {"tag": "TAG1", "connector_id": 1}}'
    asked = here.dispatcher.ask(body % b"u1")
    asked.addErrback(lambda why: why.trap(CancelledError))
    asked.cancel()
    cp.answer({"status": "Accepted"})
    here.dispatcher.ask(body % b"u2").addErrback(lambda why: None)
    here.clock.advance(31)
    cp.send_call("StartTransaction", START_1)
    followups = [event["data"] for event in here.published() if event["event"] == "command_followup"]
    assert [(data["id"], data["verdict"]) for data in followups] == [("u2", "confirmed")]


def test_an_id_by_http_is_one_chargers():
    here, cp = with_charger()
    clients, told = (cp, here.connect("cp2")), []
    for id in (b"cp1", b"cp2"):
        here.dispatcher.ask(b'{"cp_id": "%b", "command": "clear_cache", "id": "u1"}' % id).addCallback(told.append)
    assert [client.frames()[-1][2] for client in clients] == ["ClearCache", "ClearCache"]
    for client in clients:
        client.answer({"status": "Accepted"})
    assert [(each["charger"], each["outcome"]) for each in told] == [("cp1", "result"), ("cp2", "result")]
