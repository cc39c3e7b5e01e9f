"""The line that is written for each message of a charger."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from ocpp_tw.simulator.scenario import charge
from ocpp_tw.simulator.trace import brief, printer
from ocpp_tw.simulator.v2.dialect import V201
from simulator.central import Central


def test_each_message_of_1_6_is_one_line() -> None:
    lines: list[str] = []
    central = Central(speed_up=60.0, trace=printer(lines.append)).connect()
    Deferred.fromCoroutine(charge(central.charger, "TAG"))
    central.run(10)
    central.command("RemoteStopTransaction", {"transactionId": 1})
    central.run(1).shut_down()
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


def test_each_message_of_2_x_is_one_line() -> None:
    lines: list[str] = []
    central = Central(V201, speed_up=60.0, trace=printer(lines.append)).connect()
    Deferred.fromCoroutine(charge(central.charger, "TAG"))
    central.run(10).shut_down()
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


def test_a_password_is_not_written_and_a_certificate_is_one_line() -> None:
    assert brief({"key": "authorizationKey", "value": "sixteen bytes 01"}) == "key authorizationKey"
    assert brief({"key": "CpoName", "value": "X"}) == "key CpoName, value X"
    assert brief({"csr": "-----BEGIN\nMIIB\n"}) == "csr -----BEGIN MIIB"
