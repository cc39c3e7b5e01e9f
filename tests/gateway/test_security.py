"""What is told of security: numbered apart, bounded by kind, and without secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from in_memory import in_memory
from ocpp_tw.core.security import Operator
from ocpp_tw.gateway.security import RATE
from ocpp_tw.testing import InMemoryGateway

ALICE = Operator("alice", "192.0.2.1")


def security(here: InMemoryGateway) -> list[dict[str, Any]]:
    return [each for each in here.published() if each["event"] == "security_event"]


def test_a_command_by_http_is_told_with_who_sent_it_and_from_where(said):
    here = in_memory()
    cp = here.connect()
    here.published()
    here.dispatcher.ask(b'{"cp_id": "cp1", "command": "clear_cache", "id": "u1"}', ALICE)
    told = here.published()
    assert [each["event"] for each in told] == ["security_event"], "before it has a result"
    assert told[0]["data"] == {
        "charger": "cp1", "kind": "command", "by": "alice", "remote_address": "192.0.2.1", "detail": "clear_cache", "count": 1, "left_out": 0,
    }  # fmt: skip
    cp.answer({"status": "Accepted"})
    assert "operator's command for cp1: clear_cache, by alice from 192.0.2.1" in said


def test_the_result_of_a_command_names_the_token_that_it_was_sent_with():
    here = in_memory()
    here.application.start()
    cp = here.connect()
    commands = {"u1": ALICE, "u2": Operator()}
    results = {}
    for id, operator in commands.items():
        here.dispatcher.ask(
            json.dumps({"cp_id": "cp1", "command": "clear_cache", "id": id, "by": "mallory", "asker": "gw-9"}).encode(), operator
        )
        cp.answer({"status": "Accepted"})
        results[id] = here.command_result()["by"]
    here.push_command(cp_id="cp1", command="clear_cache", data={}, id="u3", by="mallory")
    cp.answer({"status": "Accepted"})
    assert results == {"u1": "alice", "u2": ""} and here.command_result()["by"] is None


@pytest.mark.parametrize("operator", [ALICE, Operator()])
def test_the_name_goes_with_a_command_to_the_gateway_that_has_the_charger(operator):
    first = in_memory(name="gw-1")
    second = InMemoryGateway(in_memory(name="gw-2").settings, first.store, first.clock)
    for each in (first, second):
        each.application.start()
    cp = second.connect()
    first.dispatcher.ask(b'{"cp_id": "cp1", "command": "clear_cache", "id": "u1"}', operator)
    cp.answer({"status": "Accepted"})
    (result,) = [each for each in second.published() if each["event"] == "command_result"]
    assert (result["gateway"], result["data"]["by"]) == ("gw-2", operator.name)


def test_what_an_operator_does_is_numbered_with_the_charger_and_all_else_apart():
    """A consumer that counts the numbers of a charger by its name finds no gap."""
    here = in_memory()
    here.connect()
    numbers: dict[str, list[int]] = {}
    for kind in ("decision", "command"):
        here.application.security.operator(kind, ALICE, "cp1", "x")
    for _ in range(2):
        here.application.security.tell("login_failed", "wrong token", address="192.0.2.9", count=7)
    for each in here.published():
        numbers.setdefault(each["data"]["charger"], []).append(each["seq"])
    assert numbers == {"cp1": [1, 2, 3], "": [1, 2]}


def test_a_flood_of_one_kind_is_counted_and_hides_no_other(said):
    here = in_memory()
    for _ in range(RATE.burst + 50):
        here.application.security.operator("command", ALICE, "cp1", "Reset")
    assert len(security(here)) == RATE.burst == len(said)
    here.application.security.operator("decision", ALICE, "cp1", "version")
    here.clock.advance(1)
    here.application.security.operator("command", ALICE, "cp1", "Reset")
    assert [(each["data"]["kind"], each["data"]["left_out"]) for each in security(here)] == [("decision", 0), ("command", 50)]


def test_the_log_shows_a_name_cut_and_printable(said):
    here = in_memory()
    here.application.security.operator("command", ALICE, "\x1b" * 200_000, "Reset")
    assert len(said[0]) < 1000 and said[0].isprintable()
