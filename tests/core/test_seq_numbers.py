"""The numbers of a 2.x transaction's messages: repeats are known by content, whatever a charger does with its counter."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in_memory import in_memory
from ocpp_tw.core.ledger import Ledger
from ocpp_tw.core.transaction import EARLIER, GAPS, MISSING_NAMED, RECENT, Transaction, count, named
from ocpp_tw.facts import Authorization
from ocpp_tw.handlers import Handlers
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

VERSIONS = pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
TOKEN = {"idToken": {"idToken": "TAG1", "type": "ISO14443"}}


def event(kind: str, seq: int, minute: int = 0, wh: int | None = None, context: str = "Sample.Periodic", **more: Any) -> dict[str, Any]:
    time = f"2026-11-23T08:{minute:02d}:00Z"
    meter = {} if wh is None else {"meterValue": [{"timestamp": time, "sampledValue": [{"value": wh, "context": context}]}]}
    payload = {"eventType": kind, "timestamp": time, "triggerReason": "Trigger", "seqNo": seq, "transactionInfo": {"transactionId": "t1"}}
    return payload | meter | more


def transaction(**fields: Any) -> Transaction:
    return Transaction("t1", 1, "TAG1", 0, "2026-11-23T08:00:00Z", Authorization(), **fields)


# numbers far away


@VERSIONS
@pytest.mark.parametrize("numbers", [(0, 20_000_000), (0, 1_795_900_000), (2_000_000_000, 0), (5, -2_000_000_000)])
def test_a_far_number_costs_no_time_and_no_memory(ocpp, numbers):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    first, second = numbers
    cp.call("TransactionEvent", event("Started", first))
    here.published()
    tracemalloc.start()
    cp.send_call("TransactionEvent", event("Updated", second, 1))
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 1_000_000
    (gap,) = [each["data"] for each in here.published() if each["event"] == "seq_gap"]
    assert gap["count"] == abs(first - second) - 1
    assert len(gap["missing"]) == MISSING_NAMED and gap["missing"][0] == min(numbers) + 1
    cp.send_call("TransactionEvent", event("Ended", max(numbers) + 1, 2))
    (stop,) = [each["data"] for each in here.published() if each["event"] == "stop_transaction"]
    assert len(stop["missing"]) == MISSING_NAMED


def test_what_is_remembered_of_gaps_is_bounded():
    noted = transaction()
    for n in range(10 * GAPS):
        noted.note(2 * n, n)
    assert len(noted.gaps) == GAPS and noted.gaps[-1] == (20 * GAPS - 3, 20 * GAPS - 3)


def test_a_message_that_was_missing_closes_its_part_of_the_gap():
    noted = transaction()
    noted.note(0, 1)
    assert noted.note(10, 2) == (1, 9)
    for seq_no, gaps in ((5, [(1, 4), (6, 9)]), (1, [(2, 4), (6, 9)]), (9, [(2, 4), (6, 8)]), (2, [(3, 4), (6, 8)])):
        assert noted.note(seq_no, seq_no) is None
        assert noted.gaps == gaps
    assert (named(noted.gaps), count(noted.gaps)) == ([3, 4, 6, 7, 8], 5)


# repeats and conflicts


@VERSIONS
def test_a_queue_longer_than_what_is_remembered_is_not_swallowed(ocpp):
    """Messages before the last 200 missing ones were taken for seen: 299 of 499 lost."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0))
    cp.send_call("TransactionEvent", event("Updated", 500, 59))
    cp.frames()
    here.published()
    for seq in range(1, 500):
        cp.send_call(
            "TransactionEvent",
            event("Updated", seq, seq % 60, info=None, offline=True)
            | {"transactionInfo": {"transactionId": "t1", "timeSpentCharging": seq}},
        )
    assert here.published_names().count("transaction_update") == 499


class Blocked(Handlers):
    """The first start is accepted, whatever comes later is blocked."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.asked: list[str] = []

    def started(self, charger, fact):
        self.asked.append(fact.tag)
        verdict = super().started(charger, fact)
        return verdict if len(self.asked) == 1 else msgspec.structs.replace(verdict, authorization=Authorization("Blocked"))

    def updated(self, charger, fact):
        self.asked.append(fact.tag or "")
        return Authorization("Blocked") if fact.tag else None


@VERSIONS
def test_a_rebooted_charger_that_uses_an_id_again_has_a_transaction_of_its_own(ocpp):
    """A whole session under an old id: its tag is verified, its energy is its own, and all of it is published."""
    handlers = Blocked()
    here = InMemoryGateway(handlers=handlers)
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN))
    cp.call("TransactionEvent", event("Ended", 1, 10, 2000, "Transaction.End"))
    here.published()
    again = event("Started", 0, 30, 5000, "Transaction.Begin", idToken={"idToken": "BAD", "type": "ISO14443"})
    assert cp.call("TransactionEvent", again) == {"idTokenInfo": {"status": "Blocked"}}
    assert cp.call("TransactionEvent", again) == {"idTokenInfo": {"status": "Blocked"}}, "and that is a repeat"
    cp.call("TransactionEvent", event("Ended", 1, 40, 5300, "Transaction.End"))
    assert handlers.asked == ["TAG1", "BAD"]
    published = here.published()
    assert [each["event"] for each in published] == ["start_transaction", "meter_value", "meter_value", "stop_transaction"]
    assert published[0]["conflict"] and (published[-1]["data"]["energy_wh"], published[-1]["data"]["duration_s"]) == (300, 600)


@VERSIONS
@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize("sessions", [2, 3])
def test_a_late_repeat_of_a_transaction_that_had_the_id_before_changes_nothing(ocpp, late, sessions):
    """It neither replaces, nor ends, nor counts for the one that has the id now; also after a restart."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)

    def session(number: int) -> list[dict[str, Any]]:
        minute, wh = 10 * number, 1000 * number
        return [
            event("Started", 0, minute, wh, "Transaction.Begin", **TOKEN),
            event("Updated", 1, minute + 1, wh + 100),
            event("Ended", 7, minute + 2, wh + 200, "Transaction.End"),
        ]

    for number in range(1, sessions):
        for message in session(number):
            cp.send_call("TransactionEvent", message)
    start, update, end = session(sessions)
    cp.send_call("TransactionEvent", start)
    cp = InMemoryGateway(store=here.store).connect(ocpp=ocpp)
    here.published()
    cp.send_call("TransactionEvent", session(1)[late])
    assert here.published() == []
    assert [each.tag for each in cp.charger.ledger.running] == ["TAG1"]
    cp.send_call("TransactionEvent", update)
    cp.send_call("TransactionEvent", end)
    stop = here.published()[-1]
    assert stop["event"] == "stop_transaction" and "duplicate" not in stop
    assert (stop["data"]["energy_wh"], stop["data"]["duration_s"]) == (200, 120)


def test_what_is_remembered_of_transactions_that_had_an_id_before_is_bounded():
    ledger = Ledger()
    for n in range(10 * EARLIER):
        noted = ledger.enter("t1") if n == 0 else ledger.renew("t1")
        noted.note(0, n)
    assert len(noted.earlier) == EARLIER


@VERSIONS
def test_messages_without_a_time_are_told_though_one_of_a_transaction_before_was_equal(ocpp):
    """A charger without a clock that uses an id again may say the same again."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    update = {name: member for name, member in event("Updated", 1).items() if name != "timestamp"}
    for minute in (0, 10):
        cp.call("TransactionEvent", event("Started", 0, minute, 1000 + minute, "Transaction.Begin"))
        cp.call("TransactionEvent", update)
    assert here.published_names().count("transaction_update") == 2


@VERSIONS
def test_a_clock_that_begins_anew_makes_no_start_a_repeat_of_one_before_the_last(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    for tag in ("TAG1", "TAG2", "TAG1", "TAG2"):
        start = event("Started", 0, idToken={"idToken": tag, "type": "ISO14443"}) | {"timestamp": "1970-01-01T00:00:05Z"}
        cp.call("TransactionEvent", start)
        cp.call("TransactionEvent", event("Ended", 1) | {"timestamp": "1970-01-01T00:01:00Z"})
    assert here.published_names().count("start_transaction") == 4


@VERSIONS
def test_the_time_of_a_reading_is_remembered_only_if_it_is_one(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Updated", 1, 1, 1500) | {"timestamp": "x" * 200})
    (stored,) = here.store.tables["transactions", "cp1"].values()
    assert len(stored) < 1000


@VERSIONS
def test_numbers_from_the_beginning_inside_a_running_transaction(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN))
    for seq in (1, 2, 3):
        cp.call("TransactionEvent", event("Updated", seq, seq, 1000 + 100 * seq))
    here.published()
    for seq in (0, 1, 2):
        cp.call("TransactionEvent", event("Updated", seq, 10 + seq, 2000 + 100 * seq))
    cp.call("TransactionEvent", event("Ended", 3, 14))
    published = here.published()
    assert [each.get("conflict", False) for each in published if each["event"] == "transaction_update"] == [True, True, True]
    (stop,) = [each for each in published if each["event"] == "stop_transaction"]
    assert stop["conflict"] and stop["data"]["energy_wh"] == 1200


@VERSIONS
def test_numbers_from_the_beginning_after_more_messages_than_are_remembered(ocpp):
    """What is remembered of a message's content is forgotten before its number is."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN))
    for seq in range(1, 30):
        cp.call("TransactionEvent", event("Updated", seq, seq, 1000 + seq))
    assert not any(each.get("conflict") for each in here.published())
    for seq in range(3):
        cp.call("TransactionEvent", event("Updated", seq, 30 + seq, 2000 + seq))
    cp.call("TransactionEvent", event("Ended", 3, 40))
    published = [each for each in here.published() if each["event"] != "meter_value"]
    assert [each["conflict"] for each in published] == [True] * 4
    assert published[-1]["data"]["energy_wh"] == 1002


@VERSIONS
def test_a_repeat_of_what_is_forgotten_is_marked_and_changes_nothing(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN))
    for seq in range(1, 30):
        cp.call("TransactionEvent", event("Updated", seq, seq, 1000 + seq))
    here.published()
    for seq in range(30):  # the whole queue once more
        cp.call(
            "TransactionEvent",
            event("Updated", seq, seq, 1000 + seq) if seq else event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN),
        )
    told = [each for each in here.published() if each["event"] != "meter_value"]
    assert [each["data"]["seq_no"] for each in told] == list(range(1, 1 + len(told))) and all(each["conflict"] for each in told)
    cp.call("TransactionEvent", event("Ended", 30, 40))
    assert here.published()[-1]["data"]["energy_wh"] == 29


@VERSIONS
def test_a_message_whose_absence_is_forgotten_is_no_conflict(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    for seq in range(0, 3 * GAPS, 2):
        cp.send_call("TransactionEvent", event("Updated", seq, seq % 60))
    cp.frames()
    here.published()
    for seq in (1, 3, 2 * GAPS + 1):
        cp.send_call("TransactionEvent", event("Updated", seq, seq % 60))
    cp.send_call("TransactionEvent", event("Updated", 2 * GAPS, 59))
    assert [each.get("conflict", False) for each in here.published() if each["event"] == "transaction_update"] == [False] * 3 + [True]


@VERSIONS
def test_a_charger_whose_number_is_always_the_same_loses_nothing(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN))
    for minute in (1, 2, 2, 3):  # one of them is sent twice
        cp.call("TransactionEvent", event("Updated", 0, minute, 1000 + minute))
    cp.call("TransactionEvent", event("Ended", 0, 4, 1500, "Transaction.End"))
    names = here.published_names()
    assert (names.count("transaction_update"), names.count("stop_transaction")) == (3, 1)
    assert cp.charger.ledger.running == []


@VERSIONS
def test_an_end_with_the_number_of_the_last_update_ends_the_transaction(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    cp.call("TransactionEvent", event("Updated", 1, 1, 1100))
    end = event("Ended", 1, 2, 1200, "Transaction.End")
    cp.call("TransactionEvent", end)
    cp.call("TransactionEvent", end)
    stops = [each for each in here.published() if each["event"] == "stop_transaction"]
    assert len(stops) == 1 and stops[0]["conflict"] and stops[0]["data"]["energy_wh"] == 200
    assert cp.charger.ledger.running == []


@VERSIONS
def test_a_repeat_may_say_that_it_was_sent_offline(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0))
    update = event("Updated", 1, 1)
    cp.call("TransactionEvent", update)
    here.published()
    for offline in (True, False, "true"):
        cp.call("TransactionEvent", update | {"offline": offline})
    assert here.published() == []


@VERSIONS
@pytest.mark.parametrize("kind", ["Started", "Updated", "Ended"])
@pytest.mark.parametrize(
    "more",
    [
        {"customData": {"vendorId": "com.example", "blocked": True}},
        {"transactionInfo": {"transactionId": "t1", "timeSpentCharging": 60}},
        {"cableMaxCurrent": 32},
        {"numberOfPhasesUsed": 1},
    ],
)
def test_a_message_that_differs_in_any_member_is_no_repeat(ocpp, kind, more):
    """Also in those of which no event says anything but in its `payload`."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    first = event(kind, 1, 1, 1500)
    cp.call("TransactionEvent", first)
    (told,) = [each for each in here.published() if each["event"].endswith(("_transaction", "_update"))]
    for _ in range(2):  # and that one is known again
        cp.call("TransactionEvent", first | more)
    (again,) = [each for each in here.published() if each["event"] == told["event"]]
    assert again["payload"] == first | more and again["conflict"] and "conflict" not in told


@VERSIONS
def test_a_start_that_differs_in_nothing_that_tells_starts_apart_goes_on_with_its_transaction(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    start = event("Started", 0, 0, 1000, "Transaction.Begin", **TOKEN)
    cp.call("TransactionEvent", start)
    cp.call("TransactionEvent", event("Updated", 1, 10, 2500))
    cp.call("TransactionEvent", start | {"customData": {"vendorId": "com.example", "attempt": 2}})
    cp.call("TransactionEvent", event("Ended", 2, 20))
    assert here.published()[-1]["data"]["energy_wh"] == 1500


@VERSIONS
def test_the_order_of_members_makes_no_message_another(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    update = event("Updated", 1, 1, 1500, **TOKEN)
    cp.call("TransactionEvent", update)
    here.published()
    cp.call("TransactionEvent", dict(reversed(update.items())) | {"idToken": dict(reversed(TOKEN["idToken"].items()))})
    assert here.published() == []


@VERSIONS
@pytest.mark.parametrize("verdict", ["Blocked", "Accepted"])
def test_the_token_of_a_conflicting_message_is_verified(ocpp, verdict):
    class Deciding(Handlers):
        def updated(self, charger, fact):
            return Authorization(verdict) if fact.tag else None

    here = InMemoryGateway(handlers=Deciding(Settings()))
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0))
    cp.call("TransactionEvent", event("Updated", 1, 1))
    assert cp.call("TransactionEvent", event("Updated", 1, 2, **TOKEN)) == {"idTokenInfo": {"status": verdict}}


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), max_size=80))
@settings(deadline=None)
def test_whatever_is_sent_is_told_and_marked_where_its_number_was_there(sent: list[tuple[int, int]]):
    """Only what was told may be left out, and among the latest nothing is told twice."""
    here = in_memory()
    cp = here.connect(ocpp="2.0.1")
    told: list[tuple[int, int]] = []
    for seq, minute in sent:
        here.published()
        cp.send_call("TransactionEvent", event("Updated", seq, minute))
        updates = [each for each in here.published() if each["event"] == "transaction_update"]
        if updates:
            assert (seq, minute) not in told[-RECENT:]
            assert updates[0].get("conflict", False) == any(number == seq for number, _ in told)
            told.append((seq, minute))
        else:
            assert (seq, minute) in told


# what was stored by the version before


def test_a_transaction_stored_with_numbers_only_goes_on():
    stored = {
        "id": "t1", "conn": 1, "tag": "T", "meter_start": 0, "started": "2026-11-23T08:00:00Z",
        "authorisation": {"status": "Accepted"}, "first": 0, "last": 6, "missing": [2, 4, 5],
    }  # fmt: skip
    found = Ledger([json.dumps(stored).encode()]).find("t1")
    assert found is not None and found.gaps == [(2, 2), (4, 4), (5, 5)]
    assert found.repeats(3, 77, None) and not found.repeats(4, 77, None) and not found.repeats(7, 77, None)


# NoAuthorization


@VERSIONS
@pytest.mark.parametrize("kind", ["Started", "Updated", "Ended"])
def test_a_start_button_is_accepted(ocpp, kind):
    """C02.FR.02: the charger needs the status, though the token's text is empty."""
    cp = in_memory().connect(ocpp=ocpp)
    if kind != "Started":
        cp.call("TransactionEvent", event("Started", 0))
    button = event(kind, 1, 1, idToken={"idToken": "", "type": "NoAuthorization"})
    assert cp.call("TransactionEvent", button) == {"idTokenInfo": {"status": "Accepted"}}


# energy


@VERSIONS
def test_the_reading_at_the_beginning_is_never_the_end(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Updated", 1, 1, 7190))
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    cp.call("TransactionEvent", event("Ended", 2, 2))
    assert here.published()[-1]["data"]["energy_wh"] == 6190


@VERSIONS
def test_readings_of_one_message_in_the_wrong_order_count_by_their_times(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    early, late = (event("Updated", 1, minute, 1000 + 100 * minute)["meterValue"][0] for minute in (5, 10))
    cp.call("TransactionEvent", event("Updated", 1, 10, meterValue=[late, early]))
    cp.call("TransactionEvent", event("Ended", 2, 11))
    assert here.published()[-1]["data"]["energy_wh"] == 1000


@VERSIONS
def test_the_latest_reading_is_that_of_the_highest_number(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    cp.send_call("TransactionEvent", event("Updated", 3, 3, 3000))
    cp.send_call("TransactionEvent", event("Updated", 1, 1, 2000))
    cp.send_call("TransactionEvent", event("Ended", 4, 4))
    (stop,) = [each["data"] for each in here.published() if each["event"] == "stop_transaction"]
    assert stop["energy_wh"] == 2000


@VERSIONS
def test_a_conflicting_message_of_an_earlier_time_lowers_no_energy(ocpp):
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    for seq, wh in ((1, 2000), (2, 3000), (3, 4000)):
        cp.call("TransactionEvent", event("Updated", seq, seq, wh))
    cp.call("TransactionEvent", event("Updated", 1, 1, 2000, triggerReason="Clock"))
    cp.call("TransactionEvent", event("Ended", 4, 4))
    assert here.published()[-1]["data"]["energy_wh"] == 3000


@VERSIONS
def test_once_numbers_have_begun_again_readings_are_ordered_by_time(ocpp):
    """A message of the first numbering that comes late has a higher number than the latest."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    for seq in (1, 2, 5):
        cp.send_call("TransactionEvent", event("Updated", seq, seq, 1000 + 100 * seq))
    for seq in (0, 1):
        cp.send_call("TransactionEvent", event("Updated", seq, 10 + seq, 3000 + seq))
    for seq in (4, 5):
        cp.send_call("TransactionEvent", event("Updated", seq, seq, 1000 + 100 * seq, triggerReason="Clock"))
    cp.send_call("TransactionEvent", event("Ended", 2, 12))
    assert here.published()[-1]["data"]["energy_wh"] == 2001


@VERSIONS
def test_numbers_and_clock_from_the_beginning_still_count_the_energy(ocpp):
    """The register goes on, whatever else the charger has forgotten."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    cp.call("TransactionEvent", event("Updated", 1, 1, 2000))
    cp.call("TransactionEvent", event("Updated", 0, 0, 2500) | {"timestamp": "1970-01-01T00:00:10Z"})
    cp.call("TransactionEvent", event("Ended", 1, 0) | {"timestamp": "1970-01-01T00:01:10Z"})
    assert here.published()[-1]["data"]["energy_wh"] == 1500


@VERSIONS
def test_without_any_reading_after_the_beginning_the_energy_is_unknown(ocpp):
    """Null, not 0: that would be a bill of nothing."""
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    cp.call("TransactionEvent", event("Started", 0, 0, 1000, "Transaction.Begin"))
    cp.call("TransactionEvent", event("Ended", 1, 1))
    assert here.published()[-1]["data"]["energy_wh"] is None
