"""A charger that a test leads step by step, in a thread of its own: third-party WebSocket, frames as the test writes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from clients import now
from fleets import PATIENCE


class PlainCharger:
    """Answers every CALL with ``answers[action]``, else with Accepted."""

    def __init__(self, port: int, id: str, ocpp: str = "1.6", vendor: str = "Vendor", model: str = "Model") -> None:
        self.id, self.ocpp, self.vendor, self.model = id, ocpp, vendor, model
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.asked: list[tuple[str, Any]] = []
        self._stack = ExitStack()
        self._line = self._stack.enter_context(
            connect(f"ws://127.0.0.1:{port}/{quote(id, safe='')}", subprotocols=[f"ocpp{ocpp}"], open_timeout=PATIENCE)
        )
        self._results: dict[str, Any] = {}
        self._came = threading.Condition()
        self._number = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def call(self, action: str, payload: Any) -> Any:
        """The answer's payload."""
        self._number += 1
        id = f"{self._number}"
        self._line.send(json.dumps([2, id, action, payload]))
        with self._came:
            assert self._came.wait_for(lambda: id in self._results, PATIENCE), f"no answer to {action}"
            return self._results.pop(id)

    def boot(self) -> None:
        boot = {
            "chargePointVendor": self.vendor,
            "chargePointModel": self.model,
            "firmwareVersion": "1.0",
            "chargePointSerialNumber": "S-1",
        }
        self.call("BootNotification", boot)
        self.status("Available")

    def status(self, status: str, error: str = "NoError", connector: int = 1) -> None:
        self.call("StatusNotification", {"connectorId": connector, "status": status, "errorCode": error, "timestamp": now()})

    def start(self, tag: str, meter: int = 1000) -> int:
        self.status("Charging")
        started = self.call("StartTransaction", {"connectorId": 1, "idTag": tag, "meterStart": meter, "timestamp": now()})
        id: int = started["transactionId"]
        return id

    def meter(self, transaction: int, power: float, energy: float, soc: float | None = None) -> None:
        values = [
            {"value": str(power), "measurand": "Power.Active.Import", "unit": "W"},
            {"value": str(energy), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        ]
        if soc is not None:
            values.append({"value": str(soc), "measurand": "SoC", "unit": "Percent"})
        self.call(
            "MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": [{"timestamp": now(), "sampledValue": values}]}
        )

    def stop(self, transaction: int, meter: int) -> None:
        self.call("StopTransaction", {"transactionId": transaction, "meterStop": meter, "timestamp": now(), "reason": "Local"})
        self.status("Available")

    def close(self) -> None:
        self._stack.close()
        self._thread.join(PATIENCE)

    def _read(self) -> None:
        with suppress(ConnectionClosed):  # by the gateway
            self._serve()

    def _serve(self) -> None:
        for text in self._line:
            kind, id, *rest = json.loads(text)
            if kind == 2:
                self.asked.append((rest[0], rest[1]))
                answer = self.answers.get(rest[0], lambda payload: {"status": "Accepted"})(rest[1])
                self._line.send(json.dumps([3, id, answer]))
            else:
                with self._came:
                    self._results[id] = rest[0] if kind == 3 else rest
                    self._came.notify_all()
