"""One simulated charger on a clock that only the test advances: its registration and its transactions."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent

from ocpp_tw.simulator.power import Car, Outlet
from simulator.central import Central


def test_a_charger_boots_and_reports_its_statuses(central: Central) -> None:
    central.connect()
    assert central.names() == ["BootNotification", "0:Available", "1:Available", "2:Available"]
    assert central.charger.accepted


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_a_charger_that_is_not_accepted_boots_again_after_the_interval_and_sends_nothing_else(central: Central, status: str) -> None:
    central.answers["BootNotification"] = {"status": status, "currentTime": "2026-11-23T08:00:00Z", "interval": 60}
    central.connect().run(59)
    assert central.names() == ["BootNotification"]
    central.answers["BootNotification"] = {"status": "Accepted", "currentTime": "2026-11-23T08:00:00Z", "interval": 10}
    central.run(2)
    assert central.names()[0] == "BootNotification" and central.charger.accepted
    central.run(25)
    assert central.names() == ["Heartbeat"] * 2


def test_a_pending_charger_executes_commands_and_a_rejected_one_is_mute(central: Central) -> None:
    central.answers["BootNotification"] = {"status": "Pending", "currentTime": "2026-11-23T08:00:00Z", "interval": 60}
    central.connect()
    assert central.command("RemoteStartTransaction", {"idTag": "T"}) == {"status": "Rejected"}
    assert central.command("TriggerMessage", {"requestedMessage": "Heartbeat"}) == {"status": "Accepted"}
    central.answers["BootNotification"] = {"status": "Rejected", "currentTime": "2026-11-23T08:00:00Z", "interval": 60}
    central.run(61)
    with pytest.raises(KeyError):  # no answer
        central.raw("ClearCache", {})


def test_an_unanswered_boot_notification_is_sent_again(central: Central) -> None:
    central.answers["BootNotification"] = None
    central.connect().run(31)
    central.answers["BootNotification"] = "InternalError"
    central.run(31)
    assert central.names() == ["BootNotification"] * 2
    assert central.charger.tally.timeouts == {"BootNotification": 1} and central.charger.tally.callerrors == {
        "BootNotification: InternalError": 1
    }


def test_heartbeats_follow_simulated_time() -> None:
    central = Central(speed_up=60.0).connect()
    central.run(15.5)
    assert central.names().count("Heartbeat") == 3  # each 300 simulated seconds are 5 real ones
    central.shut_down()


def test_a_dc_charger_reports_the_state_of_charge() -> None:
    central = Central(outlet=Outlet(150_000.0), speed_up=60.0).connect()
    central.charger.connectors[0].plug(Car(soc=0.5))
    Deferred.fromCoroutine(central.charger.authorize_and_start("TAG"))
    central.run(5)
    (values, *_) = central.payloads("MeterValues")
    samples = {each["measurand"]: each for each in values["meterValue"][0]["sampledValue"]}
    assert samples["SoC"]["unit"] == "Percent" and float(samples["SoC"]["value"]) > 50
    central.shut_down()


def test_a_full_car_suspends_and_a_driver_ends_it() -> None:
    central = Central(speed_up=60.0).connect()
    connector = central.charger.connectors[0]
    connector.plug(Car(soc=0.995))
    Deferred.fromCoroutine(central.charger.authorize_and_start("TAG"))
    central.run(60)
    assert connector.status == "SuspendedEV" and connector.transaction is not None
    connector.unplug()
    central.run(1)
    assert central.payloads("StopTransaction")[0]["reason"] == "EVDisconnected" and connector.status == "Available"
    central.shut_down()


def test_a_tag_that_is_not_accepted_starts_nothing(central: Central) -> None:
    central.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    central.start_charging()
    assert central.payloads("StartTransaction") == [] and central.charger.tally.tags == {"Blocked": 1}


def test_a_start_that_is_not_accepted_is_stopped(central: Central) -> None:
    central.answers["StartTransaction"] = {"idTagInfo": {"status": "Invalid"}, "transactionId": 7}
    central.start_charging()
    (stop,) = central.payloads("StopTransaction")
    assert (stop["reason"], stop["transactionId"]) == ("DeAuthorized", 7)


def test_a_repeated_command_is_executed_once_and_answered_twice(central: Central) -> None:
    central.connect().names()
    for _ in range(2):
        central.deliver([2, "same", "TriggerMessage", {"requestedMessage": "Heartbeat"}])
    central.run(1)
    assert central.names() == ["Heartbeat"]


def test_an_unreadable_message_is_counted_and_answered_if_it_has_an_id(central: Central) -> None:
    central.connect()
    for text in (b"{", b"[2]", b'[9,"x"]', b'[3,"nothing",{}]', b'[2,"id",7,{}]'):
        central.charger.received(text)
    assert central.charger.tally.malformed == 4 and central.charger.tally.strays == 1
    assert central.responses["id"][2] == "FormationViolation"


def test_a_bug_in_a_command_is_answered_with_an_internal_error(central: Central, tidy: list[LogEvent]) -> None:
    central.connect()
    assert central.raw("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [7]})[2] == "InternalError"
    assert tidy.pop()["log_failure"] is not None


def test_any_call_can_be_sent(central: Central) -> None:
    asked: Any = central.charger.call("Heartbeat", {})
    assert asked.result.type.__name__ == "Unanswered"  # there is no connection
    asked.addErrback(lambda _: None)
    central.connect()
    asked = central.charger.call("DataTransfer", {"vendorId": "x"})
    central.run(0.1)
    assert asked.result == {"status": "Accepted"}
