"""A simulated charger of OCPP 2.0.1 and 2.1 on a clock that only the test advances: its transactions and their events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ocpp_tw.simulator.dialect import Dialect
from ocpp_tw.simulator.power import Car
from ocpp_tw.simulator.scenario import charge, keep_charging
from ocpp_tw.simulator.simulated_clock import parse_timestamp
from ocpp_tw.simulator.v2.dialect import V21, V201
from simulator.central import START, Central, events, gapless

BOTH = pytest.mark.parametrize("dialect", [V201, V21], ids=lambda each: each.ocpp)


@pytest.fixture
def central() -> Iterator[Central]:
    it = Central(V201, connectors=2)
    yield it
    it.shut_down()


@BOTH
def test_a_charger_boots_and_reports_the_statuses_of_its_evses(dialect: Dialect) -> None:
    central = Central(dialect, connectors=2).connect()
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
    central.shut_down()


@BOTH
def test_the_tag_first_and_then_the_plug(dialect: Dialect) -> None:
    central = Central(dialect, speed_up=60.0).connect()
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
    sent = events(central)
    assert gapless(sent)
    start, end = sent[0], sent[-1]
    assert start["idToken"] == {"idToken": "TAG", "type": "ISO14443"} and start["evse"] == {"id": 1, "connectorId": 1}
    assert start["meterValue"][0]["sampledValue"][0]["context"] == "Transaction.Begin"
    assert end["idToken"] == start["idToken"] and end["transactionInfo"]["stoppedReason"] == "Local"
    ((sample,),) = (each["sampledValue"] for each in end["meterValue"])
    assert sample["context"] == "Transaction.End" and sample["unitOfMeasure"] == {"unit": "Wh"}
    energy = sample["value"] - start["meterValue"][0]["sampledValue"][0]["value"]
    assert 9_000 < energy <= 11_000 and central.charger.tally.energy == pytest.approx(energy, abs=2)
    assert all("offline" not in each for each in sent)
    central.shut_down()


@BOTH
def test_the_plug_first_and_then_the_tag(dialect: Dialect) -> None:
    central = Central(dialect, speed_up=60.0, id_first=False).connect()
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
    sent = events(central)
    assert gapless(sent) and ["idToken" in each for each in sent] == [False, True, False, False, False, False, True]
    central.shut_down()


def test_a_tag_that_is_not_accepted_ends_with_the_cable(central: Central) -> None:
    central.charger.id_first = False
    central.answers["Authorize"] = {"idTokenInfo": {"status": "Blocked"}}
    central.connect().names()
    Deferred.fromCoroutine(charge(central.charger, "TAG"))
    central.run(60)
    sent = events(central)
    assert [each["triggerReason"] for each in sent] == ["CablePluggedIn", "EVDeparted"] and gapless(sent)
    assert central.charger.tally.tags == {"Blocked": 3}


def test_a_token_that_is_not_accepted_after_the_fact_is_deauthorized(central: Central) -> None:
    central.answers["TransactionEvent"] = {"idTokenInfo": {"status": "ConcurrentTx"}}
    central.start_charging()
    sent = events(central)
    assert [each["triggerReason"] for each in sent] == ["Authorized", "Deauthorized"] and gapless(sent)
    assert sent[1]["transactionInfo"]["stoppedReason"] == "DeAuthorized"


def test_a_transaction_without_a_plug_times_out(central: Central) -> None:
    central.start_charging().run(121)
    sent = events(central)
    assert [each["triggerReason"] for each in sent] == ["Authorized", "EVConnectTimeout"] and gapless(sent)
    assert sent[1]["transactionInfo"] | {"transactionId": ""} == {
        "transactionId": "",
        "chargingState": "Idle",
        "stoppedReason": "Timeout",
    }


def test_a_full_car_suspends_and_its_driver_pulls_the_plug() -> None:
    central = Central(V201, speed_up=60.0).start_charging()
    evse = central.charger.connectors[0]
    evse.plug(Car(soc=0.995))
    central.run(60)
    evse.unplug()
    central.run(1)
    sent = events(central)
    assert "SuspendedEV" in [each["transactionInfo"]["chargingState"] for each in sent] and gapless(sent)
    assert sent[-1]["triggerReason"] == "EVDeparted" and sent[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    central.shut_down()


def test_offline_messages_are_kept_and_sent_later_with_their_own_timestamps(central: Central) -> None:
    central.start_charging().charger.connectors[0].plug(Car())
    central.run(1).disconnect()
    online = events(central)
    central.run(185)
    central.charger.connectors[0].stop("Local", "TAG")
    central.run(60)
    assert central.frames == []
    central.connect()
    sent = events(central)
    assert gapless(online + sent) and [each["eventType"] for each in sent] == ["Updated"] * 3 + ["Ended"]
    assert all(each["offline"] is True for each in sent) and not any("offline" in each for each in online)
    assert (parse_timestamp(sent[-1]["timestamp"]) or 0) < START + 190


def test_a_transaction_that_is_wholly_offline_is_sent_later(central: Central) -> None:
    central.connect().disconnect()
    Deferred.fromCoroutine(central.charger.authorize_and_start("TAG", central.charger.connectors[1]))
    central.charger.connectors[1].plug(Car())
    central.run(70).charger.connectors[1].unplug()
    central.names()
    central.connect().run(1)
    sent = events(central)
    assert gapless(sent) and len(sent) == 5 and all(each["offline"] for each in sent)


@pytest.mark.parametrize("how", ["timeout", "break"])
def test_a_lost_answer_repeats_the_same_message(central: Central, how: str) -> None:
    central.answers["TransactionEvent"] = None
    central.start_charging()
    central.answers["TransactionEvent"] = {}
    if how == "break":
        central.disconnect()
        central.connect()
    else:
        central.run(30)
        central.unanswered.clear()
        central.run(61)
    first, again = [frame for frame in central.frames if frame[2] == "TransactionEvent"]
    assert first == again


def test_a_full_queue_drops_meter_values_first(central: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocpp_tw.simulator.transaction_queue.MAX_MESSAGES", 10)
    central.start_charging().charger.connectors[0].plug(Car())
    central.disconnect()
    central.run(60 * 20)
    central.charger.connectors[0].stop()
    central.frames.clear()
    central.connect()
    sent = events(central)
    assert sent[-1]["eventType"] == "Ended" and len(sent) == 10 and central.charger.queue.lost > 5
    assert {each["triggerReason"] for each in sent} >= {"CablePluggedIn", "ChargingStateChanged", "StopAuthorized"}


def test_many_transactions_one_after_another() -> None:
    central = Central(V21, speed_up=600.0, connectors=2).connect()
    done = Deferred.fromCoroutine(keep_charging(central.charger, "TAG", 4, minutes=10))
    central.run(40)
    sent = events(central)
    assert done.called and gapless(sent) and [each["evse"]["id"] for each in sent if each["eventType"] == "Started"] == [1, 2, 1, 2]
    assert central.charger.tally.started == central.charger.tally.stopped == 4
    central.shut_down()


@BOTH
def test_messages_that_need_no_answer_get_none(dialect: Dialect) -> None:
    central = Central(dialect).connect()
    for text in (b'[6,"a","NotifyPeriodicEventStream",{}]', b'[5,"b","FormatViolation","",{}]'):
        central.charger.received(text)
    central.charger.received(b'[2,"c",7,{}]')
    assert list(central.responses) == ["c"] and central.responses["c"][2] == "ProtocolError"
    assert central.command("GetLocalListVersion") == {"versionNumber": 0}
    central.shut_down()


def variable(component: str, name: str, value: str) -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}
