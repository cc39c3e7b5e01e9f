"""Starts that the backend could not be asked about: asked about later under the same key, told of once, whatever happens meanwhile (F20)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from in_memory import START_1, stop
from ocpp_tw.backend.static import StaticBackend
from ocpp_tw.facts import Authorization
from ocpp_tw.gateway.breaker import COOL_DOWN, FAILURES
from ocpp_tw.gateway.reconcile import CHECK_INTERVAL as INTERVAL
from ocpp_tw.handlers import Handlers
from ocpp_tw.interfaces import BackendFailed
from ocpp_tw.settings import Settings
from ocpp_tw.testing import ChargerClient, InMemoryGateway

PROVISIONAL = ("provisional", "gw")


def standing(backend: Any = None, **settings: Any) -> InMemoryGateway:
    backend = backend or StaticBackend({"TAG1": 7}, {"TAG1": Authorization()})
    return InMemoryGateway(replace(Settings(name="gw", base_url="http://b"), **settings), backend=backend)


def started_without(here: InMemoryGateway, guest: ChargerClient | None = None, **more: Any) -> int:
    """A start while the backend is of no use; the id it was given."""
    here.backend.fail()
    id = (guest or here.connect()).call("StartTransaction", START_1 | more)["transactionId"]
    here.backend.recover()
    return int(id)


def reconciled(here: InMemoryGateway) -> list[dict[str, Any]]:
    return [event["data"] for event in here.published() if event["event"] == "transaction_reconciled"]


def looked(here: InMemoryGateway) -> None:
    """The gateway looks at its shelf, once."""
    here.application.reconciler.start()
    here.application.reconciler.stop()


def test_a_provisional_start_is_asked_about_again_under_the_same_key():
    here = standing()
    id = started_without(here)
    assert list(here.store.tables[PROVISIONAL]) == [here.backend.asked[0][4]]
    here.application.reconciler.start()
    assert here.published_names() == ["connect_charger", "start_transaction", "transaction_reconciled"]
    event = here.store.events[-1]
    assert b'"data":{"charger":"cp1","transaction_id":%d,"backend_id":7,"status":"Accepted"}' % id in event
    first, again = here.backend.asked
    assert first == again
    assert here.store.tables[PROVISIONAL] == {}
    here.clock.advance(10 * INTERVAL)
    assert here.published_names() == [] and len(here.backend.asked) == 2
    here.application.reconciler.stop()
    assert here.clock.getDelayedCalls() == []


def test_the_charger_goes_on_with_its_own_id_and_later_events_have_the_backends():
    here = standing()
    cp = here.connect()
    id = started_without(here, cp)
    looked(here)
    here.published()
    assert cp.call("StartTransaction", START_1)["transactionId"] == id  # a repeat: T4
    value = [{"timestamp": "t", "sampledValue": [{"value": "2000"}]}]
    cp.call("MeterValues", {"connectorId": 1, "transactionId": id, "meterValue": value})
    cp.call("StopTransaction", stop(id, transactionData=value))
    told = here.published()
    assert [event["event"] for event in told] == ["meter_value", "meter_value", "stop_transaction"]
    assert [(event["data"]["transaction_id"], event["data"]["backend_id"]) for event in told] == [(id, 7)] * 3


def test_nor_does_another_connection_or_a_restart_forget_the_backends_id():
    here = standing()
    id = started_without(here)
    looked(here)
    again = InMemoryGateway(here.settings, store=here.store, backend=here.backend)
    cp = again.connect()
    again.published()
    cp.call("MeterValues", {"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": "t", "sampledValue": [{"value": "1"}]}]})
    cp.call("StopTransaction", stop(id))
    assert [event["data"]["backend_id"] for event in again.published()] == [7, 7]


def test_it_is_reconciled_when_the_charger_is_gone():
    here = standing()
    cp = here.connect()
    id = started_without(here, cp)
    cp.disconnect()
    looked(here)
    assert reconciled(here) == [{"charger": "cp1", "transaction_id": id, "backend_id": 7, "status": "Accepted"}]
    here.connect().call("StopTransaction", stop(id))
    assert here.published()[-1]["data"]["backend_id"] == 7


def test_it_is_reconciled_after_it_has_ended():
    here = standing()
    cp = here.connect()
    id = started_without(here, cp)
    cp.call("StopTransaction", stop(id))
    looked(here)
    assert [data["backend_id"] for data in reconciled(here)] == [7]
    cp.call("StopTransaction", stop(id))  # still known as a repeat
    assert here.published_names() == []


def test_it_is_reconciled_after_a_restart():
    """F14: what was set aside was so together with the start's event."""
    here = standing()
    id = started_without(here)
    again = InMemoryGateway(here.settings, store=here.store, backend=here.backend)
    looked(again)
    assert [data["transaction_id"] for data in reconciled(again)] == [id]


def test_a_gateway_finds_what_it_has_inherited():
    """What a dead gateway had set aside is moved to another's shelf, at any time."""
    here = standing()
    other = InMemoryGateway(replace(here.settings, name="gw2"), store=here.store, backend=here.backend)
    other.application.reconciler.start()
    id = started_without(here)
    here.store.living.discard("gw")
    here.store.tables["provisional", "gw2"] = here.store.tables.pop(PROVISIONAL)
    other.clock.advance(INTERVAL)
    assert [data["transaction_id"] for data in reconciled(other)] == [id]
    other.application.reconciler.stop()


def test_a_charger_that_moved_on_is_left_to_the_gateway_that_has_it():
    """It has the ledger that is to know of it."""
    here = standing()
    other = InMemoryGateway(replace(here.settings, name="gw2"), store=here.store, backend=here.backend)
    cp = here.connect()
    id = started_without(here, cp)
    moved = other.connect()
    cp.disconnect()
    looked(here)
    assert reconciled(here) == [] and here.store.tables[PROVISIONAL] == {} and len(here.backend.asked) == 1
    looked(other)
    assert [data["transaction_id"] for data in reconciled(other)] == [id]
    moved.call("StopTransaction", stop(id))
    assert other.published()[-1]["data"]["backend_id"] == 7


@pytest.mark.parametrize("authorize", ["accept", "backend"])
def test_a_tag_without_a_transaction_is_told_as_such(authorize):
    here = standing(StaticBackend({}, {"TAG1": Authorization()}), authorize=authorize)
    id = started_without(here)
    looked(here)
    assert reconciled(here) == [{"charger": "cp1", "transaction_id": id, "backend_id": None, "status": "Invalid"}]


def test_what_is_thought_of_the_tag_is_asked_as_well_where_the_backend_decides():
    here = standing(StaticBackend({"TAG1": 7}, {"TAG1": Authorization("Blocked")}), authorize="backend")
    started_without(here)
    looked(here)
    assert [(data["backend_id"], data["status"]) for data in reconciled(here)] == [(7, "Blocked")]


def test_a_start_that_was_denied_is_settled():
    here = standing(backend_policy="deny")
    started_without(here)
    assert here.published()[-1]["provisional"] is True
    assert here.store.tables[PROVISIONAL] == {}


class Broken(Handlers):
    """An operator's, with a mistake."""

    def started(self, charger: Any, fact: Any) -> Any:
        raise ZeroDivisionError


def test_a_start_that_failed_in_the_handlers_is_asked_about_too(tidy):
    settings, backend = Settings(name="gw", base_url="http://b"), StaticBackend({"TAG1": 7})
    here = InMemoryGateway(settings, backend=backend, handlers=Broken(settings, backend))
    here.connect().call("StartTransaction", START_1)
    assert tidy.pop()["log_failure"].check(ZeroDivisionError)
    looked(here)
    assert [data["backend_id"] for data in reconciled(here)] == [7]


def test_a_2x_start_is_reconciled_under_the_chargers_own_id():
    here = standing()
    cp = here.connect(ocpp="2.0.1")
    here.backend.fail()
    event = {
        "eventType": "Started", "timestamp": "2026-11-23T08:00:00Z", "triggerReason": "Authorized", "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"}, "evse": {"id": 2, "connectorId": 1}, "idToken": {"idToken": "TAG1", "type": "ISO14443"},
    }  # fmt: skip
    cp.call("TransactionEvent", event)
    here.backend.recover()
    looked(here)
    assert reconciled(here) == [{"charger": "cp1", "transaction_id": "tx-1", "backend_id": 7, "status": "Accepted"}]
    assert here.backend.asked[0] == here.backend.asked[1]
    cp.call("TransactionEvent", event | {"eventType": "Ended", "seqNo": 1, "triggerReason": "StopAuthorized"})
    assert here.published()[-1]["data"]["backend_id"] == 7


# when, and how fast


def test_the_backends_return_is_the_moment_to_ask():
    """F20: the breaker has closed; the oldest comes first."""
    here = standing()
    here.application.reconciler.start()
    cp = here.connect()
    here.backend.fail()
    ids = []
    for n in range(FAILURES + 3):
        here.clock.advance(0.1)
        ids.append(cp.call("StartTransaction", START_1 | {"meterStart": n})["transactionId"])
    assert len(here.backend.asked) == FAILURES
    here.backend.recover()
    here.clock.advance(COOL_DOWN)
    assert cp.call("StartTransaction", START_1 | {"connectorId": 2})["transactionId"] == 7  # it finds out that all is well
    for _ in range(10):
        here.clock.advance(0.1)
    assert [data["transaction_id"] for data in reconciled(here)] == ids
    here.application.reconciler.stop()


def test_a_backend_that_is_back_is_noticed_though_nobody_starts():
    here = standing()
    here.application.reconciler.start()
    cp = here.connect()
    here.backend.fail()
    for n in range(2 * FAILURES):
        cp.call("StartTransaction", START_1 | {"meterStart": n})
    here.clock.pump([INTERVAL, 0.1])
    assert reconciled(here) == [] and len(here.backend.asked) == FAILURES + 1
    here.backend.recover()
    here.clock.advance(INTERVAL)
    here.clock.pump([0.1] * 10)
    assert len(reconciled(here)) == 2 * FAILURES
    here.application.reconciler.stop()


def test_chargers_at_work_come_first():
    """A few are asked about at once, and then the rest of the next tenth of a second is for the others."""
    here = standing()
    cp = here.connect()
    for n in range(20):
        started_without(here, cp, meterStart=n)
    here.clock.advance(COOL_DOWN)
    asked = len(here.backend.asked)
    here.backend.hang()
    here.application.reconciler.start()
    assert len(here.backend.asked) == asked + 1
    here.backend.recover()
    here.backend.hang()
    here.clock.advance(0.1)
    assert len(here.backend.asked) == asked + 5
    here.application.reconciler.stop()
    assert here.clock.getDelayedCalls() == []


class Choosy(StaticBackend):
    """Fails on some tags, always."""

    def transaction(self, tag: str, charger: str, connector: int, key: str = "") -> Deferred[int | None]:
        answer = super().transaction(tag, charger, connector, key)
        return answer.addCallback(lambda _: self._bad()) if tag.startswith("BAD") else answer

    def _bad(self) -> None:
        raise BackendFailed("it answered 500")


def test_those_that_the_backend_always_fails_on_hold_up_nobody():
    """Neither the others on the shelf nor chargers at work: the breaker stays closed."""
    here = standing(Choosy({"TAG1": 7}))
    cp = here.connect()
    for n in range(10):
        started_without(here, cp, idTag=f"BAD{n}", meterStart=n)
    id = started_without(here, cp)
    here.published()
    here.clock.advance(COOL_DOWN)
    for n in range(12):
        assert cp.call("StartTransaction", START_1 | {"meterStart": 100 + n})["transactionId"] == 7
        cp.call("StopTransaction", stop(7))
        if n == 0:
            here.application.reconciler.start()
        here.clock.advance(INTERVAL)
        here.clock.pump([0.1] * 10)
    assert [data["transaction_id"] for data in reconciled(here)] == [id]
    assert len(here.store.tables[PROVISIONAL]) == 10
    for hour in range(4):
        before = len(here.backend.asked)
        for n in range(60):
            cp.call("StartTransaction", START_1 | {"meterStart": 1000 * hour + n, "idTag": "TAG1"})
            cp.call("StopTransaction", stop(7, meter=1000 * hour + n))
            here.clock.pump([INTERVAL, 0.1, 0.1])
    assert len(here.backend.asked) - before <= 60 + 10  # each of them once an hour at last
    here.application.reconciler.stop()


def test_of_those_that_fail_another_finds_out_each_time_whether_the_backend_is_back():
    """It might be back for all but that one."""
    here = standing(Choosy({"TAG1": 7}))
    cp = here.connect()
    for n in range(FAILURES):
        started_without(here, cp, idTag="BAD", meterStart=n)
    id = started_without(here, cp)
    here.application.reconciler.start()
    for _ in range(FAILURES + 1):
        here.clock.pump([INTERVAL, 0.1, 0.1])
    assert [data["transaction_id"] for data in reconciled(here)] == [id]
    here.application.reconciler.stop()


def test_what_is_settled_but_not_safe_yet_is_told_once():
    """Redis is away between the question and the event."""
    here = standing()
    started_without(here)
    here.events.paused = True
    here.application.reconciler.start()
    here.clock.advance(5 * INTERVAL)
    assert len(here.backend.asked) == 2
    here.application.reconciler.stop()
    here.application.reconciler.start()
    here.clock.advance(INTERVAL)
    here.events.resume()
    assert len(reconciled(here)) == 1
    here.application.reconciler.stop()


def test_nonsense_on_the_shelf_is_left_alone():
    here = standing()
    here.store.tables[PROVISIONAL] = {"x": b"nonsense", "y": b'{"question":{}}'}
    id = started_without(here)
    looked(here)
    assert [data["transaction_id"] for data in reconciled(here)] == [id]
    assert list(here.store.tables[PROVISIONAL]) == ["x", "y"]


def test_a_shelf_that_cannot_be_read_is_looked_at_again(tidy):
    here = standing()
    id = started_without(here)
    shelf, here.records.table = here.records.table, lambda name, of: 1 / 0
    here.application.reconciler.start()
    here.records.table = shelf
    here.clock.advance(INTERVAL)
    assert [data["transaction_id"] for data in reconciled(here)] == [id]
    assert tidy.pop()["log_failure"].check(ZeroDivisionError)
    here.application.reconciler.stop()
