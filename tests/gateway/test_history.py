"""What a gateway records of what it does, for operators to look at: ended transactions, commands, troubles, and who is away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocpp_tw.core.entries import AWAY, FLEET
from ocpp_tw.core.security import Operator
from ocpp_tw.memory import MemoryStore
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway

BOOT = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.2", "chargePointSerialNumber": "S1"}


def recorded(gateway: InMemoryGateway, history: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in gateway.store.recent[history]]


def away(gateway: InMemoryGateway) -> dict[str, Any]:
    return {charger: json.loads(row) for charger, row in gateway.store.tables[FLEET, AWAY].items()}


@pytest.fixture
def gateway() -> InMemoryGateway:
    return InMemoryGateway()


async def test_a_transaction_of_1_6_that_has_ended_is_recorded_once(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    start = {"connectorId": 1, "idTag": "T", "meterStart": 100, "timestamp": "2026-11-23T08:00:00Z"}
    id = charger.call("StartTransaction", start)["transactionId"]
    assert recorded(gateway, "transactions") == []
    stop = {"transactionId": id, "meterStop": 1600, "timestamp": "2026-11-23T09:00:00Z", "reason": "EVDisconnected"}
    charger.call("StopTransaction", stop)
    charger.call("StopTransaction", stop)
    (row,) = recorded(gateway, "transactions")
    assert row["id"] == id and row["charger"] == "cp1" and row["conn"] == 1 and row["tag"] == "T" and row["state"] == "ended"
    assert (row["started"], row["ended"]) == ("2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z")
    assert (row["energy_wh"], row["duration_s"], row["reason"], row["provisional"]) == (1500, 3600, "EVDisconnected", False)
    assert row["gateway"] == "gw" and row["ocpp"] == "1.6"


async def test_a_transaction_of_2_0_1_that_has_ended_is_recorded_once(gateway: InMemoryGateway) -> None:
    charger = gateway.connect(ocpp="2.0.1")

    def event(kind: str, number: int, **more: Any) -> None:
        info = {"eventType": kind, "seqNo": number, "timestamp": f"2026-11-23T08:0{number}:00Z", "triggerReason": "CablePluggedIn"}
        charger.call("TransactionEvent", {**info, "transactionInfo": {"transactionId": "t1"}, "evse": {"id": 2, "connectorId": 1}, **more})

    event("Started", 0, idToken={"idToken": "T", "type": "ISO14443"})
    event("Ended", 1)
    event("Ended", 1)
    (row,) = recorded(gateway, "transactions")
    assert (row["id"], row["conn"], row["tag"], row["duration_s"], row["ocpp"]) == ("t1", 2, "T", 60, "2.0.1")


async def test_a_stop_of_an_unknown_transaction_is_recorded_with_what_it_says(gateway: InMemoryGateway) -> None:
    gateway.connect().call("StopTransaction", {"transactionId": 7, "meterStop": 5, "timestamp": "2026-11-23T09:00:00Z", "idTag": "T"})
    (row,) = recorded(gateway, "transactions")
    assert (row["id"], row["tag"], row["started"], row["energy_wh"], row["match"]) == (7, "T", None, None, "none")


async def test_a_command_is_recorded_with_its_result_but_for_a_long_answer(gateway: InMemoryGateway) -> None:
    gateway.application.dispatcher.start()
    charger = gateway.connect()
    for length in (10, 5000):
        gateway.push_command(cp_id="cp1", data=[2, f"c{length}", "GetConfiguration", {}])
        charger.answer({"configurationKey": [{"key": "k", "readonly": True, "value": "v" * min(length, 500)}] * (1 + length // 400)})
    gateway.push_command(cp_id="cp2", data=[2, "away", "Reset", {"type": "Soft"}])
    rows = {row["id"]: row for row in recorded(gateway, "commands")}
    gateway.application.stop()
    assert rows["c10"]["outcome"] == "result" and rows["c10"]["payload"]["configurationKey"][0]["key"] == "k"
    assert rows["c5000"]["outcome"] == "result" and rows["c5000"]["payload"] is None
    assert rows["away"]["outcome"] == "offline" and rows["away"]["charger"] == "cp2" and rows["away"]["gateway"] == "gw"


async def test_troubles_are_recorded(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    charger.call_error("Nonsense")
    charger.disconnect(1008, "flooding")
    gateway.connect("cp2").disconnect(1006)
    rows = [(row["event"], row["charger"], row.get("code")) for row in recorded(gateway, "troubles")]
    assert rows == [("message_refused", "cp1", "NotImplemented"), ("disconnect_charger", "cp1", 1008)]


async def test_what_operators_do_is_no_trouble(gateway: InMemoryGateway) -> None:
    security = gateway.application.security
    security.operator("command", Operator("alice", "10.0.0.9"), "cp1", "reset")
    security.tell("take_over_refused", "it is alive", charger="cp1", address="10.0.0.2")
    assert [row["kind"] for row in recorded(gateway, "troubles")] == ["take_over_refused"]


async def test_a_charger_is_away_until_it_is_back(gateway: InMemoryGateway) -> None:
    charger = gateway.connect()
    charger.call("BootNotification", BOOT)
    assert away(gateway) == {}
    gateway.clock.advance(90)
    charger.disconnect(1001, "bye")
    row = away(gateway)["cp1"]
    assert row["time"] == "2026-09-21T14:14:50.000Z"
    assert {name: row[name] for name in ("code", "reason", "seconds", "gateway", "ocpp")} == {
        "code": 1001, "reason": "bye", "seconds": 90.0, "gateway": "gw", "ocpp": "1.6",
    }  # fmt: skip
    assert (row["vendor"], row["model"], row["firmware"], row["serial"]) == ("V", "M", "1.2", "S1")
    gateway.connect()
    assert away(gateway) == {}


async def test_a_charger_whose_gateway_is_gone_is_away() -> None:
    store = MemoryStore()
    gone = InMemoryGateway(Settings(name="gone"), store)
    gone.connect().call("BootNotification", BOOT)
    store.living.discard("gone")
    other = InMemoryGateway(Settings(name="other"), store)
    other.gateway.orphans.start()
    other.clock.advance(3)
    other.gateway.orphans.stop()
    row = away(other)["cp1"]
    assert (row["code"], row["gateway"], row["reason"]) == (None, "gone", "its gateway gone is gone")
    assert (row["vendor"], row["model"], row["firmware"], row["serial"]) == ("V", "M", "1.2", "S1")


async def test_without_a_history_nothing_is_recorded() -> None:
    gateway = InMemoryGateway(Settings(name="gw", history=0))
    gateway.connect().call_error("Nonsense")
    assert recorded(gateway, "troubles") == []
