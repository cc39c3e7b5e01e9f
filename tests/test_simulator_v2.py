"""A simulated charger of OCPP 2.0.1 and 2.1 on a clock that only the test moves: its transactions, told step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.dialect import Dialect
from ocpp_tw.simulator.drive import charge, keep_charging
from ocpp_tw.simulator.pace import moment
from ocpp_tw.simulator.power import Car
from ocpp_tw.simulator.trace import printer
from ocpp_tw.simulator.v2 import V21, V201
from test_simulator_central import START, Central

BOTH = pytest.mark.parametrize("dialect", [V201, V21], ids=lambda each: each.ocpp)


@pytest.fixture
def central() -> Iterator[Central]:
    it = Central(V201, connectors=2)
    yield it
    it.ends()


def events(central: Central) -> list[Any]:
    told: list[Any] = central.told("TransactionEvent")
    return told


def gapless(told: list[Any]) -> bool:
    """Whether every transaction is told from its beginning, in its order and without a gap."""
    by_id: dict[str, list[Any]] = {}
    for each in told:
        by_id.setdefault(each["transactionInfo"]["transactionId"], []).append(each)
    return all(
        [each["seqNo"] for each in group] == list(range(len(group)))
        and [each["eventType"] == "Started" for each in group] == [True] + [False] * (len(group) - 1)
        and "Ended" not in [each["eventType"] for each in group[:-1]]
        and [each["timestamp"] for each in group] == sorted(each["timestamp"] for each in group)
        for group in by_id.values()
    )


@BOTH
def test_a_charger_boots_and_tells_the_statuses_of_its_evses(dialect: Dialect) -> None:
    central = Central(dialect, connectors=2).comes()
    boot = central.frames[0][3]
    assert boot == {
        "reason": "PowerUp",
        "chargingStation": {
            "vendorName": "ocpp_tw",
            "model": "Simulated charger",
            "serialNumber": "SIM-CP1",
            "firmwareVersion": "1.0.0",
        },
    }
    assert central.names() == ["BootNotification", "1:Available", "2:Available"]
    central.run(301)
    assert central.names() == ["Heartbeat"]
    central.ends()


@BOTH
def test_the_tag_first_and_then_the_plug(dialect: Dialect) -> None:
    central = Central(dialect, speed_up=60.0).comes()
    central.command("SetVariables", {"setVariableData": [variable("SampledDataCtrlr", "TxUpdatedInterval", "600")]})
    central.names()
    done = Deferred.fromCoroutine(charge(central.charger, "TAG", minutes=30))
    central.run(40)
    assert done.called and done.result is True
    frames = [frame for frame in central.frames if frame[2] != "Heartbeat"]
    central.frames = [frame for frame in frames if frame[2] != "StatusNotification"]
    assert central.names() == [
        "Authorize",
        "Started Authorized Idle",
        "Updated CablePluggedIn EVConnected",
        "Updated ChargingStateChanged Charging",
        *["Updated MeterValuePeriodic Charging"] * 2,
        "Ended StopAuthorized EVConnected",
    ]
    central.frames = frames
    told = events(central)
    assert gapless(told)
    start, end = told[0], told[-1]
    assert start["idToken"] == {"idToken": "TAG", "type": "ISO14443"} and start["evse"] == {"id": 1, "connectorId": 1}
    assert start["meterValue"][0]["sampledValue"][0]["context"] == "Transaction.Begin"
    assert end["idToken"] == start["idToken"] and end["transactionInfo"]["stoppedReason"] == "Local"
    ((sample,),) = (each["sampledValue"] for each in end["meterValue"])
    assert sample["context"] == "Transaction.End" and sample["unitOfMeasure"] == {"unit": "Wh"}
    energy = sample["value"] - start["meterValue"][0]["sampledValue"][0]["value"]
    assert 9_000 < energy <= 11_000 and central.charger.tally.energy == pytest.approx(energy, abs=2)
    assert all("offline" not in each for each in told)
    central.ends()


@BOTH
def test_the_plug_first_and_then_the_tag(dialect: Dialect) -> None:
    central = Central(dialect, speed_up=60.0, id_first=False).comes()
    central.names()
    Deferred.fromCoroutine(charge(central.charger, "TAG", minutes=3))
    central.run(10)
    frames = central.frames = [frame for frame in central.frames if frame[2] != "Heartbeat"]
    assert central.names() == [
        "1:Occupied",
        "Started CablePluggedIn EVConnected",
        "Authorize",
        "Updated Authorized EVConnected",
        "Updated ChargingStateChanged Charging",
        *["Updated MeterValuePeriodic Charging"] * 3,
        "Ended StopAuthorized EVConnected",
        "1:Available",
    ]
    central.frames = frames
    told = events(central)
    assert gapless(told) and ["idToken" in each for each in told] == [False, True, False, False, False, False, True]
    central.ends()


def test_a_tag_that_is_not_accepted_ends_with_the_cable(central: Central) -> None:
    central.charger.id_first = False
    central.answers["Authorize"] = {"idTokenInfo": {"status": "Blocked"}}
    central.comes().names()
    Deferred.fromCoroutine(charge(central.charger, "TAG"))
    central.run(60)
    told = events(central)
    assert [each["triggerReason"] for each in told] == ["CablePluggedIn", "EVDeparted"] and gapless(told)
    assert central.charger.tally.tags == {"Blocked": 3}


def test_a_token_that_is_not_accepted_after_the_fact_is_deauthorized(central: Central) -> None:
    central.answers["TransactionEvent"] = {"idTokenInfo": {"status": "ConcurrentTx"}}
    central.charges()
    told = events(central)
    assert [each["triggerReason"] for each in told] == ["Authorized", "Deauthorized"] and gapless(told)
    assert told[1]["transactionInfo"]["stoppedReason"] == "DeAuthorized"


def test_nobody_plugs_in_and_the_transaction_times_out(central: Central) -> None:
    central.charges().run(121)
    told = events(central)
    assert [each["triggerReason"] for each in told] == ["Authorized", "EVConnectTimeout"] and gapless(told)
    assert told[1]["transactionInfo"] | {"transactionId": ""} == {
        "transactionId": "",
        "chargingState": "Idle",
        "stoppedReason": "Timeout",
    }


def test_a_full_car_suspends_and_its_driver_pulls_the_plug() -> None:
    central = Central(V201, speed_up=60.0).charges()
    evse = central.charger.connectors[0]
    evse.plug(Car(soc=0.995))
    central.run(60)
    evse.unplug()
    central.run(1)
    told = events(central)
    assert "SuspendedEV" in [each["transactionInfo"]["chargingState"] for each in told] and gapless(told)
    assert told[-1]["triggerReason"] == "EVDeparted" and told[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    central.ends()


def test_off_line_everything_is_kept_and_replayed_with_its_own_times(central: Central) -> None:
    central.charges().charger.connectors[0].plug(Car())
    central.run(1).goes()
    online = events(central)
    central.run(185)
    central.charger.connectors[0].stop("Local", "TAG")
    central.run(60)
    assert central.frames == []
    central.comes()
    told = events(central)
    assert gapless(online + told) and [each["eventType"] for each in told] == ["Updated"] * 3 + ["Ended"]
    assert all(each["offline"] is True for each in told) and not any("offline" in each for each in online)
    assert (moment(told[-1]["timestamp"]) or 0) < START + 190


def test_a_transaction_wholly_off_line(central: Central) -> None:
    central.comes().goes()
    Deferred.fromCoroutine(central.charger.present("TAG", central.charger.connectors[1]))
    central.charger.connectors[1].plug(Car())
    central.run(70).charger.connectors[1].unplug()
    central.names()
    central.comes().run(1)
    told = events(central)
    assert gapless(told) and len(told) == 5 and all(each["offline"] for each in told)


@pytest.mark.parametrize("how", ["timeout", "break"])
def test_a_lost_answer_repeats_the_same_message(central: Central, how: str) -> None:
    central.answers["TransactionEvent"] = None
    central.charges()
    central.answers["TransactionEvent"] = {}
    if how == "break":
        central.goes()
        central.comes()
    else:
        central.run(30)
        central.unanswered.clear()
        central.run(61)
    first, again = [frame for frame in central.frames if frame[2] == "TransactionEvent"]
    assert first == again


def test_when_memory_runs_out_meter_values_go_first(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocpp_tw.simulator.outbox.LIMIT", 10)
    central.charges().charger.connectors[0].plug(Car())
    central.goes()
    central.run(60 * 20)
    central.charger.connectors[0].stop()
    central.frames.clear()
    central.comes()
    told = events(central)
    assert told[-1]["eventType"] == "Ended" and len(told) == 10 and central.charger.outbox.lost > 5
    assert {each["triggerReason"] for each in told} >= {"CablePluggedIn", "ChargingStateChanged", "StopAuthorized"}


def test_many_transactions_one_after_another() -> None:
    central = Central(V21, speed_up=600.0, connectors=2).comes()
    done = Deferred.fromCoroutine(keep_charging(central.charger, "TAG", 4, minutes=10))
    central.run(40)
    told = events(central)
    assert done.called and gapless(told) and [each["evse"]["id"] for each in told if each["eventType"] == "Started"] == [1, 2, 1, 2]
    assert central.charger.tally.started == central.charger.tally.stopped == 4
    central.ends()


def test_a_stream_is_opened_and_told_and_never_answered() -> None:
    central = Central(V21, stream=True).comes()
    assert "OpenPeriodicEventStream" in central.names()
    assert central.command("GetPeriodicEventStream")["constantStreamData"][0]["params"] == {"interval": 60, "values": 6}
    Deferred.fromCoroutine(central.charger.present("TAG"))
    central.run(0.1).charger.connectors[0].plug(Car())
    central.run(121)
    assert len(central.streamed) == 2 and [len(each["data"]) for each in central.streamed] == [6, 6]
    assert float(central.streamed[1]["data"][-1]["v"]) > 20_000 and central.streamed[0]["data"][1]["t"] == pytest.approx(10, abs=1)
    assert central.command("AdjustPeriodicEventStream", {"id": 1, "params": {"values": 1, "interval": 5}}) == {"status": "Accepted"}
    assert central.command("AdjustPeriodicEventStream", {"id": 9, "params": {}}) == {"status": "Rejected"}
    central.run(11)
    assert len(central.streamed) >= 3
    central.goes()
    central.names()
    seen = len(central.streamed)
    central.run(100)
    assert len(central.streamed) == seen
    central.comes().run(11)
    assert central.names().count("OpenPeriodicEventStream") == 1 and len(central.streamed) > seen
    central.ends()


def test_a_stream_that_is_not_taken_is_not_told() -> None:
    central = Central(V21, stream=True)
    central.answers["OpenPeriodicEventStream"] = {"status": "Rejected"}
    central.comes().run(200)
    assert central.streamed == [] and central.command("GetPeriodicEventStream") == {}
    central.ends()


def test_a_monitor_can_be_streamed_until_it_is_cleared() -> None:
    central = Central(V21).comes()
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
    central.ends()


@BOTH
def test_messages_that_are_never_answered_are_heard_in_silence(dialect: Dialect) -> None:
    central = Central(dialect).comes()
    for text in (b'[6,"a","NotifyPeriodicEventStream",{}]', b'[5,"b","FormatViolation","",{}]'):
        central.charger.received(text)
    central.charger.received(b'[2,"c",7,{}]')
    assert list(central._got) == ["c"] and central._got["c"][2] == "ProtocolError"
    assert central.command("GetLocalListVersion") == {"versionNumber": 0}
    central.ends()


def test_each_step_can_be_read() -> None:
    lines: list[str] = []
    central = Central(V201, speed_up=60.0, trace=printer(lines.append)).comes()
    Deferred.fromCoroutine(charge(central.charger, "TAG"))
    central.run(10).ends()
    text = "\n".join(lines)
    for words in (
        "TransactionEvent",
        "CablePluggedIn",
        "ChargingStateChanged, Charging",
        "MeterValuePeriodic",
        " W",
        "tag TAG",
        "Accepted",
    ):
        assert words in text, text


def variable(component: str, name: str, value: str) -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}
