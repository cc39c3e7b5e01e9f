"""2.x: long GetVariables and SetVariables are sent in as many messages as the charger needs, within one timeout (B05, B06)."""

from __future__ import annotations

from typing import Any

import pytest

from in_memory import in_memory
from ocpp_tw.testing import ChargerClient, InMemoryGateway

LISTS = {"GetVariables": ("getVariableData", "getVariableResult"), "SetVariables": ("setVariableData", "setVariableResult")}


def with_charger(ocpp: str) -> tuple[InMemoryGateway, ChargerClient]:
    here = in_memory()
    cp = here.connect(ocpp=ocpp)
    here.dispatcher.start()
    here.published()
    return here, cp


def push(here: InMemoryGateway, id: str, action: str = "GetVariables", count: int = 5, **more: Any) -> None:
    value = {"attributeValue": "x"} if action == "SetVariables" else {}
    items = [{"component": {"name": "C"}, "variable": {"name": f"V{n}"}, **value} for n in range(count)]
    here.push_command(CpID="cp1", data=[2, id, action, {LISTS[action][0]: items}], **more)


def next_call(cp: ChargerClient) -> tuple[str, str, list[dict[str, Any]]]:
    """The id and action of the one CALL that has come, and its items."""
    ((_, id, action, payload),) = cp.frames()
    return id, action, payload[LISTS[action][0]]


def answer_limit(cp: ChargerClient, limit: str | None) -> list[dict[str, Any]]:
    id, _, items = next_call(cp)
    value = {} if limit is None else {"attributeValue": limit}
    cp.answer({"getVariableResult": [{"attributeStatus": "Accepted", **each, **value} for each in items]}, id)
    return items


def answer_part(cp: ChargerClient) -> int:
    id, action, items = next_call(cp)
    cp.answer({LISTS[action][1]: [{"attributeStatus": "Accepted", **each} for each in items]}, id)
    return len(items)


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
@pytest.mark.parametrize("action", LISTS)
def test_long_lists_of_variables_are_sent_in_parts(ocpp, action):
    """Only the instance of ItemsPerMessage that is needed is asked for, and once on a connection."""
    here, cp = with_charger(ocpp)
    push(here, "u1", action)
    (asked,) = answer_limit(cp, "2")
    assert asked == {"component": {"name": "DeviceDataCtrlr"}, "variable": {"name": "ItemsPerMessage", "instance": action}}
    assert [answer_part(cp) for _ in range(3)] == [2, 2, 1]
    result = here.command_result()
    assert (result["id"], result["outcome"]) == ("u1", "result")
    assert [each["variable"]["name"] for each in result["payload"][LISTS[action][1]]] == [f"V{n}" for n in range(5)]
    push(here, "u2", action, 3)
    assert [answer_part(cp) for _ in range(2)] == [2, 1]
    here.dispatcher.stop()


@pytest.mark.parametrize("limit", ["2.0", " 2 ", 2, 2.0])
def test_a_limit_means_the_same_however_it_is_spelled(limit):
    here, cp = with_charger("2.0.1")
    push(here, "u1")
    answer_limit(cp, limit)
    assert answer_part(cp) == 2
    here.dispatcher.stop()


def test_one_item_needs_no_limit():
    here, cp = with_charger("2.0.1")
    push(here, "u1", count=1)
    assert answer_part(cp) == 1
    here.dispatcher.stop()


@pytest.mark.parametrize("limit", [None, "", "0", "-1", "2.5", "many", "9" * 5000])
def test_a_charger_that_names_no_limit_gets_one_message(limit):
    here, cp = with_charger("2.0.1")
    for id in ("u1", "u2"):
        push(here, id)
        if id == "u1":
            answer_limit(cp, limit)
        assert answer_part(cp) == 5
    here.dispatcher.stop()


@pytest.mark.parametrize("odd", [{}, {"getVariableResult": None}, {"getVariableResult": {}}, {"getVariableResult": [7]}])
def test_an_answer_of_odd_shape_names_no_limit(odd):
    here, cp = with_charger("2.0.1")
    push(here, "u1")
    cp.answer(odd, next_call(cp)[0])
    assert answer_part(cp) == 5
    here.dispatcher.stop()


def test_the_timeout_bounds_asking_and_all_parts():
    """A charger that does not name its limit has half of it for that."""
    here, cp = with_charger("2.0.1")
    push(here, "u1", timeout=2)
    next_call(cp)
    here.clock.advance(1)
    assert len(next_call(cp)[2]) == 5
    here.clock.advance(1)
    result = here.command_result()
    assert (result["outcome"], result["sent"]) == ("timeout", True)
    push(here, "u2", timeout=2)  # it is not asked again
    assert len(next_call(cp)[2]) == 5
    here.clock.advance(2)
    assert here.command_result()["outcome"] == "timeout"
    here.dispatcher.stop()


def test_asking_takes_no_longer_than_five_seconds_of_a_long_timeout():
    here, cp = with_charger("2.0.1")
    push(here, "u1", timeout=600)
    next_call(cp)
    here.clock.advance(5)
    assert answer_part(cp) == 5
    here.dispatcher.stop()


def test_parts_share_the_timeout_and_what_came_is_told():
    here, cp = with_charger("2.0.1")
    push(here, "u1", timeout=10)
    answer_limit(cp, "2")
    here.clock.advance(6)
    assert answer_part(cp) == 2
    next_call(cp)
    here.clock.advance(4)
    result = here.command_result()
    assert (result["outcome"], result["sent"], len(result["payload"]["getVariableResult"])) == ("timeout", True, 2)
    here.dispatcher.stop()


def test_a_connection_that_ends_among_the_parts_is_lost():
    """A part was sent: it is not `offline`, and the id stays taken."""
    here, cp = with_charger("2.0.1")
    push(here, "u1")
    answer_limit(cp, "2")
    answer_part(cp)
    cp.disconnect()
    results = [event["data"] for event in here.published() if event["event"] == "command_result"]
    assert [(each["outcome"], each["sent"]) for each in results] == [("connection_lost", True)]
    assert here.store.done == {("cp1", "u1")}
    here.dispatcher.stop()


def test_a_charger_of_1_6_is_asked_for_nothing():
    here = in_memory()
    cp = here.connect()
    here.dispatcher.start()
    here.push_command(CpID="cp1", data=[2, "u1", "GetConfiguration", {"key": ["A", "B", "C"]}])
    ((_, id, action, _),) = cp.frames()
    assert (id, action) == ("u1", "GetConfiguration")
    here.dispatcher.stop()
