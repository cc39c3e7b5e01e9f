"""The payloads of a charger's messages, in its OCPP version. No two are the same, so that the checker can identify each message by its content.

Knows neither when they are sent nor what is answered.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from time import time as clock
from typing import Any

LONGEST_MESSAGE = 100_000
"""The gateway's ``--max-message``, in bytes."""


class Messages:
    """The messages of one charger; each method but the small ones at the end returns a payload."""

    def __init__(self, name: str, version: str, rng: random.Random) -> None:
        self.name, self.version = name, version
        self._rng = rng
        self._serial = self._stamp = 0
        self._meter = rng.randrange(1000, 5000)

    def transfer(self, about: str = "n") -> dict[str, Any]:
        return {"vendorId": "chaos", "messageId": about, "data": self.unique()}

    def boot(self) -> dict[str, Any]:
        serial = self.unique()
        if self.version == "1.6":
            return {"chargePointVendor": "Chaos", "chargePointModel": "C16", "chargePointSerialNumber": serial}
        return {"chargingStation": {"vendorName": "Chaos", "model": "C2", "serialNumber": serial}, "reason": "PowerUp"}

    def status(self, status: str) -> dict[str, Any]:
        if self.version == "1.6":
            return {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": self.time()}
        connector_status = "Available" if status == "Available" else "Occupied"
        return {"timestamp": self.time(), "connectorStatus": connector_status, "evseId": 1, "connectorId": 1}

    def authorize(self, tag: str) -> dict[str, Any]:
        return {"idTag": tag} if self.version == "1.6" else {"idToken": {"idToken": tag, "type": "ISO14443"}}

    def security(self) -> dict[str, Any]:
        return {"type": "SettingSystemTime", "timestamp": self.time(), "techInfo": self.unique()}

    def reading(self, at: float | None = None, large: bool = False) -> dict[str, Any]:
        """One sample; or so many that a message with them is nearly as long as the gateway takes."""
        value: Any = self.read()
        if self.version == "1.6":
            sample = {"value": str(value), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        else:
            sample = {"value": value, "measurand": "Energy.Active.Import.Register"}
        often = (LONGEST_MESSAGE - 1000) // (1 + len(json.dumps(sample, separators=(",", ":")))) if large else 1
        return {"timestamp": self.time(at), "sampledValue": [sample] * often}

    def read(self) -> int:
        self._meter += self._rng.randrange(1, 50)
        return self._meter

    def unique(self) -> str:
        self._serial += 1
        return f"{self.name[:12]}-{self._serial}"

    def tag(self) -> str:
        return f"T{self.unique()}"[:20]

    def time(self, at: float | None = None) -> str:
        """The time by its clock, never the same twice."""
        if at is None:
            self._stamp = max(self._stamp + 1, int(clock() * 1000))
        milliseconds = self._stamp if at is None else int(at * 1000) + self._meter % 1000
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer(action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A charger's answer to a command that it executes."""
    if action == "GetTransactionStatus":
        return {"ongoingIndicator": True, "messagesInQueue": False}
    if action == "GetConfiguration":
        return {"configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}], "unknownKey": []}
    if action == "GetVariables":
        variables = payload["getVariableData"]
        return {"getVariableResult": [{"attributeStatus": "Accepted", "attributeValue": "1", **each} for each in variables]}
    if action == "SetVariables":
        plain = [{name: value for name, value in each.items() if name != "attributeValue"} for each in payload["setVariableData"]]
        return {"setVariableResult": [{"attributeStatus": "Accepted", **each} for each in plain]}
    return {"status": "Accepted"}
