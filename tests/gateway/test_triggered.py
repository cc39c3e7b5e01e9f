"""What a charger was asked for is served before it is accepted (B02.FR.02, B02.FR.09, 1.6 §4.2), and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from in_memory import in_memory
from ocpp_tw.testing import ChargerClient

BOOT_1 = {"chargePointVendor": "V", "chargePointModel": "M"}
BOOT_2 = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
TIME = "2026-11-23T08:00:00Z"


def pending(ocpp: str) -> ChargerClient:
    """A charger that was answered Pending."""
    cp = in_memory(boot_status="Pending").connect(ocpp=ocpp)
    assert cp.call("BootNotification", BOOT_1 if ocpp == "1.6" else BOOT_2)["status"] == "Pending"
    return cp


def trigger(cp: ChargerClient, message: str, action: str = "TriggerMessage", status: str = "Accepted", **more: Any) -> None:
    """The charger is asked for a message, and answers."""
    cp.charger.call(action, {"requestedMessage": message, **more})
    cp.answer({"status": status})
    cp.frames()


def status(conn: int, ocpp: str = "1.6", connector: int = 1) -> dict[str, Any]:
    """A StatusNotification's payload."""
    if ocpp == "1.6":
        return {"connectorId": conn, "errorCode": "NoError", "status": "Available"}
    return {"timestamp": TIME, "connectorStatus": "Available", "evseId": conn, "connectorId": connector}


def meter(conn: int, ocpp: str = "1.6") -> dict[str, Any]:
    """A MeterValues' payload."""
    value = "1" if ocpp == "1.6" else 1
    return {"connectorId" if ocpp == "1.6" else "evseId": conn, "meterValue": [{"timestamp": TIME, "sampledValue": [{"value": value}]}]}


@pytest.mark.parametrize(
    ("ocpp", "action", "message", "comes", "payload"),
    [
        ("1.6", "ExtendedTriggerMessage", "SignChargePointCertificate", "SignCertificate", {"csr": "x"}),
        ("2.0.1", "TriggerMessage", "SignChargingStationCertificate", "SignCertificate", {"csr": "x"}),
        ("2.0.1", "TriggerMessage", "SignCombinedCertificate", "SignCertificate", {"csr": "x"}),
        ("2.0.1", "TriggerMessage", "SignV2GCertificate", "SignCertificate", {"csr": "x"}),
        ("2.1", "TriggerMessage", "SignV2G20Certificate", "SignCertificate", {"csr": "x"}),
        ("2.1", "TriggerMessage", "SignChargingStationCertificate", "SignCertificate", {"csr": "x"}),
        ("1.6", "ExtendedTriggerMessage", "FirmwareStatusNotification", "SignedFirmwareStatusNotification", {"status": "Idle"}),
        ("1.6", "TriggerMessage", "FirmwareStatusNotification", "FirmwareStatusNotification", {"status": "Idle"}),
        ("1.6", "ExtendedTriggerMessage", "LogStatusNotification", "LogStatusNotification", {"status": "Idle"}),
        ("1.6", "TriggerMessage", "DiagnosticsStatusNotification", "DiagnosticsStatusNotification", {"status": "Idle"}),
        ("1.6", "TriggerMessage", "Heartbeat", "Heartbeat", {}),
        ("2.0.1", "TriggerMessage", "PublishFirmwareStatusNotification", "PublishFirmwareStatusNotification", {"status": "Idle"}),
    ],
)
def test_a_message_that_we_triggered_is_served_once_under_whatever_name(ocpp, action, message, comes, payload):
    """B02.FR.02, B02.FR.09, 1.6 §4.2: a charger may need its certificate before it can be accepted."""
    cp = pending(ocpp)
    assert cp.call_error(comes, payload) == "SecurityError"
    trigger(cp, message, action)
    cp.call(comes, payload)
    assert cp.call_error(comes, payload) == "SecurityError"


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
def test_a_trigger_of_no_connector_is_for_one_message_of_each(ocpp):
    """1.6 §5.17, F06."""
    cp = pending(ocpp)
    trigger(cp, "StatusNotification")
    trigger(cp, "MeterValues")
    for conn in range(1, 4):
        for action, payload in ("StatusNotification", status(conn, ocpp)), ("MeterValues", meter(conn, ocpp)):
            assert cp.call(action, payload) == {}
            assert cp.call_error(action, payload) == "SecurityError"


@pytest.mark.parametrize(("ocpp", "place"), [("1.6", {"connectorId": 1}), ("2.0.1", {"evse": {"id": 1, "connectorId": 1}})])
def test_a_trigger_of_one_connector_is_for_one_message(ocpp, place):
    """1.6 §5.17; two triggers are for two."""
    cp = pending(ocpp)
    for _ in range(2):
        trigger(cp, "StatusNotification", **place)
    cp.call("StatusNotification", status(1, ocpp))
    cp.call("StatusNotification", status(1, ocpp))
    assert cp.call_error("StatusNotification", status(1, ocpp)) == "SecurityError"


def test_a_trigger_of_an_evse_is_for_the_status_of_each_of_its_connectors():
    """F06: StatusNotification is about a connector, the others about an EVSE."""
    cp = pending("2.0.1")
    trigger(cp, "StatusNotification", evse={"id": 1})
    trigger(cp, "MeterValues", evse={"id": 1})
    cp.call("StatusNotification", status(1, "2.0.1", 1))
    cp.call("StatusNotification", status(1, "2.0.1", 2))
    cp.call("MeterValues", meter(1, "2.0.1"))
    assert cp.call_error("MeterValues", meter(2, "2.0.1")) == "SecurityError"


def test_a_trigger_of_transactions_is_for_one_event_of_each():
    """F06: a transaction that runs already when the charger boots."""
    cp = pending("2.0.1")
    trigger(cp, "TransactionEvent")
    for id in ("t1", "t2"):
        event = {
            "eventType": "Updated",
            "timestamp": TIME,
            "triggerReason": "Trigger",
            "seqNo": 4,
            "transactionInfo": {"transactionId": id},
        }
        cp.call("TransactionEvent", event)
        assert cp.call_error("TransactionEvent", event | {"seqNo": 5}) == "SecurityError"


def test_what_was_triggered_may_come_before_the_answer():
    """The order of the two is not seen in a charger that has two queues."""
    cp = pending("1.6")
    cp.charger.call("TriggerMessage", {"requestedMessage": "Heartbeat"})
    cp.frames()
    cp.call("Heartbeat")


@pytest.mark.parametrize("status", ["Rejected", "NotImplemented"])
def test_what_the_charger_refused_to_send_was_not_triggered(status):
    cp = pending("1.6")
    trigger(cp, "Heartbeat", status=status)
    assert cp.call_error("Heartbeat") == "SecurityError"


def test_a_message_of_the_vendors_own_choice_may_be_triggered():
    """2.1: the charger names it in customTrigger."""
    cp = pending("2.1")
    trigger(cp, "CustomTrigger", customTrigger="NotifyEvent")
    assert cp.call_error("Heartbeat") == "SecurityError"
    cp.call("NotifyEvent", {"generatedAt": TIME, "seqNo": 0, "eventData": []})
