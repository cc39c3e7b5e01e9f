"""How much of what a charger has sent may be unanswered: it is not read from beyond that, and nothing of it is lost."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from in_memory import START_1, in_memory
from ocpp_tw.facts import Start
from ocpp_tw.gateway import flow
from ocpp_tw.gateway.flow import UNANSWERED, UNANSWERED_UNDER_STRAIN, UNIT
from ocpp_tw.handlers import Handlers
from ocpp_tw.settings import Settings
from ocpp_tw.testing import ChargerClient, InMemoryGateway


def served_by_nobody_yet(**settings) -> tuple[InMemoryGateway, ChargerClient]:
    """A charger whose messages do not become durable, so that none is answered."""
    here = in_memory(**settings)
    cp = here.connect()
    here.events.paused = True
    return here, cp


def test_a_charger_with_one_message_at_a_time_is_never_held():
    here = in_memory()
    cp = here.connect()
    for _ in range(10 * UNANSWERED):
        cp.call("Heartbeat")
    assert cp.charger.unanswered == 0 and cp.charger._flow is None and not cp.wire.held


def test_one_that_does_not_wait_for_answers_is_held_until_half_of_them_are_there():
    here, cp = served_by_nobody_yet()
    for n in range(UNANSWERED):
        assert not cp.wire.held
        cp.send_call("Heartbeat", id=str(n))
    assert cp.wire.held
    here.events.resume()
    assert not cp.wire.held and len(cp.frames()) == UNANSWERED
    assert cp.charger.unanswered == 0


def test_under_strain_those_with_much_wait_first():
    here, cp = served_by_nobody_yet()
    here.events.strained = True
    conforming = here.connect("cp2")
    for _ in range(UNANSWERED_UNDER_STRAIN + 1):
        cp.send_call("Heartbeat")
    conforming.send_call("Heartbeat")
    assert cp.wire.held and not conforming.wire.held
    here.events.resume()
    assert not cp.wire.held


def test_a_long_message_counts_as_many():
    here, cp = served_by_nobody_yet()
    cp.send_call("DataTransfer", {"vendorId": "v", "data": "x" * (UNANSWERED * UNIT)})
    assert cp.wire.held and cp.charger.unanswered > UNANSWERED
    here.events.resume()
    assert not cp.wire.held and cp.charger.unanswered == 0


@pytest.mark.parametrize(
    "text", [b"[", b"[2]", b'[2,"1","Nonsense",{}]', b'[2,"1","Heartbeat",{}]', b'[2,"1","StatusNotification",{}]', b'[9,"1","A",{}]']
)
def test_every_message_is_answered_in_this_sense(text):
    """Or the charger would be held for ever."""
    here, cp = served_by_nobody_yet()
    for n in range(UNANSWERED):
        cp.send_text(text.replace(b'"1"', b'"%d"' % n))
    assert cp.wire.held
    here.events.resume()
    assert cp.charger.unanswered == 0 and not cp.wire.held


def test_copies_and_answers_do_not_count():
    _, cp = served_by_nobody_yet()
    for _ in range(2 * UNANSWERED):
        cp.send_call("Heartbeat", id="1")
        cp.send_text('[3,"none",{}]')
    assert cp.charger.unanswered == 1 and not cp.wire.held


def test_messages_that_have_one_id_are_all_answered():
    here, cp = served_by_nobody_yet()
    for n in range(5):
        cp.send_call("DataTransfer", {"vendorId": "v", "data": f"{n}" * UNIT}, id="1")
    here.events.resume()
    assert cp.charger.unanswered == 0


def test_messages_behind_one_that_is_being_decided_count():
    waiting: Deferred[Start] = Deferred()

    class Slow(Handlers):
        def started(self, charger, fact):
            return waiting

    here = InMemoryGateway(handlers=Slow(Settings()))
    cp, load = here.connect(), here.application.incoming.load
    cp.send_call("StartTransaction", START_1)
    cp.send_call("DataTransfer", {"vendorId": "v", "data": "x" * UNIT})
    cp.send_text("[2")
    for _ in range(UNANSWERED):
        cp.send_call("Heartbeat")
    assert cp.wire.held and load.in_service > UNIT
    waiting.callback(Start(transaction_id=5))
    assert not cp.wire.held and cp.charger.unanswered == 0 and load.in_service == 0
    assert len(cp.frames()) == UNANSWERED + 2  # the text without an id is owed no answer


def test_large_messages_wait_for_those_before_them_to_be_decided(monkeypatch):
    waiting: Deferred[Start] = Deferred()

    class Slow(Handlers):
        def started(self, charger, fact):
            return waiting

    monkeypatch.setattr(flow, "MAX_IN_SERVICE", 3 * UNIT)
    here = InMemoryGateway(handlers=Slow(Settings()))
    cp = here.connect()
    assert here.gateway.has_room(1 << 30, True)  # alone
    cp.send_call("StartTransaction", START_1)
    cp.send_call("DataTransfer", {"vendorId": "v", "data": "x" * UNIT})
    assert here.gateway.has_room(UNIT, True) and not here.gateway.has_room(2 * UNIT, True)
    cp.charger.connection_lost()
    assert here.gateway.has_room(1 << 30, True)
    waiting.callback(Start(transaction_id=5))


def test_large_messages_wait_for_events_to_be_durable(monkeypatch):
    monkeypatch.setattr(flow, "MAX_WAITING", UNIT)
    here, cp = served_by_nobody_yet()
    assert here.gateway.has_room(1, True)
    cp.send_call("DataTransfer", {"vendorId": "v", "data": "x" * UNIT})
    assert not here.gateway.has_room(1, True)
    here.events.resume()
    assert here.gateway.has_room(1, True)
