"""What chargers say while they charge: the messages of tests that look at what is kept of them."""

from __future__ import annotations

from typing import Any

from ocpp_tw.testing import ChargerClient

TIME = "2026-09-21T14:00:00Z"
ENERGY, POWER = "Energy.Active.Import.Register", "Power.Active.Import"


def begin(charger: ChargerClient, conn: int = 1, meter: int = 1000) -> int:
    start = {"connectorId": conn, "idTag": "T", "meterStart": meter, "timestamp": TIME}
    return charger.call("StartTransaction", start)["transactionId"]


def end(charger: ChargerClient, id: int, meter: int) -> None:
    charger.call("StopTransaction", {"transactionId": id, "meterStop": meter, "timestamp": TIME})


def meter(charger: ChargerClient, id: int | None, conn: int = 1, **values: Any) -> None:
    names = {"energy": (ENERGY, "Wh"), "power": (POWER, "W"), "soc": ("SoC", "Percent")}
    sampled = [{"value": str(value), "measurand": names[name][0], "unit": names[name][1]} for name, value in values.items()]
    payload = {"connectorId": conn, "meterValue": [{"timestamp": TIME, "sampledValue": sampled}]}
    charger.call("MeterValues", payload | ({} if id is None else {"transactionId": id}))


def status(charger: ChargerClient, conn: int, name: str, error: str = "NoError", **more: Any) -> None:
    charger.call("StatusNotification", {"connectorId": conn, "status": name, "errorCode": error, **more})


def event(charger: ChargerClient, kind: str, number: int, state: str = "", energy: int | None = None, **more: Any) -> None:
    payload: dict[str, Any] = {
        "eventType": kind, "seqNo": number, "timestamp": TIME, "triggerReason": "Authorized", "evse": {"id": 1, "connectorId": 1},
        "transactionInfo": {"transactionId": "t1"} | ({"chargingState": state} if state else {}),
    }  # fmt: skip
    if energy is not None:
        payload["meterValue"] = [
            {"timestamp": TIME, "sampledValue": [{"value": energy, "measurand": ENERGY}, {"value": 7000, "measurand": POWER}]}
        ]
    charger.send_call("TransactionEvent", payload | more)
