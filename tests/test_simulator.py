"""One simulated charger on a clock that only the test moves: its life and its transactions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent

from ocpp_tw.simulator.charger import Charger
from ocpp_tw.simulator.drive import charge, keep_charging
from ocpp_tw.simulator.pace import Pace, moment
from ocpp_tw.simulator.power import Car, Outlet
from ocpp_tw.simulator.trace import printer
from ocpp_tw.simulator.v16 import V16
from test_simulator_central import START, Central


@pytest.fixture
def central() -> Iterator[Central]:
    it = Central(connectors=2)
    yield it
    it.ends()


def test_a_charger_boots_and_tells_its_statuses(central: Central) -> None:
    central.comes()
    assert central.names() == ["BootNotification", "0:Available", "1:Available", "2:Available"]
    assert central.charger.accepted


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_charger_that_is_not_accepted_asks_again_after_the_interval_and_says_nothing_else(central: Central, status: str) -> None:
    central.answers["BootNotification"] = {"status": status, "currentTime": "2026-11-23T08:00:00Z", "interval": 60}
    central.comes().run(59)
    assert central.names() == ["BootNotification"]
    central.answers["BootNotification"] = {"status": "Accepted", "currentTime": "2026-11-23T08:00:00Z", "interval": 10}
    central.run(2)
    assert central.names()[0] == "BootNotification" and central.charger.accepted
    central.run(25)
    assert central.names() == ["Heartbeat"] * 2


def test_pending_obeys_commands_and_rejected_is_mute(central: Central) -> None:
    central.answers["BootNotification"] = {"status": "Pending", "currentTime": "2026-11-23T08:00:00Z", "interval": 60}
    central.comes()
    assert central.command("RemoteStartTransaction", {"idTag": "T"}) == {"status": "Rejected"}
    assert central.command("TriggerMessage", {"requestedMessage": "Heartbeat"}) == {"status": "Accepted"}
    central.answers["BootNotification"] = {"status": "Rejected", "currentTime": "2026-11-23T08:00:00Z", "interval": 60}
    central.run(61)
    with pytest.raises(KeyError):  # no answer
        central.raw("ClearCache", {})


def test_a_boot_that_is_not_answered_is_tried_again(central: Central) -> None:
    central.answers["BootNotification"] = None
    central.comes().run(31)
    central.answers["BootNotification"] = "InternalError"
    central.run(31)
    assert central.names() == ["BootNotification"] * 2
    assert central.charger.tally.timeouts == {"BootNotification": 1} and central.charger.tally.callerrors == {
        "BootNotification: InternalError": 1
    }


def test_heartbeats_follow_simulated_time() -> None:
    central = Central(speed_up=60.0).comes()
    central.run(15.5)
    assert central.names().count("Heartbeat") == 3  # each 300 simulated seconds are 5 real ones
    central.ends()


def test_a_whole_transaction() -> None:
    central = Central(speed_up=60.0).comes()
    central.charger.configuration.set("MeterValueSampleInterval", "300")
    central.charger.configuration.set("StopTxnSampledData", "Energy.Active.Import.Register")
    central.names()
    done = Deferred.fromCoroutine(charge(central.charger, "TAG", minutes=30))
    central.run(40)
    assert done.called and done.result is True
    told = [(frame[2], frame[3]) for frame in central.frames if frame[2] != "Heartbeat"]
    assert [name for name, _ in told if name != "StatusNotification"] == [
        "Authorize",
        "StartTransaction",
        *["MeterValues"] * 6,
        "StopTransaction",
    ]
    assert [payload["status"] for name, payload in told if name == "StatusNotification"] == [
        "Preparing",
        "Charging",
        "Finishing",
        "Available",
    ]
    start, stop = (dict(told)[name] for name in ("StartTransaction", "StopTransaction"))
    energy = stop["meterStop"] - start["meterStart"]
    assert 9_000 < energy <= 11_000 and stop["transactionId"] == 1 and stop["reason"] == "Local" and stop["idTag"] == "TAG"
    assert moment(stop["timestamp"]) == pytest.approx((moment(start["timestamp"]) or 0) + 1800, abs=10)
    registers = [int(payload["meterValue"][0]["sampledValue"][0]["value"]) for name, payload in told if name == "MeterValues"]
    assert registers == sorted(registers) and start["meterStart"] < registers[0] and registers[-1] <= stop["meterStop"]
    assert len(stop["transactionData"]) == 8  # the beginning, six samples, the end
    assert central.charger.tally.energy == pytest.approx(energy, abs=2)
    central.ends()


def test_a_direct_current_charger_tells_the_state_of_charge() -> None:
    central = Central(outlet=Outlet(150_000.0), speed_up=60.0).comes()
    central.charger.connectors[0].plug(Car(soc=0.5))
    Deferred.fromCoroutine(central.charger.present("TAG"))
    central.run(5)
    (values, *_) = central.told("MeterValues")
    samples = {each["measurand"]: each for each in values["meterValue"][0]["sampledValue"]}
    assert samples["SoC"]["unit"] == "Percent" and float(samples["SoC"]["value"]) > 50
    central.ends()


def test_a_full_car_suspends_and_a_driver_ends_it() -> None:
    central = Central(speed_up=60.0).comes()
    connector = central.charger.connectors[0]
    connector.plug(Car(soc=0.995))
    Deferred.fromCoroutine(central.charger.present("TAG"))
    central.run(60)
    assert connector.status == "SuspendedEV" and connector.transaction is not None
    connector.unplug()
    central.run(1)
    assert central.told("StopTransaction")[0]["reason"] == "EVDisconnected" and connector.status == "Available"
    central.ends()


def test_a_tag_that_is_not_accepted_starts_nothing(central: Central) -> None:
    central.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    central.charges()
    assert central.told("StartTransaction") == [] and central.charger.tally.tags == {"Blocked": 1}


def test_a_start_that_is_not_accepted_is_stopped(central: Central) -> None:
    central.answers["StartTransaction"] = {"idTagInfo": {"status": "Invalid"}, "transactionId": 7}
    central.charges()
    (stop,) = central.told("StopTransaction")
    assert (stop["reason"], stop["transactionId"]) == ("DeAuthorized", 7)


def test_repeats_of_a_command_are_done_once_and_answered_twice(central: Central) -> None:
    central.comes().names()
    for _ in range(2):
        central.says([2, "same", "TriggerMessage", {"requestedMessage": "Heartbeat"}])
    central.run(1)
    assert central.names() == ["Heartbeat"]


def test_what_cannot_be_read_is_counted_and_answered_where_it_has_an_id(central: Central) -> None:
    central.comes()
    for text in (b"{", b"[2]", b'[9,"x"]', b'[3,"nothing",{}]', b'[2,"id",7,{}]'):
        central.charger.received(text)
    assert central.charger.tally.malformed == 4 and central.charger.tally.strays == 1
    assert central._got["id"][2] == "FormationViolation"


def test_an_error_of_ours_is_an_internal_error(central: Central, tidy: list[LogEvent]) -> None:
    central.comes()
    assert central.raw("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [7]})[2] == "InternalError"
    assert tidy.pop()["log_failure"] is not None


def test_any_message_can_be_asked(central: Central) -> None:
    asked: Any = central.charger.ask("Heartbeat", {})
    assert asked.result.type.__name__ == "Unanswered"  # there is no line
    asked.addErrback(lambda _: None)
    central.comes()
    asked = central.charger.ask("DataTransfer", {"vendorId": "x"})
    central.run(0.1)
    assert asked.result == {"status": "Accepted"}


def test_drivers_come_one_after_the_other_to_all_connectors() -> None:
    central = Central(speed_up=600.0, connectors=2).comes()
    done = Deferred.fromCoroutine(keep_charging(central.charger, "TAG", 3, minutes=10))
    central.run(20)
    assert done.called and [each["connectorId"] for each in central.told("StartTransaction")] == [1, 2, 1]
    central.ends()


def test_the_same_seed_makes_the_same_run() -> None:
    def run() -> list[Any]:
        central = Central(speed_up=60.0).comes()
        Deferred.fromCoroutine(charge(central.charger, "TAG"))
        central.run(40).ends()
        return central.frames

    assert run() == run()


def test_each_step_can_be_read() -> None:
    lines: list[str] = []
    central = Central(speed_up=60.0, trace=printer(lines.append)).comes()
    Deferred.fromCoroutine(charge(central.charger, "TAG"))
    central.run(10)
    central.command("RemoteStopTransaction", {"transactionId": 1})
    central.run(1).ends()
    text = "\n".join(lines)
    for words in (
        "BootNotification",
        "Accepted, interval 300",
        "connector 1 Charging",
        "tag TAG",
        "Accepted, transaction 1",
        " W ",
        "<- RemoteStop",
    ):
        assert words in text, text


def test_times_of_every_kind() -> None:
    assert moment("2026-11-23T08:00:00Z") == moment("2026-11-23T09:00:00+01:00") == moment("2026-11-23T08:00:00")
    assert moment("soon") is None and moment(7) is None
    assert Charger("x", Pace(Central().clock, 1, START), V16).pace.stamp() == "2026-09-21T14:13:20.000Z"
    assert json.loads(json.dumps(V16.readings("t", "Trigger", []))) == [{"timestamp": "t", "sampledValue": []}]
