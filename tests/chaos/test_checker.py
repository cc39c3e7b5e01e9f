"""The checker finds what it is there to find: a history that is in order has nothing, and each way of breaking it has its column."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chaos.checker import Checker
from chaos.evidence import COLUMNS
from chaos.ledger import Asked, Ledger, Message, Push

Event = dict[str, Any]


class History:
    """A start with two samples, sent by one charger, and a command; and the events that a good gateway tells of it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.events: list[Event] = []
        self.graves: list[dict[str, str]] = []
        self.in_hand: list[bytes] = []
        self.connect = self.tell("connect_charger", {})
        self.ledger.asked.append(Asked(1.0, "c1", "T1", "key", "good", 7))
        self.start = self.say("StartTransaction", {"meterStart": 1, "timestamp": "t1"}, transaction_id=7, tag="T1")
        self.first = self.say("MeterValues", {"meterValue": [1]})
        self.second = self.say("MeterValues", {"meterValue": [2]})
        element = '{"CpID": "c1", "data": [2, "cmd-1", "ClearCache", {}]}'
        self.push = Push("c1", "cmd-1", element, "raw", ("result", "offline"), {}, 1.0, "certain")
        self.ledger.pushes.append(self.push)
        self.ledger.did("c1", "cmd-1", "ClearCache", {}, 1, "at once")
        self.result = self.tell("command_result", {"id": "cmd-1", "outcome": "result", "sent": True})

    def say(self, action: str, payload: dict[str, Any], **data: Any) -> Message:
        message = Message("c1", action, payload, True)
        sending = self.ledger.sent(message, 1, f"m{len(self.events)}")
        sending.answered = self.ledger.now
        if "transaction_id" in data:
            message.transaction_ids.append(data["transaction_id"])
        self.tell(message.told[0], data, action=action, message_id=sending.id, payload=payload)
        return message

    def tell(self, name: str, data: dict[str, Any], **more: Any) -> Event:
        event = {"event": name, "data": {"charger": "c1", **data}, "id": f"e{len(self.events)}", "time": "2026-11-23T10:00:00.000Z", **more}
        self.events.append(event)
        return event

    def again(self, place: int) -> None:
        """The same once more, under another id."""
        self.events.insert(place + 1, {**self.events[place], "id": "another"})

    def found(self, numbered: bool = True, **more: Any) -> dict[str, int]:
        if numbered:
            for seq, event in enumerate(self.events, 1):
                event["seq"] = seq
        checker = Checker(
            self.ledger,
            [json.dumps(each).encode() for each in self.events],
            graves=[json.dumps(each).encode() for each in self.graves],
            in_hand=self.in_hand,
            **more,
        )
        findings = checker.check()
        return {column: findings.column(column) for column in COLUMNS if findings.column(column)}


def test_nothing_is_found_where_nothing_is_wrong():
    history = History()
    assert history.found() == {}


def test_a_message_that_was_sent_again_may_be_told_again_if_it_is_no_start_or_stop():
    history = History()
    history.ledger.sent(history.first, 2, "m9")
    history.events.insert(4, {**history.events[2], "id": "another", "message_id": "m9"})
    assert history.found() == {}


def test_what_was_not_acknowledged_may_be_missing():
    history = History()
    history.second.sendings[0].answered = 0.0
    del history.events[3]
    assert history.found() == {}


def lost(history: History) -> None:
    del history.events[2]


def two_events_of_a_start(history: History) -> None:
    history.ledger.sent(history.start, 2, "m9")
    history.again(1)


def two_events_of_a_message_that_was_sent_once(history: History) -> None:
    history.again(2)


def two_transaction_ids(history: History) -> None:
    history.start.transaction_ids.append(8)


def another_transaction_id_in_the_event(history: History) -> None:
    history.events[1]["data"]["transaction_id"] = 9
    history.ledger.asked.append(Asked(1.0, "c1", "T1", "key", "good", 9))


def one_transaction_id_for_two_starts(history: History) -> None:
    history.say("StartTransaction", {"meterStart": 2}, transaction_id=7, tag="T1")


def an_id_that_the_backend_never_gave(history: History) -> None:
    history.ledger.asked[0].id = 6


def two_keys_for_one_start(history: History) -> None:
    history.ledger.asked.append(Asked(1.0, "c1", "T1", "another key", "good", 7))


def reconciled_but_never_provisional(history: History) -> None:
    history.tell("transaction_reconciled", {"transaction_id": 7, "backend_id": 7})


def reconciled_twice(history: History) -> None:
    history.events[1]["provisional"] = True
    for _ in range(2):
        history.tell("transaction_reconciled", {"transaction_id": 7, "backend_id": 7})


def a_followup_of_nothing(history: History) -> None:
    history.tell("command_followup", {"id": "cmd-9", "verdict": "confirmed"})


def inversion(history: History) -> None:
    history.events[2], history.events[3] = history.events[3], history.events[2]


def nobody_sent_it(history: History) -> None:
    history.tell("meter_value", {}, action="MeterValues", message_id="m9", payload={"meterValue": [3]})


def it_was_changed(history: History) -> None:
    history.second.sendings[0].answered = 0.0
    history.events[3]["payload"] = {"meterValue": [2.5]}


def an_event_of_the_gateways_own_that_cannot_be(history: History) -> None:
    history.tell("seq_gap", {"missing": [3]})


def a_result_of_nothing(history: History) -> None:
    history.tell("command_result", {"id": "cmd-9", "outcome": "offline"})


def never_done(history: History) -> None:
    history.ledger.executions.clear()


def nobody_ordered_it(history: History) -> None:
    history.ledger.did("c1", "cmd-9", "ClearCache", {}, 1, "at once")


def no_result(history: History) -> None:
    history.events.remove(history.result)


def two_results(history: History) -> None:
    history.again(len(history.events) - 1)


def done_but_not_told_so(history: History) -> None:
    history.result["data"]["outcome"] = "offline"


def still_in_hand(history: History) -> None:
    history.in_hand.append(b"{}")


def buried(history: History) -> None:
    history.graves.append({"element": "{}"})


def never_buried(history: History) -> None:
    history.ledger.pushes.append(Push("", "", "{", "unreadable", ("dead",), state="certain"))


def done_twice(history: History) -> None:
    history.ledger.did("c1", "cmd-1", "ClearCache", {}, 2, "at once")


def a_callerror(history: History) -> None:
    history.start.refusals.append("InternalError")


def a_complaint(history: History) -> None:
    history.ledger.complain("the gateway ended with status 1")


WRONG: list[tuple[Callable[[History], None], str]] = [
    (lost, "lost"),
    (two_events_of_a_start, "two ids for one message"),
    (two_events_of_a_message_that_was_sent_once, "two ids for one message"),
    (two_transaction_ids, "two ids for one message"),
    (another_transaction_id_in_the_event, "two ids for one message"),
    (one_transaction_id_for_two_starts, "two ids for one message"),
    (reconciled_twice, "two ids for one message"),
    (inversion, "inversions"),
    (nobody_sent_it, "phantoms"),
    (it_was_changed, "phantoms"),
    (an_event_of_the_gateways_own_that_cannot_be, "phantoms"),
    (a_result_of_nothing, "phantoms"),
    (an_id_that_the_backend_never_gave, "phantoms"),
    (reconciled_but_never_provisional, "phantoms"),
    (a_followup_of_nothing, "phantoms"),
    (never_done, "phantoms"),
    (nobody_ordered_it, "phantoms"),
    (no_result, "commands without exactly one result"),
    (two_results, "commands without exactly one result"),
    (done_but_not_told_so, "commands without exactly one result"),
    (still_in_hand, "commands without exactly one result"),
    (buried, "commands without exactly one result"),
    (never_buried, "commands without exactly one result"),
    (done_twice, "commands executed twice"),
    (two_keys_for_one_start, "other"),
    (a_callerror, "other"),
    (a_complaint, "other"),
]


@pytest.mark.parametrize(("wrong", "column"), WRONG, ids=[wrong.__name__ for wrong, _ in WRONG])
def test_each_wrong_is_found_in_its_column(wrong, column):
    history = History()
    wrong(history)
    assert history.found() == {column: 1}


def test_a_number_that_is_left_out_is_a_gap():
    history = History()
    history.found()
    history.events[-1]["seq"] += 1
    assert history.found(numbered=False) == {"gaps": 1}


def test_an_unsure_push_may_have_come_to_nothing():
    history = History()
    history.push.state = "unsure"
    history.ledger.executions.clear()
    history.events.remove(history.result)
    assert history.found() == {}


def test_what_was_in_a_damaged_spool_may_be_missing_and_nothing_else():
    history = History()
    lost(history)
    an_event_of_the_gateways_own_that_cannot_be(history)
    assert history.found() == {"lost": 1, "phantoms": 1}
    assert history.found(damage=["the spool was damaged"]) == {}
    two_events_of_a_start(history)
    assert history.found(damage=["the spool was damaged"]) == {"two ids for one message": 1}
