"""The checker finds each violation: a correct history has none, and each way of breaking it is reported in its column."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chaos.checker import Checker
from chaos.findings import COLUMNS
from chaos.ledger import UNKNOWN_IDS, BackendRequest, Ledger, Message, Push

Event = dict[str, Any]


class History:
    """A start with two samples, sent by one charger, and a command; and the events that a correct gateway publishes."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.events: list[Event] = []
        self.dead_letters: list[dict[str, str]] = []
        self.in_flight: list[bytes] = []
        self.connect = self.publish("connect_charger", {})
        self.ledger.backend_requests.append(BackendRequest(1.0, "c1", "T1", "key", "good", 7))
        self.start = self.send("StartTransaction", {"meterStart": 1, "timestamp": "t1"}, transaction_id=7, tag="T1")
        self.first = self.send("MeterValues", {"meterValue": [1]})
        self.second = self.send("MeterValues", {"meterValue": [2]})
        element = '{"CpID": "c1", "data": [2, "cmd-1", "ClearCache", {}]}'
        self.push = Push("c1", "cmd-1", element, "raw", ("result", "offline"), {}, 1.0, "certain")
        self.ledger.pushes.append(self.push)
        self.ledger.executed("c1", "cmd-1", "ClearCache", {}, 1, "at once")
        self.result = self.publish("command_result", {"id": "cmd-1", "outcome": "result", "sent": True})

    def send(self, action: str, payload: dict[str, Any], **data: Any) -> Message:
        message = Message("c1", action, payload, True)
        sending = self.ledger.sent(message, 1, f"m{len(self.events)}")
        sending.answered = self.ledger.now
        if "transaction_id" in data:
            message.transaction_ids.append(data["transaction_id"])
        self.publish(message.expected_events[0], data, action=action, message_id=sending.id, payload=payload)
        return message

    def publish(self, name: str, data: dict[str, Any], **more: Any) -> Event:
        event = {"event": name, "data": {"charger": "c1", **data}, "id": f"e{len(self.events)}", "time": "2026-11-23T10:00:00.000Z", **more}
        self.events.append(event)
        return event

    def duplicate(self, place: int) -> None:
        """Duplicate the event at this place, under another id."""
        self.events.insert(place + 1, {**self.events[place], "id": "another"})

    def violations(self, numbered: bool = True, **more: Any) -> dict[str, int]:
        if numbered:
            for seq, event in enumerate(self.events, 1):
                event["seq"] = seq
        checker = Checker(
            self.ledger,
            [json.dumps(each).encode() for each in self.events],
            dead_letters=[json.dumps(each).encode() for each in self.dead_letters],
            in_flight=self.in_flight,
            **more,
        )
        findings = checker.check()
        return {column: findings.column(column) for column in COLUMNS if findings.column(column)}


def test_a_correct_history_has_no_violations():
    history = History()
    assert history.violations() == {}


def test_a_repeated_message_may_have_a_second_event_if_it_is_no_start_or_stop():
    history = History()
    history.ledger.sent(history.first, 2, "m9")
    history.events.insert(4, {**history.events[2], "id": "another", "message_id": "m9"})
    assert history.violations() == {}


def test_the_event_of_an_unacknowledged_message_may_be_missing():
    history = History()
    history.second.sendings[0].answered = 0.0
    del history.events[3]
    assert history.violations() == {}


def lost(history: History) -> None:
    del history.events[2]


def two_events_of_a_start(history: History) -> None:
    history.ledger.sent(history.start, 2, "m9")
    history.duplicate(1)


def two_events_of_a_message_that_was_sent_once(history: History) -> None:
    history.duplicate(2)


def two_transaction_ids(history: History) -> None:
    history.start.transaction_ids.append(8)


def another_transaction_id_in_the_event(history: History) -> None:
    history.events[1]["data"]["transaction_id"] = 9
    history.ledger.backend_requests.append(BackendRequest(1.0, "c1", "T1", "key", "good", 9))


def one_transaction_id_for_two_starts(history: History) -> None:
    history.send("StartTransaction", {"meterStart": 2}, transaction_id=7, tag="T1")


def an_id_that_the_backend_never_gave(history: History) -> None:
    history.ledger.backend_requests[0].id = 6


def two_keys_for_one_start(history: History) -> None:
    history.ledger.backend_requests.append(BackendRequest(1.0, "c1", "T1", "another key", "good", 7))


def reconciled_but_never_provisional(history: History) -> None:
    history.publish("transaction_reconciled", {"transaction_id": 7, "backend_id": 7})


def reconciled_twice(history: History) -> None:
    history.events[1]["provisional"] = True
    for _ in range(2):
        history.publish("transaction_reconciled", {"transaction_id": 7, "backend_id": 7})


def followup_of_an_unknown_command(history: History) -> None:
    history.publish("command_followup", {"id": "cmd-9", "verdict": "confirmed"})


def inversion(history: History) -> None:
    history.events[2], history.events[3] = history.events[3], history.events[2]


def event_of_a_message_never_sent(history: History) -> None:
    history.publish("meter_value", {}, action="MeterValues", message_id="m9", payload={"meterValue": [3]})


def changed_payload(history: History) -> None:
    history.second.sendings[0].answered = 0.0
    history.events[3]["payload"] = {"meterValue": [2.5]}


def impossible_gateway_event(history: History) -> None:
    history.publish("seq_gap", {"missing": [3]})


def result_of_an_unknown_command(history: History) -> None:
    history.publish("command_result", {"id": "cmd-9", "outcome": "offline"})


def never_executed(history: History) -> None:
    history.ledger.executions.clear()


def execution_of_a_command_never_pushed(history: History) -> None:
    history.ledger.executed("c1", "cmd-9", "ClearCache", {}, 1, "at once")


def no_result(history: History) -> None:
    history.events.remove(history.result)


def two_results(history: History) -> None:
    history.duplicate(len(history.events) - 1)


def executed_but_reported_as_not_sent(history: History) -> None:
    history.result["data"]["outcome"] = "offline"


def still_in_flight(history: History) -> None:
    history.in_flight.append(b"{}")


def unexpected_dead_letter(history: History) -> None:
    history.dead_letters.append({"element": "{}"})


def missing_dead_letter(history: History) -> None:
    history.ledger.pushes.append(Push("", "", "{", "unreadable", ("dead",), state="certain"))


def executed_twice(history: History) -> None:
    history.ledger.executed("c1", "cmd-1", "ClearCache", {}, 2, "at once")


def a_callerror(history: History) -> None:
    history.start.refusals.append("InternalError")


def a_failure_of_the_harness(history: History) -> None:
    history.ledger.report_failure("the gateway ended with status 1")


VIOLATIONS: list[tuple[Callable[[History], None], str]] = [
    (lost, "lost"),
    (two_events_of_a_start, "two ids for one message"),
    (two_events_of_a_message_that_was_sent_once, "two ids for one message"),
    (two_transaction_ids, "two ids for one message"),
    (another_transaction_id_in_the_event, "two ids for one message"),
    (one_transaction_id_for_two_starts, "two ids for one message"),
    (reconciled_twice, "two ids for one message"),
    (inversion, "inversions"),
    (event_of_a_message_never_sent, "phantoms"),
    (changed_payload, "phantoms"),
    (impossible_gateway_event, "phantoms"),
    (result_of_an_unknown_command, "phantoms"),
    (an_id_that_the_backend_never_gave, "phantoms"),
    (reconciled_but_never_provisional, "phantoms"),
    (followup_of_an_unknown_command, "phantoms"),
    (never_executed, "phantoms"),
    (execution_of_a_command_never_pushed, "phantoms"),
    (no_result, "commands without exactly one result"),
    (two_results, "commands without exactly one result"),
    (executed_but_reported_as_not_sent, "commands without exactly one result"),
    (still_in_flight, "commands without exactly one result"),
    (unexpected_dead_letter, "commands without exactly one result"),
    (missing_dead_letter, "commands without exactly one result"),
    (executed_twice, "commands executed twice"),
    (two_keys_for_one_start, "other"),
    (a_callerror, "other"),
    (a_failure_of_the_harness, "other"),
]


@pytest.mark.parametrize(("violate", "column"), VIOLATIONS, ids=[violate.__name__ for violate, _ in VIOLATIONS])
def test_each_violation_is_reported_in_its_column(violate, column):
    history = History()
    violate(history)
    assert history.violations() == {column: 1}


def test_a_missing_seq_is_a_gap():
    history = History()
    history.violations()
    history.events[-1]["seq"] += 1
    assert history.violations(numbered=False) == {"gaps": 1}


def test_an_unsure_push_may_have_no_effect():
    history = History()
    history.push.state = "unsure"
    history.ledger.executions.clear()
    history.events.remove(history.result)
    assert history.violations() == {}


def test_only_events_of_a_damaged_spool_may_be_missing():
    history = History()
    lost(history)
    impossible_gateway_event(history)
    assert history.violations() == {"lost": 1, "phantoms": 1}
    assert history.violations(damage=["the spool was damaged"]) == {}
    two_events_of_a_start(history)
    assert history.violations(damage=["the spool was damaged"]) == {"two ids for one message": 1}


# what chargers and askers do beside plain sessions


def transaction_event(seq_no: int, stamp: str) -> dict[str, Any]:
    return {"eventType": "Updated", "timestamp": stamp, "seqNo": seq_no, "transactionInfo": {"transactionId": "t"}}


def test_numbers_that_were_left_out_may_be_told_and_others_may_not():
    for numbers, found in (((0, 1, 4), {}), ((0, 1, 4, 0, 2, 3, 4), {}), ((0, 1, 2), {"phantoms": 1})):
        history = History()
        for place, seq_no in enumerate(numbers):
            last = history.send("TransactionEvent", transaction_event(seq_no, f"s{place}"))
        history.publish("seq_gap", {"missing": [2, 3]}, action="TransactionEvent", message_id="m", payload=last.payload)
        assert history.violations() == found


def test_a_conflict_is_one_of_two_messages_with_one_number():
    for seq_no, found in ((0, {}), (1, {"phantoms": 1})):
        history = History()
        history.send("TransactionEvent", transaction_event(0, "s0"))
        history.send("TransactionEvent", transaction_event(seq_no, "s1"))
        history.events[-1]["conflict"] = True
        assert history.violations() == found


def test_a_stop_of_an_unknown_start_has_none():
    for match, found in (("none", {}), ("by_connector", {}), ("exact", {"phantoms": 1})):
        history = History()
        history.send("StopTransaction", {"transactionId": UNKNOWN_IDS, "meterStop": 3}, match=match)
        assert history.violations() == found


def test_a_command_by_http_may_be_lost_with_the_gateway_only():
    for crashes, found in (([], {"commands without exactly one result": 1}), ([5.0], {})):
        history = History()
        history.push.kind, history.ledger.crashes = "HTTP", crashes
        history.events.remove(history.result)
        assert history.violations() == found
