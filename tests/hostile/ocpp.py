"""Chargers' messages as attackers use them: valid ones, and the connections that have booted.

Knows nothing of what the gateway does with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hostile.attack import Target
from hostile.wire import Line, call, frame

TIME = "2026-11-23T10:00:00Z"
HEARTBEAT = frame(call("Heartbeat", {}))
BOOT = frame(call("BootNotification", {"chargePointVendor": "Hostile", "chargePointModel": "One"}, "boot"))
BOOT_2X = frame(call("BootNotification", {"reason": "PowerUp", "chargingStation": {"vendorName": "Hostile", "model": "One"}}, "boot"))


def opener(target: Target, id: str = "hostile", protocol: str = "ocpp1.6", more: str = "", boots: bool = True) -> Callable[[], Line]:
    """Opens connections of this charger; they have sent their BootNotification."""

    def open() -> Line:
        line = Line(target.port, id, protocol, more=more, tls=bool(target.certificate), timeout=3)
        if boots:
            line.socket.sendall(BOOT if protocol == "ocpp1.6" else BOOT_2X)
        return line

    return open


def start(id: str, tag: str = "TAG", connector: int = 1, meter: int = 0) -> bytes:
    """A StartTransaction."""
    return call("StartTransaction", {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": TIME}, id)


def meter_values(id: str, measurand: str = "Energy.Active.Import.Register", value: str = "1") -> bytes:
    """MeterValues with one sample."""
    sample = {"value": value, "measurand": measurand}
    return call("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": TIME, "sampledValue": [sample]}]}, id)


def data_transfer(id: str, size: int, fill: str = "a") -> bytes:
    """A DataTransfer of about that size."""
    return call("DataTransfer", {"vendorId": "hostile", "data": fill * size}, id)


def transaction_event(id: str, kind: str, transaction: str, seq_no: int, **more: Any) -> bytes:
    """A TransactionEvent of 2.0.1."""
    payload = {
        "eventType": kind, "timestamp": TIME, "triggerReason": "MeterValuePeriodic" if kind == "Updated" else "Authorized",
        "seqNo": seq_no, "transactionInfo": {"transactionId": transaction}, **more,
    }  # fmt: skip
    return call("TransactionEvent", payload, id)
