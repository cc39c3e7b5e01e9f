"""What is ordered happens at most once and ends in exactly one result, whatever dies in between."""

from __future__ import annotations

import json
import sys

import pytest
from twisted.internet.defer import Deferred, fail

from in_memory import in_memory
from ocpp_tw.core.commands import Claim, Taken, digest
from ocpp_tw.gateway.outgoing import OutgoingCalls
from ocpp_tw.ocpp.frames import Result
from ocpp_tw.settings import Settings
from ocpp_tw.testing import START_TIME as NOW
from ocpp_tw.testing import InMemoryGateway


def clear(n: int) -> list:
    return [2, f"u{n}", "ClearCache", {}]


def with_charger(**settings):
    here = in_memory(**settings)
    cp = here.connect()
    here.published()
    here.dispatcher.start()
    return here, cp


def ended(here: InMemoryGateway) -> list[tuple[str, str, bool]]:
    return [(data["id"], data["outcome"], data["sent"]) for data in results(here)]


def results(here: InMemoryGateway) -> list[dict]:
    return [event["data"] for event in here.published() if event["event"] == "command_result"]


def two() -> tuple[InMemoryGateway, InMemoryGateway]:
    first = InMemoryGateway(Settings(name="gw1"))
    return first, InMemoryGateway(Settings(name="gw2"), store=first.store, clock=first.clock)


# its turn


def test_a_command_is_claimed_only_when_its_turn_has_come():
    here, cp = with_charger()
    for n in range(3):
        here.push_command(CpID="cp1", data=clear(n))
    assert here.store.done == {("cp1", "u0")}
    cp.answer({"status": "Accepted"}, "u0")
    assert here.store.done == {("cp1", "u0"), ("cp1", "u1")}
    here.dispatcher.stop()


def test_it_is_not_claimed_while_the_gateway_asks_for_itself():
    here, cp = with_charger()
    cp.charger.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
    here.push_command(CpID="cp1", data=clear(1))
    assert not here.store.done
    cp.answer({"status": "Accepted"})
    assert here.store.done == {("cp1", "u1")} and len(cp.frames()) == 2


def test_what_waits_for_its_turn_when_the_charger_leaves_is_never_sent():
    here, cp = with_charger()
    for n in range(2 * sys.getrecursionlimit()):
        here.push_command(CpID="cp1", data=clear(n))
    cp.disconnect()
    outcomes = ended(here)
    assert outcomes[0] == ("u0", "connection_lost", True)
    assert outcomes[1:] == [(f"u{n}", "offline", False) for n in range(1, 2 * sys.getrecursionlimit())]
    assert here.store.processing["gw"] == [] and here.store.tables["sent", "gw"] == {}


def test_what_waits_for_its_turn_when_a_newer_connection_comes_is_sent_on_that():
    here, _ = with_charger()
    for n in range(2):
        here.push_command(CpID="cp1", data=clear(n))
    again = here.connect()
    again.send_call("Heartbeat")
    assert [frame[1] for frame in again.frames() if frame[0] == 2] == ["u1"]
    assert ended(here) == [("u0", "connection_lost", True)]


def test_a_command_waits_while_a_newer_connection_may_be_the_charger():
    """F13, FIELD 23: a charger that reconnects without a word; the old connection shows no sign of life."""
    here, old = with_charger()
    new = here.connect()
    here.push_command(CpID="cp1", data=clear(0))
    assert old.frames() == [] == new.frames()
    here.clock.advance(2)
    assert old.frames() == [] and new.frames() == [clear(0)]
    new.answer({"status": "Accepted"}, "u0")
    assert ended(here) == [("u0", "result", True)]
    here.dispatcher.stop()


@pytest.mark.parametrize("how", ["alive", "newcomer leaves", "current leaves", "newcomer speaks"])
def test_it_waits_no_longer_than_until_that_is_known(how):
    """At most the two seconds of the probe; the commands stay in their order."""
    here, old = with_charger()
    new = here.connect()
    for n in range(2):
        here.push_command(CpID="cp1", data=clear(n))
    if how == "alive":
        old.wire.pings[0]()
    elif how == "newcomer leaves":
        new.disconnect()
    elif how == "current leaves":
        old.disconnect()
    else:
        new.send_call("Heartbeat")
    current, other = (old, new) if how in ("alive", "newcomer leaves") else (new, old)
    assert [frame for frame in current.frames() if frame[0] == 2] == [clear(0)] and other.frames() == []
    for n in range(2):
        current.answer({"status": "Accepted"}, f"u{n}")
    assert ended(here) == [("u0", "result", True), ("u1", "result", True)]
    for cp in (old, new):
        cp.disconnect()
    here.dispatcher.stop()


def test_those_that_wait_for_their_turn_keep_it_when_a_command_times_out_during_the_probe():
    """F4: a charger's commands are in the order in which they were given."""
    here, old = with_charger(call_timeout=1.0)
    for n in range(4):
        here.push_command(CpID="cp1", data=clear(n))
    assert old.frames() == [clear(0)]
    new = here.connect()
    for _ in range(2):
        here.clock.advance(1)
    assert old.frames() == [] and new.frames() == [clear(1)]
    for n in range(1, 4):
        new.answer({"status": "Accepted"}, f"u{n}")
    assert ended(here) == [("u0", "timeout", True), *((f"u{n}", "result", True) for n in range(1, 4))]
    here.dispatcher.stop()


def test_a_command_that_waits_for_the_probe_may_expire():
    """It is sent no later than its time, whatever it waited for."""
    here, old = with_charger()
    new = here.connect()
    here.push_command(cp_id="cp1", command="clear_cache", id="u0", expires=NOW + 1)
    here.clock.advance(2)
    assert old.frames() == [] == new.frames()
    assert ended(here) == [("u0", "expired", False)]
    here.dispatcher.stop()


def test_what_waits_for_its_turn_follows_the_charger_to_another_gateway():
    """F13, FIELD 23."""
    first, second = two()
    cp = first.connect()
    for each in (first, second):
        each.dispatcher.start()
    for n in range(3):
        first.push_command(CpID="cp1", data=clear(n))
    there = second.connect()  # and the first gateway drops its connection
    assert cp.wire.closed
    assert ended(first) == [("u0", "connection_lost", True)]
    for n in (1, 2):
        there.answer({"status": "Accepted"}, f"u{n}")
    assert ended(first) == [("u1", "result", True), ("u2", "result", True)]
    assert len(cp.frames()) == 1


# fencing


def test_nothing_is_sent_to_a_charger_that_another_gateway_has():
    """F13: the loser does not know it yet."""
    first, second = two()
    cp = first.connect()
    first.published()
    for each in (first, second):
        each.dispatcher.start()
    first.gateway.evict = lambda id, connection: None  # the word is still on its way
    there = second.connect()
    for n in range(1000):
        first.push_command(CpID="cp1", data=clear(n))
        there.answer({"status": "Accepted"}, f"u{n}")
    assert cp.frames() == [] and len(there.frames()) == 1000
    assert [outcome for _, outcome, _ in ended(first)] == ["result"] * 1000


def test_nothing_is_sent_by_a_gateway_that_was_suspended_and_is_taken_for_dead():
    """F16: another one has taken over, and sees to it."""
    first, second = two()
    cp = first.connect()
    first.published()
    asked: list[tuple[Deferred, object]] = []
    claim = first.commands.claim
    first.commands.claim = lambda command, connection: asked.append((Deferred(), command)) or asked[-1][0]
    first.dispatcher.start()
    for n in range(3):
        first.push_command(CpID="cp1", data=clear(n), ttl=600)
    first.store.living.discard("gw1")
    first.store.reclaim("gw1", "gw2")
    second.dispatcher.start()
    there = second.connect()
    first.clock.advance(1)
    for n in range(3):
        there.answer({"status": "Accepted"}, f"u{n}")
    assert sorted(ended(second)) == [(f"u{n}", "result", True) for n in range(3)]
    first.commands.claim = claim
    waiting, command = asked[0]
    claim(command, cp.charger.connection).chainDeferred(waiting)
    first.clock.advance(100)
    assert cp.frames() == [] and ended(second) == []


# exactly one result


@pytest.mark.parametrize(("fails", "outcome", "sent"), [("claim", "error", False), ("call", "connection_lost", True)])
def test_a_failure_of_the_gateways_own_is_the_commands_end(fails, outcome, sent, tidy):
    here, cp = with_charger()
    if fails == "claim":
        here.commands.claim = lambda command, connection: fail(ZeroDivisionError())
    else:
        here.gateway.chargers["cp1"].incoming.settings = None  # whoever looks for the time-out falls over it
    here.push_command(CpID="cp1", data=clear(1))
    (result,) = results(here)
    assert (result["outcome"], result["sent"], result["error"]["code"]) == (outcome, sent, "internal")
    assert here.store.processing["gw"] == [] and len(tidy) == 1
    tidy.clear()
    assert cp.frames() == []


def test_an_answer_that_cannot_be_told_is_the_commands_end_too(tidy, monkeypatch):
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=clear(1))
    answered = OutgoingCalls.answered
    monkeypatch.setattr(OutgoingCalls, "answered", lambda self, frame: answered(self, Result(frame.id, {"status": object()})))
    cp.answer({})
    (result,) = results(here)
    assert (result["outcome"], result["sent"], result["error"]["code"]) == ("connection_lost", True, "internal")
    assert here.store.processing["gw"] == []
    tidy.clear()


# left over


def left_over(here: InMemoryGateway, element: dict, *, sent: bool, silent: float = 5.0) -> None:
    """An earlier run had this in hand."""
    text = json.dumps(element).encode()
    here.store.processing["gw"].append(text)
    here.store.left["gw"].append(Taken(text, silent, sent))
    if sent:
        here.store.done.add((element["CpID"], element["data"][1]))
        here.store.tables["sent", "gw"][digest(text)] = b"1"


def test_what_an_earlier_run_may_have_sent_is_never_sent_again():
    """F14."""
    here = in_memory()
    left_over(here, {"CpID": "cp1", "data": clear(1)}, sent=True)
    cp = here.connect()
    here.dispatcher.start()
    assert ended(here) == [("u1", "connection_lost", True)] and cp.frames() == []
    assert here.store.processing["gw"] == [] and here.store.tables["sent", "gw"] == {}
    here.push_command(CpID="cp1", data=clear(1))
    assert ended(here) == [("u1", "duplicate", False)] and cp.frames() == []


def test_what_it_had_not_sent_is_sent_once_the_charger_is_back():
    """F14: after a crash all chargers take their time."""
    here = in_memory()
    left_over(here, {"CpID": "cp1", "data": clear(1)}, sent=False)
    here.dispatcher.start()
    here.clock.advance(30)
    cp = here.connect()
    assert [frame[1] for frame in cp.frames()] == ["u1"]
    cp.answer({"status": "Accepted"})
    assert ended(here) == [("u1", "result", True)]
    assert here.clock.getDelayedCalls() == []


@pytest.mark.parametrize(("ttl", "silent", "sent"), [(0, 59, True), (0, 61, False), (600, 599, True), (600, 601, False)])
def test_what_is_left_over_for_too_long_is_not_sent(ttl, silent, sent):
    """F32."""
    here = in_memory()
    left_over(here, {"CpID": "cp1", "data": clear(1), "ttl": ttl}, sent=False, silent=silent)
    cp = here.connect()
    here.published()
    here.dispatcher.start()
    assert len(cp.frames()) == sent
    assert ended(here) == ([] if sent else [("u1", "expired", False)])


def test_what_is_left_over_for_a_charger_that_does_not_come_back_expires():
    here = in_memory()
    left_over(here, {"CpID": "cp1", "data": clear(1)}, sent=False, silent=20)
    here.dispatcher.start()
    here.clock.advance(39)
    assert ended(here) == []
    here.clock.advance(2)
    assert ended(here) == [("u1", "expired", False)]
    assert here.clock.getDelayedCalls() == []


def test_a_stop_sends_nothing_more_and_leaves_the_rest_in_hand():
    here, cp = with_charger()
    for n in range(3):
        here.push_command(CpID="cp1", data=clear(n))
    here.dispatcher.stop()
    cp.answer({"status": "Accepted"}, "u0")
    cp.disconnect()
    assert ended(here) == [("u0", "result", True)] and len(here.store.processing["gw"]) == 2
    assert here.store.done == {("cp1", "u0")}


# expires


@pytest.mark.parametrize("spelled", [NOW + 10, "2026-09-21T14:13:30Z", "2026-09-21 16:13:30+02:00", "2026-09-21t14:13:30"])
def test_a_command_past_its_time_is_never_sent(spelled):
    """F32: both spellings, both forms."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=clear(1), expires=spelled)
    cp.answer({"status": "Accepted"})
    here.clock.advance(10)
    here.push_command(CpID="cp1", data=clear(2), expires=spelled)
    here.push_command(cp_id="cp1", command="clear_cache", data={}, id="u3", expires=spelled)
    assert ended(here) == [("u1", "result", True), ("u2", "expired", False), ("u3", "expired", False)]
    assert len(cp.frames()) == 1


def test_it_is_not_sent_when_its_turn_comes_too_late():
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=clear(1))
    here.push_command(CpID="cp1", data=clear(2), expires=NOW + 10)
    here.clock.advance(11)
    cp.answer({"status": "Accepted"}, "u1")
    assert ended(here) == [("u1", "result", True), ("u2", "expired", False)] and len(cp.frames()) == 1
    assert ("cp1", "u2") not in here.store.done


def test_it_is_not_sent_when_the_claim_takes_too_long():
    here, cp = with_charger()
    late: Deferred[Claim] = Deferred()
    here.commands.claim = lambda command, connection: late
    here.push_command(CpID="cp1", data=clear(1), expires=NOW + 10)
    here.clock.advance(11)
    late.callback(Claim("new"))
    assert ended(here) == [("u1", "expired", False)] and cp.frames() == []


def test_it_waits_for_its_charger_no_longer_than_it_is_good_for():
    here = in_memory()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=clear(1), ttl=600, expires=NOW + 10)
    here.clock.advance(10)
    assert ended(here) == [("u1", "expired", False)]
    assert here.clock.getDelayedCalls() == []


@pytest.mark.parametrize("spelled", ["soon", "", True, [1], -1, 1e300, {"a": 1}])
def test_a_time_that_is_none_is_invalid(spelled):
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=clear(1), expires=spelled)
    (result,) = results(here)
    assert result["outcome"] == "invalid" and "expires" in result["error"]["description"] and cp.frames() == []


def test_it_goes_along_to_another_gateway():
    first, second = two()
    there = second.connect()
    first.published()
    for each in (first, second):
        each.dispatcher.start()
    asked = first.dispatcher.ask(json.dumps({"cp_id": "cp1", "command": "clear_cache", "expires": NOW + 5}).encode())
    there.answer({"status": "Accepted"})
    first.clock.advance(6)
    again = first.dispatcher.ask(json.dumps({"cp_id": "cp1", "command": "clear_cache", "expires": NOW + 5}).encode())
    answers: list[dict] = []
    for each in (asked, again):
        each.addCallback(answers.append)
    assert [each["outcome"] for each in answers] == ["result", "expired"]


# its charger leaves while it is claimed


def claimed_late(here: InMemoryGateway) -> Deferred[None]:
    """The answers to all claims from now on come when this fires."""
    answered, claim = Deferred(), here.commands.claim

    async def late(command, connection):
        claimed = await claim(command, connection)
        if not answered.called:
            waiting = Deferred()
            answered.addCallback(waiting.callback)
            await waiting
        return claimed

    here.commands.claim = late
    return answered


def test_without_ttl_it_is_offline_and_may_be_tried_again():
    here, cp = with_charger()
    answered = claimed_late(here)
    here.push_command(CpID="cp1", data=clear(1))
    cp.disconnect()
    answered.callback(None)
    (result,) = results(here)
    assert (result["outcome"], result["sent"], result["error"]["code"]) == ("offline", False, "offline")
    assert not here.store.done and here.store.tables["sent", "gw"] == {} and here.store.processing["gw"] == []


def test_with_ttl_it_waits_for_it_as_if_it_had_not_been_claimed():
    here, cp = with_charger()
    answered = claimed_late(here)
    here.push_command(CpID="cp1", data=clear(1), ttl=60)
    cp.disconnect()
    answered.callback(None)
    assert results(here) == [] and not here.store.done and here.store.tables["sent", "gw"] == {}
    here.clock.advance(30)
    again = here.connect()
    assert [frame[1] for frame in again.frames()] == ["u1"]
    again.answer({"status": "Accepted"}, "u1")
    assert ended(here) == [("u1", "result", True)]
    here.dispatcher.stop()


def test_it_is_watched_for_by_no_follow_up_then():
    here, cp = with_charger()
    answered = claimed_late(here)
    here.push_command(CpID="cp1", data=[2, "u1", "RemoteStartTransaction", {"idTag": "T"}], ttl=1)
    cp.disconnect()
    answered.callback(None)
    here.clock.pump([1, 1, 130])
    assert ended(here) == [("u1", "expired", False)] and here.clock.getDelayedCalls() == []


def test_its_claim_is_undone_for_good_before_another_gateway_may_have_it():
    """Or that gateway would take it for a duplicate."""
    first, second = two()
    old = first.connect()
    answered = claimed_late(first)
    first.dispatcher.start()
    first.push_command(CpID="cp1", data=clear(1))
    second.dispatcher.start()
    first.events.paused = True
    old.disconnect()
    new = second.connect()
    answered.callback(None)
    assert new.frames() == []
    first.events.resume()
    assert [frame[1] for frame in new.frames()] == ["u1"]
    new.answer({"status": "Accepted"}, "u1")
    assert ended(second) == [("u1", "result", True)]
    first.dispatcher.stop()
    second.dispatcher.stop()


# once


def test_an_id_is_released_only_by_the_command_that_had_claimed_it():
    """F33: the second one finds nobody there, and must not let the third through."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=clear(1))
    cp.disconnect()
    here.push_command(CpID="cp1", data=clear(1))
    again = here.connect()
    here.push_command(CpID="cp1", data=clear(1))
    assert ended(here) == [("u1", "connection_lost", True), ("u1", "offline", False), ("u1", "duplicate", False)]
    assert again.frames() == []


def test_copies_that_wait_for_their_turn_are_executed_once():
    """F33."""
    here, cp = with_charger()
    here.push_command(CpID="cp1", data=clear(0))
    for _ in range(3):
        here.push_command(CpID="cp1", data=clear(1))
    cp.answer({"status": "Accepted"}, "u0")
    cp.answer({"status": "Accepted"}, "u1")
    assert sorted(ended(here)) == [("u0", "result", True), ("u1", "duplicate", False), ("u1", "duplicate", False), ("u1", "result", True)]
    assert len(cp.frames()) == 2


def test_one_that_was_offline_may_be_tried_again_and_is_then_executed_once():
    here = in_memory()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=clear(1))
    cp = here.connect()
    for _ in range(2):
        here.push_command(CpID="cp1", data=clear(1))
    cp.answer({"status": "Accepted"})
    assert sorted(ended(here)) == [("u1", "duplicate", False), ("u1", "offline", False), ("u1", "result", True)]


def test_who_waits_for_a_charger_follows_it_to_another_gateway():
    """FIELD 23: it comes online, but not here."""
    first, second = two()
    for each in (first, second):
        each.dispatcher.start()
    first.push_command(CpID="cp1", data=clear(1), ttl=600)
    assert [len(first.store.processing[each]) for each in ("gw1", "gw2")] == [1, 0]
    cp = second.connect()
    first.clock.advance(31)
    assert [frame[1] for frame in cp.frames()] == ["u1"]
    cp.answer({"status": "Accepted"})
    assert ended(first) == [("u1", "result", True)]
    first.dispatcher.stop()
    assert first.clock.getDelayedCalls() == []


@pytest.mark.parametrize("way", ["list", "http"])
def test_a_ttl_counts_from_when_the_first_gateway_took_it(way):
    """CONTRACT 2: however many gateways it is handed to while the charger comes and goes."""
    first, second = two()
    first.dispatcher.start()
    command = {"cp_id": "cp1", "command": "clear_cache", "data": {}, "id": "u1", "ttl": 60}
    if way == "list":
        first.push_command(**command)
    else:
        first.dispatcher.ask(json.dumps(command).encode())
    first.clock.advance(25)
    cp = second.connect()
    first.clock.advance(10)
    assert len(first.store.own["gw2"]) == 1  # handed on, and not taken there yet
    cp.disconnect()
    second.dispatcher.start()
    first.clock.advance(24.9)
    assert ended(first) == []
    first.clock.advance(0.2)
    assert ended(first) == [("u1", "expired", False)]
    for each in (first, second):
        each.dispatcher.stop()
    assert first.clock.getDelayedCalls() == []


def test_a_command_that_is_handed_on_twice_says_once_when_it_was_taken():
    first, second = two()
    third = InMemoryGateway(Settings(name="gw3"), store=first.store, clock=first.clock)
    first.dispatcher.start()
    second.dispatcher.start()
    first.push_command(CpID="cp1", data=clear(1), ttl=600)
    first.clock.advance(20)
    there = second.connect()
    first.gateway.chargers.clear()
    second.gateway.chargers["cp1"].gone = True  # its connection is just ending, and another gateway has it by the time that is looked at
    first.clock.advance(20)
    there.disconnect()
    third.connect()
    first.clock.advance(60)
    (element,) = first.store.own["gw3"]
    assert element.count(b"first_taken") == 1 and json.loads(element)["first_taken"] == NOW
    for each in (first, second):
        each.dispatcher.stop()


def test_a_command_without_ttl_is_handed_on_as_it_is():
    first, second = two()
    second.connect()
    first.dispatcher.start()
    first.push_command(CpID="cp1", data=clear(1))
    assert list(first.store.own["gw2"]) == [json.dumps({"CpID": "cp1", "data": clear(1)}).encode()]
    first.dispatcher.stop()


@pytest.mark.parametrize("said", [NOW + 10_000, "soon", True, None, -1, 1e300, []])
def test_a_moment_that_cannot_be_is_now(said):
    """Backends do not say it; one that does gains and loses nothing."""
    here = in_memory()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=clear(1), ttl=60, first_taken=said)
    here.clock.advance(59)
    assert ended(here) == []
    here.clock.advance(1)
    assert ended(here) == [("u1", "expired", False)]


@pytest.mark.parametrize("depth", [10_000, 40])
def test_elements_as_large_and_deep_as_can_be_are_put_aside_or_told_of(depth):
    here, cp = with_charger()
    deep = b"[" * depth + b"]" * depth
    for element in (
        b"\x00\xff" * (3 << 20),
        b'{"CpID":"cp1","data":' + deep + b"}",
        b'{"CpID":"cp1","data":[2,"u1","DataTransfer",' + deep + b"]}",
    ):
        here.store.push(element)
    assert len(here.store.dead) + len(results(here)) == 3 and here.store.processing["gw"] == []
    here.push_command(CpID="cp1", data=[2, "u2", "DataTransfer", {"vendorId": "v", "data": "x" * (3 << 20)}])
    assert len(cp.wire.sent[-1]) > 3 << 20
