"""A conversation: one CALL of ours at a time, repeated CALLs of the peer recognized, late answers matched."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ocpp_tw.ocpp.conversation import MAX_LATE, MAX_REMEMBERED, Conversation, Receipt
from ocpp_tw.ocpp.frames import Call, Error, Result


def calls(count: int) -> list[Call]:
    """That many CALLs of ours."""
    return [Call(f"id-{number}", "Reset", {}) for number in range(count)]


# the peer's CALLs


def test_a_call_is_new_then_in_flight_then_its_answer_is_replayed() -> None:
    """R5, FIELD 7: a copy never has a second effect; it gets the same bytes as the first."""
    talk = Conversation()
    assert talk.received("7", 1) is Receipt.NEW
    assert talk.received("7", 1) is Receipt.IN_FLIGHT
    talk.answered("7", b'[3,"7",{}]')
    assert talk.received("7", 1) == b'[3,"7",{}]'
    assert talk.received("7", 1) == b'[3,"7",{}]'


def test_the_same_text_under_another_id_is_new() -> None:
    """R5: the ledger finds out, by content, whether it repeats another."""
    talk = Conversation()
    talk.received("7", 1)
    assert talk.received("8", 1) is Receipt.NEW


def test_a_numeric_id_is_not_the_same_as_its_text() -> None:
    """FIELD 7: ids are echoed in the JSON type they arrived in, so these are different messages."""
    talk = Conversation()
    talk.received(7, 1)
    assert talk.received("7", 1) is Receipt.NEW


def test_one_id_for_different_messages_is_not_a_repeat() -> None:
    """FIELD 7, wire note 1b: a charger that starts its ids afresh must lose nothing."""
    talk = Conversation()
    talk.received("1", 1)
    talk.answered("1", b"first")
    assert not talk.reused
    assert talk.received("1", 2) is Receipt.NEW
    assert talk.reused


def test_all_calls_of_a_peer_that_reuses_ids_are_new() -> None:
    """A charger that numbers every message "1" sends equal heartbeats too: each is new."""
    talk = Conversation()
    talk.received("1", 1)
    talk.received("1", 2)
    for _ in range(3):
        assert talk.received("1", 2) is Receipt.NEW
        talk.answered("1", b"answer")


def test_an_answer_given_after_its_id_was_reused_is_not_replayed() -> None:
    """The answer to the first message must not become the answer to the second."""
    talk = Conversation()
    talk.received("1", 1)
    talk.received("1", 2)
    talk.answered("1", b"of the first")
    assert talk.received("1", 2) is Receipt.NEW


def test_only_the_last_few_calls_are_remembered() -> None:
    """Memory per connection is bounded; an answer to a forgotten CALL is not remembered."""
    talk = Conversation()
    talk.received("first", 0)
    for number in range(MAX_REMEMBERED):
        talk.received(f"id-{number}", number)
    talk.answered("first", b"late")
    assert talk.received("first", 0) is Receipt.NEW
    assert talk.received(f"id-{MAX_REMEMBERED - 1}", MAX_REMEMBERED - 1) is Receipt.IN_FLIGHT


# our own CALLs


def test_one_call_of_ours_is_outstanding_at_a_time() -> None:
    """R6, and FIELD 11: a Wallbox drops the connection when it gets two."""
    talk, (first, second, third) = Conversation(), calls(3)
    assert talk.enqueue(first) is first
    assert talk.enqueue(second) is None
    assert talk.enqueue(third) is None
    assert talk.outstanding is first
    assert talk.match(Result(first.id, {})) == (first, second)
    assert talk.match(Error(second.id, "NotSupported")) == (second, third)
    assert talk.match(Result(third.id, {})) == (third, None)
    assert talk.outstanding is None


def test_the_peer_may_send_a_call_while_ours_is_outstanding() -> None:
    """R6: CALLs may cross, and may share an id by chance."""
    talk = Conversation()
    talk.enqueue(Call("7", "Reset", {}))
    assert talk.received("7", 1) is Receipt.NEW
    assert talk.match(Result("7", {}))[0] is not None


def test_an_unsolicited_answer_matches_no_call() -> None:
    """FIELD 12: not even the outstanding one."""
    talk, (first, second) = Conversation(), calls(2)
    assert talk.match(Result("id-0", {})) == (None, None)
    talk.enqueue(first)
    talk.enqueue(second)
    assert talk.match(Result("other", {})) == (None, None)
    assert talk.match(Result(second.id, {})) == (None, None)  # not sent yet: the peer cannot answer it
    assert talk.outstanding is first


def test_a_second_answer_matches_no_call() -> None:
    """FIELD 12."""
    talk, (first, second) = Conversation(), calls(2)
    talk.enqueue(first)
    talk.enqueue(second)
    talk.match(Result(first.id, {}))
    assert talk.match(Result(first.id, {})) == (None, None)
    assert talk.match_late(Result(first.id, {})) is None


def test_a_callerror_with_id_minus_one_is_about_the_outstanding_call() -> None:
    """R13, wire note 7: EVerest refuses an unknown action under the id "-1"."""
    for id in ("-1", -1):
        talk, (first, second) = Conversation(), calls(2)
        talk.enqueue(first)
        talk.enqueue(second)
        assert talk.match(Error(id, "GenericError")) == (first, second)
    assert Conversation().match(Error("-1", "GenericError")) == (None, None)


def test_a_callresult_with_id_minus_one_matches_no_call() -> None:
    """Only a CALLERROR may come without the id of its CALL."""
    talk = Conversation()
    talk.enqueue(calls(1)[0])
    assert talk.match(Result("-1", {})) == (None, None)


def test_giving_up_sends_the_next_call_and_remembers_the_late_one() -> None:
    """R8: a late answer is matched once, and never with the next CALL."""
    talk, (first, second) = Conversation(), calls(2)
    talk.enqueue(first)
    talk.enqueue(second)
    assert talk.give_up(first) is second
    assert talk.match(Result(first.id, {})) == (None, None)
    assert talk.match_late(Result(first.id, {})) is first
    assert talk.match_late(Result(first.id, {})) is None
    assert talk.outstanding is second


def test_a_call_given_up_before_it_was_sent_is_never_sent() -> None:
    """And there can be no late answer to it."""
    talk, (first, second, third) = Conversation(), calls(3)
    for each in (first, second, third):
        talk.enqueue(each)
    assert talk.give_up(second) is None
    assert talk.match_late(Result(second.id, {})) is None
    assert talk.match(Result(first.id, {})) == (first, third)


def test_giving_up_twice_is_giving_up_once() -> None:
    """A timer may fire while its connection ends."""
    talk, (first, second) = Conversation(), calls(2)
    talk.enqueue(first)
    assert talk.give_up(first) is None
    assert talk.give_up(first) is None
    assert talk.enqueue(second) is second


def test_the_number_of_remembered_late_calls_is_bounded() -> None:
    """A charger that never answers costs no more memory."""
    talk, many = Conversation(), calls(MAX_LATE + 1)
    for each in many:
        talk.enqueue(each)
        talk.give_up(each)
    assert talk.match_late(Result(many[0].id, {})) is None
    assert talk.match_late(Result(many[1].id, {})) is many[1]


@given(st.lists(st.sampled_from(["ask", "answer", "refuse", "give up", "give up a waiting one", "answer nonsense"]), max_size=60))
@settings(deadline=None)
def test_every_call_is_sent_once_in_order_and_ends_once(happenings: list[str]) -> None:
    """R6, FIELD 12: the two invariants of our own CALLs."""
    talk = Conversation()
    asked: list[Call] = []
    sent: list[Call] = []
    ended: list[Call] = []

    def note(call: Call | None) -> None:
        if call is not None:
            sent.append(call)

    for happening in happenings:
        before = talk.outstanding
        match happening:
            case "ask":
                asked.append(Call(f"id-{len(asked)}", "Reset", {}))
                note(talk.enqueue(asked[-1]))
            case "answer" | "refuse" if before is not None:
                done, following = talk.match(Result(before.id, {}) if happening == "answer" else Error(before.id, "GenericError"))
                assert done is before
                ended.append(done)
                note(following)
            case "give up" if before is not None:
                note(talk.give_up(before))
                ended.append(before)
            case "give up a waiting one":
                waiting = [each for each in asked if each not in sent and each not in ended]
                if waiting:
                    note(talk.give_up(waiting[0]))
                    ended.append(waiting[0])
            case "answer nonsense":
                assert talk.match(Result("nonsense", {})) == (None, None)
        assert talk.outstanding in (None, *sent) and talk.outstanding not in ended
        assert (talk.outstanding is None) == all(each in ended for each in asked)
    assert sent == [each for each in asked if each in sent]
    assert len(ended) == len({each.id for each in ended})
