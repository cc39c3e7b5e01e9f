"""What simulated drivers do, on a clock that only the test advances."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.scenario import charge, keep_charging
from ocpp_tw.simulator.simulated_clock import parse_timestamp
from simulator.central import Central


def test_a_whole_transaction() -> None:
    central = Central(speed_up=60.0).connect()
    central.charger.configuration.set("MeterValueSampleInterval", "300")
    central.charger.configuration.set("StopTxnSampledData", "Energy.Active.Import.Register")
    central.names()
    done = Deferred.fromCoroutine(charge(central.charger, "TAG", minutes=30))
    central.run(40)
    assert done.called and done.result is True
    sent = [(frame[2], frame[3]) for frame in central.frames if frame[2] != "Heartbeat"]
    assert [name for name, _ in sent if name != "StatusNotification"] == [
        "Authorize",
        "StartTransaction",
        *["MeterValues"] * 6,
        "StopTransaction",
    ]
    assert [payload["status"] for name, payload in sent if name == "StatusNotification"] == [
        "Preparing",
        "Charging",
        "Finishing",
        "Available",
    ]
    start, stop = (dict(sent)[name] for name in ("StartTransaction", "StopTransaction"))
    energy = stop["meterStop"] - start["meterStart"]
    assert 9_000 < energy <= 11_000 and stop["transactionId"] == 1 and stop["reason"] == "Local" and stop["idTag"] == "TAG"
    assert parse_timestamp(stop["timestamp"]) == pytest.approx((parse_timestamp(start["timestamp"]) or 0) + 1800, abs=10)
    registers = [int(payload["meterValue"][0]["sampledValue"][0]["value"]) for name, payload in sent if name == "MeterValues"]
    assert registers == sorted(registers) and start["meterStart"] < registers[0] and registers[-1] <= stop["meterStop"]
    assert len(stop["transactionData"]) == 8  # the beginning, six samples, the end
    assert central.charger.tally.energy == pytest.approx(energy, abs=2)
    central.shut_down()


def test_transactions_follow_one_another_on_all_connectors_in_turn() -> None:
    central = Central(speed_up=600.0, connectors=2).connect()
    done = Deferred.fromCoroutine(keep_charging(central.charger, "TAG", 3, minutes=10))
    central.run(20)
    assert done.called and [each["connectorId"] for each in central.payloads("StartTransaction")] == [1, 2, 1]
    central.shut_down()


def test_the_same_seed_makes_the_same_run() -> None:
    def run() -> list[Any]:
        central = Central(speed_up=60.0).connect()
        Deferred.fromCoroutine(charge(central.charger, "TAG"))
        central.run(40).shut_down()
        return central.frames

    assert run() == run()
