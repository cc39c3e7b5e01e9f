"""The ledger of one charger's transactions: repeats are known again, stops find their starts, and nothing is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.core.entries import Effect, Put
from ocpp_tw.core.ledger import KEPT, SPARE, Closing, Ledger, duration
from ocpp_tw.facts import Authorization, Start, Started, Stopped

START = Started(1, "RFID-12345", 1000, "2026-11-22T10:00:00Z")
STOP = Stopped(123, 6000, "2026-11-22T11:00:00Z", "Local", "RFID-12345")


def begun(*ids: int, ledger: Ledger | None = None) -> Ledger:
    """A ledger with these transactions running, one a minute, each on a connector of its own."""
    ledger = ledger or Ledger()
    for conn, id in enumerate(ids, 1):
        ledger.begin(Started(conn, START.tag, START.meter_start, f"2026-11-22T10:{conn % 60:02}:00Z"), Start(Authorization(), id))
    return ledger


def reopened(effects: list[Effect]) -> Ledger:
    """The ledger as the next gateway finds it, after these effects."""
    return Ledger(stored(effects))


def stored(effects: list[Effect]) -> list[bytes]:
    """What is stored of each transaction after these effects."""
    kept: dict[str, bytes] = {}
    for each in effects:
        assert isinstance(each, Put) and each.table == "transactions"
        if each.value is None:
            del kept[each.name]
        else:
            kept[each.name] = each.value
    return list(kept.values())


# starts


def test_a_start_is_found_again_by_its_content() -> None:
    """T4, R5, FIELD 5: MicroOcpp and EVerest repeat it under a new message id; the verdict is the one of the first time."""
    verdict = Start(Authorization("ConcurrentTx", parent_tag="group"), 123, provisional=True)
    ledger = Ledger()
    assert ledger.repeated(START) is None
    ledger.begin(START, verdict)
    again = ledger.repeated(msgspec.structs.replace(START))
    assert again is not None and again.verdict == verdict


@pytest.mark.parametrize("other", [{"conn": 2}, {"tag": "X"}, {"meter_start": 1001}, {"timestamp": "2026-11-22T10:00:01Z"}])
def test_a_start_that_differs_in_anything_that_counts_is_another(other: dict[str, Any]) -> None:
    """T4: connectorId + idTag + timestamp + meterStart."""
    ledger = Ledger()
    ledger.begin(START, Start(Authorization(), 123))
    assert ledger.repeated(msgspec.structs.replace(START, **other)) is None
    assert ledger.repeated(msgspec.structs.replace(START, reservation_id=7)) is not None


def test_a_repeat_is_known_after_a_restart_and_after_the_stop() -> None:
    """T4, FIELD wire note 2: the charger repeats a start half a minute later, maybe to another gateway."""
    ledger = Ledger()
    effects = [*ledger.begin(START, Start(Authorization(parent_tag="group"), 123, True)), *ledger.close(STOP).effects]
    again = reopened(effects).repeated(START)
    assert again is not None and again.verdict == Start(Authorization(parent_tag="group"), 123, True)


# stops


def test_a_stop_ends_its_transaction() -> None:
    """Energy and duration are by the charger's own meter and clock (T7)."""
    ledger = Ledger()
    ledger.begin(START, Start(Authorization(), 123))
    closing = ledger.close(STOP)
    assert closing == Closing("exact", 5000, 3600, effects=closing.effects, matched=ledger.find(123))
    assert ledger.running == [] and len(closing.effects) == 1


def test_the_same_stop_again_is_a_repeat_without_effect() -> None:
    """T5, FIELD 6: answered as before, told once; also by the next gateway."""
    ledger = Ledger()
    effects = list(ledger.begin(START, Start(Authorization(), 123)))
    effects += ledger.close(STOP).effects
    for each in (ledger, reopened(effects)):
        assert each.close(msgspec.structs.replace(STOP)) == Closing("exact", 5000, 3600, repeat=True, matched=each.find(123))


@pytest.mark.parametrize("other", [{"meter_stop": 6001}, {"timestamp": "2026-11-22T11:00:01Z"}, {"reason": "PowerLoss"}, {"tag": None}])
def test_a_differing_second_stop_is_a_duplicate_and_changes_nothing(other: dict[str, Any]) -> None:
    """T5, FIELD 6: the first one stands."""
    ledger = Ledger()
    ledger.begin(START, Start(Authorization(), 123))
    ledger.close(STOP)
    second = ledger.close(msgspec.structs.replace(STOP, **other))
    assert second.duplicate and not second.repeat and second.effects == ()
    assert ledger.close(STOP).repeat


def test_readings_do_not_make_a_stop_another() -> None:
    """FIELD 6: a retry may come without its transactionData, or with it in another order."""
    ledger = Ledger()
    ledger.begin(START, Start(Authorization(), 123))
    ledger.close(msgspec.structs.replace(STOP, raw=[{"timestamp": "x", "sampledValue": []}]))
    assert ledger.close(STOP).repeat


@pytest.mark.parametrize("id", [-1, 0, 999])
def test_a_stop_of_an_unknown_id_is_matched_with_the_only_open_transaction(id: int) -> None:
    """T3, T5, FIELD 8: its start's answer was never heard; told as a guess, and the transaction has ended."""
    ledger = begun(123)
    closing = ledger.close(msgspec.structs.replace(STOP, transaction_id=id))
    assert closing == Closing("by_connector", 5000, 3540, effects=closing.effects, matched=ledger.find(123))
    assert ledger.running == [] and len(closing.effects) == 1


@pytest.mark.parametrize("id", [-1, 0, 999])
@pytest.mark.parametrize("running", [(), (123,), (1, 2)])
def test_a_stop_of_an_unknown_id_is_known_again_by_its_content(id: int, running: tuple[int, ...]) -> None:
    """T5, FIELD 6, R5: the answer was lost; also by the next gateway, and when the next transaction runs."""
    effects: list[Effect] = []
    ledger = Ledger()
    for conn, each in enumerate(running, 1):
        effects += ledger.begin(msgspec.structs.replace(START, conn=conn), Start(Authorization(), each))
    stop = msgspec.structs.replace(STOP, transaction_id=id)
    first = ledger.close(stop)
    assert not first.repeat
    effects += first.effects
    for again in (ledger, reopened(effects)):
        begun(500, ledger=again)
        second = again.close(msgspec.structs.replace(stop))
        assert second.repeat and second.effects == ()


@pytest.mark.parametrize("other", [{"meter_stop": 6001}, {"timestamp": "2026-11-22T11:00:01Z"}, {"tag": None}, {"transaction_id": 0}])
def test_stops_of_unknown_starts_that_differ_are_of_different_transactions(other: dict[str, Any]) -> None:
    """T3: every start that was never delivered has the id -1."""
    ledger, stop = Ledger(), msgspec.structs.replace(STOP, transaction_id=-1)
    ledger.close(stop)
    closing = ledger.close(msgspec.structs.replace(stop, **other))
    assert not closing.repeat and not closing.duplicate and closing.effects


def test_a_differing_second_stop_of_a_transaction_found_by_connector_is_a_duplicate() -> None:
    """T5: under the id of the first, or under the right one; an equal one under the right id is a repeat."""
    ledger = begun(123)
    ledger.close(msgspec.structs.replace(STOP, transaction_id=999))
    begun(124, ledger=ledger)
    assert ledger.close(STOP).repeat
    for id in (999, 123):
        second = ledger.close(msgspec.structs.replace(STOP, transaction_id=id, meter_stop=7000))
        assert second.duplicate and second.matched is ledger.find(123)
    assert [each.id for each in ledger.running] == [124]


def test_stops_of_unknown_starts_are_forgotten_like_all_that_ended() -> None:
    """What is kept of a charger is bounded, whatever it sends."""
    ledger = Ledger()
    effects: list[Effect] = []
    for number in range(10 * KEPT):
        effects += ledger.close(Stopped(-1, number, "2026-11-22T11:00:00Z")).effects
    assert len(stored(effects)) <= KEPT + SPARE
    assert ledger.close(Stopped(-1, 10 * KEPT - 1, "2026-11-22T11:00:00Z")).repeat


@pytest.mark.parametrize("timestamp", ["1970-01-01T00:10:00Z", None, "garbage"])
def test_what_has_just_ended_is_known_whatever_the_chargers_clock_says(timestamp: str | None) -> None:
    """T5: a clock that began anew must not make the newest the oldest, which is forgotten first."""
    ledger = Ledger()
    for number in range(KEPT + SPARE):
        ledger.close(Stopped(-1, number, "2026-11-22T11:00:00Z"), now=1e9 + number)
    late = Stopped(-1, 5, timestamp)
    ledger.close(late, now=2e9)
    assert ledger.close(late, now=2e9 + 1).repeat


@pytest.mark.parametrize(
    "other",
    [{"tag": "somebody else"}, {"meter_stop": 999}, {"timestamp": "2026-11-22T09:00:00Z"}, {"timestamp": "garbage"}],
)
def test_a_stop_that_does_not_fit_is_matched_with_nothing(other: dict[str, Any]) -> None:
    """T5, FIELD 8: a tag, a time or a reading that cannot be."""
    stop = msgspec.structs.replace(STOP, transaction_id=-1, **other)
    closing = begun(123).close(stop)
    assert closing == Closing("none", effects=closing.effects)


@pytest.mark.parametrize("running", [(), (1, 2)])
def test_a_stop_of_an_unknown_id_is_no_guess_among_several(running: tuple[int, ...]) -> None:
    """T5, T6: one of another charger's transactions finds nothing here, and ends nothing."""
    ledger = begun(*running)
    closing = ledger.close(STOP)
    assert closing == Closing("none", effects=closing.effects)
    assert len(ledger.running) == len(running)


def test_a_stop_without_a_tag_fits_any() -> None:
    """The charger, or its owner, has stopped it."""
    assert begun(123).close(msgspec.structs.replace(STOP, transaction_id=-1, tag=None)).match == "by_connector"


def test_a_stop_whose_times_cannot_be_read_has_no_duration() -> None:
    """T2: it is taken all the same."""
    ledger = Ledger()
    ledger.begin(START, Start(Authorization(), 123))
    assert ledger.close(msgspec.structs.replace(STOP, timestamp="yesterday"))[:3] == ("exact", 5000, None)


# what is kept


def test_ended_transactions_are_forgotten_oldest_first_and_running_ones_never() -> None:
    """What is kept of a charger is bounded; the store forgets what the ledger does."""
    ledger = begun(9999)
    effects: list[Effect] = []
    for number in range(KEPT + SPARE - 1):
        start = Started(1, "A", number, f"2026-11-23T{number // 60:02}:{number % 60:02}:00Z")
        effects += ledger.begin(start, Start(Authorization(), number + 1))
        effects += ledger.close(Stopped(number + 1, number, start.timestamp)).effects
    effects += ledger.begin(START, Start(Authorization(), 5000))
    assert [each.name for each in effects if isinstance(each, Put) and each.value is None] == [str(number) for number in range(1, SPARE)]
    assert {each.id for each in ledger.running} == {9999, 5000}
    assert ledger.find(SPARE - 1) is None and ledger.find(SPARE) is not None


def test_what_the_backend_says_later_is_kept_and_changes_no_answer() -> None:
    """F20: the charger goes on with the id it was given, and a repeat of its start gets it again."""
    ledger = Ledger()
    effects = list(ledger.begin(START, Start(Authorization(), 10**9 + 1, provisional=True)))
    effects += ledger.close(msgspec.structs.replace(STOP, transaction_id=10**9 + 1)).effects
    effects += ledger.reconcile(10**9 + 1, 7)
    again = reopened(effects).repeated(START)
    assert again is not None and again.verdict == Start(Authorization(), 10**9 + 1)
    assert (again.backend_id, again.provisional, again.end is None) == (7, False, False)
    assert ledger.reconcile(4711, 7) == ()


@pytest.mark.parametrize("kept", [b"", b"nonsense", b"{}", b"[]", b'{"id":"x"}', b"\xff", b'{"id":1,"conn":1}'])
def test_what_cannot_be_read_is_passed_over(kept: bytes) -> None:
    """Another version of this program wrote it; a charger must not be shut out for that."""
    ledger = Ledger(
        [kept, *(each.value for each in Ledger().begin(START, Start(Authorization(), 123)) if isinstance(each, Put) and each.value)]
    )
    assert [each.id for each in ledger.running] == [123]


def test_numbers_of_any_size_survive_the_store() -> None:
    """F28: the schemas know no bounds for integers."""
    huge = Started(10**30, "A", -(10**30), "x")
    effects = list(Ledger().begin(huge, Start(Authorization(), 2**63)))
    assert reopened(effects).repeated(huge) is not None


steps = st.lists(
    st.tuples(st.sampled_from(["start", "stop"]), st.integers(1, 4), st.integers(0, 3), st.sampled_from(["10", "11"])), max_size=30
)


@given(steps)
@settings(deadline=None)
def test_whatever_happens_the_store_holds_what_the_ledger_holds(steps: list[tuple[str, int, int, str]]) -> None:
    """C14: a restart in any moment forgets nothing and makes nothing up."""
    ledger, next_id = Ledger(), 1
    effects: list[Effect] = []
    for what, id, meter, hour in steps:
        if what == "start":
            start = Started(id, "A", meter, f"2026-11-22T{hour}:00:00Z")
            if ledger.repeated(start) is None:
                effects += ledger.begin(start, Start(Authorization(), next_id))
                next_id += 1
        else:
            effects += ledger.close(Stopped(id, meter, f"2026-11-22T{hour}:30:00Z")).effects
    again = reopened(effects)
    assert [again.find(id) for id in range(next_id)] == [ledger.find(id) for id in range(next_id)]


# times


@pytest.mark.parametrize(
    ("start", "stop", "seconds"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z", 1),
        ("2026-11-22T10:00:00.400Z", "2026-11-22T10:00:01Z", 1),
        ("2026-11-22T10:00:00.1234567Z", "2026-11-22T10:01:00Z", 60),
        ("2026-11-22T10:00:00Z", "2026-11-22T12:00:00+01:00", 3600),
        ("2026-11-22T10:00:00Z", "2026-11-22T12:00:00+01", 3600),
        ("2026-11-22T10:00:00", "2026-11-22T11:00:00Z", 3600),
        ("2026-11-22t10:00:00z", "2026-11-22 11:00:00", 3600),
        (" 2026-11-22T10:00:00Z ", "2026-11-22T09:00:00Z", -3600),
        ("1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z", 86400),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 315_537_998_399),
        ("", "2026-11-22T10:00:00Z", None),
        ("2026-11-22T10:00:00Z", "2026-02-30T10:00:00Z", None),
        ("2026-11-22T10:00:00Z", "1795341600", None),
    ],
)
def test_durations_by_whatever_clock_the_charger_has(start: str, stop: str, seconds: int | None) -> None:
    """R17, T7, FIELD 20: fractions, offsets, no zone at all (Growatt), `+03` (monta)."""
    assert duration(start, stop) == seconds


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,15}[Z+0-9:]{0,9}", fullmatch=True))
@settings(deadline=None)
def test_any_text_is_a_time_or_none(text: str) -> None:
    """FIELD 20: garbage for a timestamp is only garbage."""
    assert isinstance(duration(text, "2026-11-22T10:00:00Z"), int | None)


# 1.6's transaction 5 and 2.x's "5" of one charger


def replayed(table: dict[str, bytes], effects: tuple[Effect, ...]) -> None:
    """Carry the effects out, as a store does."""
    for effect in effects:
        assert isinstance(effect, Put) and effect.table == "transactions"
        if effect.value is None:
            table.pop(effect.name, None)
        else:
            table[effect.name] = effect.value


def of_2x(ledger: Ledger, id: str, last: int) -> tuple[Effect, ...]:
    """A message of a transaction of 2.x."""
    transaction = ledger.enter(id)
    transaction.note(last, last)
    return ledger.kept(transaction)


@pytest.mark.parametrize("first", ["1.6", "2.x"])
def test_a_number_and_a_text_of_the_same_digits_are_two_stored_transactions(first: str) -> None:
    table: dict[str, bytes] = {}
    ledger = Ledger()
    for version in ("1.6", "2.x") if first == "1.6" else ("2.x", "1.6"):
        replayed(table, ledger.begin(START, Start(transaction_id=5)) if version == "1.6" else of_2x(ledger, "5", 3))
    again = Ledger(list(table.values()))
    number, text = again.find(5), again.find("5")
    assert number is not None and text is not None and text.last == 3 and len(table) == 2
    replayed(table, again.close(Stopped(5, 6000, STOP.timestamp)).effects)
    replayed(table, of_2x(again, "5", 4))
    third = Ledger(list(table.values()))
    number, text = third.find(5), third.find("5")
    assert number is not None and number.end is not None and text is not None and text.last == 4 and len(table) == 2


def test_what_was_stored_under_the_key_of_a_number_is_not_lost_to_it() -> None:
    """Earlier versions stored both under the digits."""
    old: dict[str, bytes] = {}
    replayed(old, of_2x(Ledger(), "5", 3))
    (value,) = old.values()
    table = {"5": value}
    ledger = Ledger([value])
    replayed(table, ledger.begin(START, Start(transaction_id=5)))
    again = Ledger(list(table.values()))
    text = again.find("5")
    assert again.find(5) is not None and text is not None and text.last == 3


def test_what_was_stored_under_the_key_of_a_number_moves_when_it_is_stored_again() -> None:
    """During an upgrade an earlier version may write it there once more: the further one of the two counts."""
    value = next(iter(effect.value for effect in of_2x(Ledger(), "5", 3) if isinstance(effect, Put) and effect.value))
    further = next(iter(effect.value for effect in of_2x(Ledger([value]), "5", 9) if isinstance(effect, Put) and effect.value))
    table = {"5": value}
    replayed(table, of_2x(Ledger([value]), "5", 4))
    assert len(table) == 1 and "5" not in table
    table["5"] = further
    for values in (list(table.values()), list(table.values())[::-1]):
        text = Ledger(values).find("5")
        assert text is not None and text.last == 9
    replayed(table, of_2x(Ledger(list(table.values())), "5", 10))
    assert len(table) == 1


@pytest.mark.parametrize("id", ["tx-2", "9" * 5000, "-", "-x", "007", "0b6c9d7e-5f7b-4d3f", "stop:0a", "text:5", ""])
def test_any_other_text_is_stored_under_a_key_that_is_no_numbers(id: str) -> None:
    table: dict[str, bytes] = {}
    for each in (id, "5", "text:5"):
        replayed(table, of_2x(Ledger(), each, 1))
    assert len(table) == len({id, "5", "text:5"}) and not any(key.isdecimal() and str(int(key[:20])) == key for key in table)
    assert id in table or id == "text:5"
