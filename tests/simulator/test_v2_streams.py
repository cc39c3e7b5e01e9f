"""Periodic event streams of a simulated charger (OCPP 2.1)."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.power import Car
from ocpp_tw.simulator.v2.dialect import V21
from simulator.central import Central


def test_a_stream_is_opened_and_sent_and_never_answered() -> None:
    central = Central(V21, stream=True).connect()
    assert "OpenPeriodicEventStream" in central.names()
    assert central.command("GetPeriodicEventStream")["constantStreamData"][0]["params"] == {"interval": 60, "values": 6}
    Deferred.fromCoroutine(central.charger.authorize_and_start("TAG"))
    central.run(0.1).charger.connectors[0].plug(Car())
    central.run(121)
    assert len(central.streamed) == 2 and [len(each["data"]) for each in central.streamed] == [6, 6]
    assert float(central.streamed[1]["data"][-1]["v"]) > 20_000 and central.streamed[0]["data"][1]["t"] == pytest.approx(10, abs=1)
    assert central.command("AdjustPeriodicEventStream", {"id": 1, "params": {"values": 1, "interval": 5}}) == {"status": "Accepted"}
    assert central.command("AdjustPeriodicEventStream", {"id": 9, "params": {}}) == {"status": "Rejected"}
    central.run(11)
    assert len(central.streamed) >= 3
    central.disconnect()
    central.names()
    seen = len(central.streamed)
    central.run(100)
    assert len(central.streamed) == seen
    central.connect().run(11)
    assert central.names().count("OpenPeriodicEventStream") == 1 and len(central.streamed) > seen
    central.shut_down()


def test_a_stream_that_is_rejected_is_not_sent() -> None:
    central = Central(V21, stream=True)
    central.answers["OpenPeriodicEventStream"] = {"status": "Rejected"}
    central.connect().run(200)
    assert central.streamed == [] and central.command("GetPeriodicEventStream") == {}
    central.shut_down()


def test_a_monitor_can_be_streamed_until_it_is_cleared() -> None:
    central = Central(V21).connect()
    place = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "AvailabilityState"}}
    monitor = place | {"value": 1.0, "type": "Periodic", "severity": 5, "periodicEventStream": {"interval": 10}}
    (result,) = central.command("SetVariableMonitoring", {"setMonitoringData": [monitor]})["setMonitoringResult"]
    central.run(31)
    assert [each["data"][0]["v"] for each in central.streamed] == ["Available"] * 3
    central.names()
    assert central.command("ClearVariableMonitoring", {"id": [result["id"], 99]}) == {
        "clearMonitoringResult": [{"id": result["id"], "status": "Accepted"}, {"id": 99, "status": "NotFound"}]
    }
    central.run(31)
    assert central.names() == ["ClosePeriodicEventStream"] and len(central.streamed) == 3
    central.shut_down()
