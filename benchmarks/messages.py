"""What a benchmark's charger of OCPP 1.6 says: a charging cycle of 20 CALLs, each as the text that follows its message id.

Knows not the other versions (`messages_2x.py`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator
from itertools import count
from typing import Any

TIMESTAMP = "2026-11-23T10:00:00.000Z"

FIRST = int(time.time() * 100) % 10_000_000
"""The first of a charger's meter readings. They grow more slowly than a hundred a second: the starts of one run are no repeats of the one's before, of
which nothing would be published."""

Script = Generator[bytes, bytes, None]
"""All that one charger says. It yields a CALL and is sent the answer's text, which is empty at an echo server."""


def tail(action: str, payload: dict[str, Any]) -> bytes:
    """The text of a CALL after its message id."""
    return b'","%s",%s]' % (action.encode(), json.dumps(payload, separators=(",", ":")).encode())


BOOT = tail("BootNotification", {"chargePointVendor": "Bench", "chargePointModel": "One", "firmwareVersion": "1.0"})
HEARTBEAT = tail("Heartbeat", {})


def status(name: str) -> bytes:
    return tail("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": name, "timestamp": TIMESTAMP})


PREPARING, CHARGING, SUSPENDED, AVAILABLE = map(status, ("Preparing", "Charging", "SuspendedEV", "Available"))


def meter(transaction: int, samples: int = 8) -> bytes:
    """MeterValues with this many samples: about 640 bytes with 8."""
    examples = [
        {"value": "18312", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "10983.3", "measurand": "Power.Active.Import", "unit": "W"},
        *({"value": "232.5", "measurand": "Voltage", "phase": f"L{n}-N", "unit": "V"} for n in (1, 2, 3)),
        *({"value": "15.8", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A"} for n in (1, 2)),
        {"value": "20", "measurand": "SoC", "unit": "Percent"},
    ]
    values = [examples[number % len(examples)] for number in range(samples)]
    reading = [{"timestamp": TIMESTAMP, "sampledValue": values}]
    return tail("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": reading})


def start(charger: int, round: int) -> bytes:
    return tail("StartTransaction", {"connectorId": 1, "idTag": f"TAG{charger}", "meterStart": round, "timestamp": TIMESTAMP})


def cycle(charger: int, round: int, transaction: int) -> list[bytes]:
    """The 20 CALLs; the transaction id is known once the first one is answered."""
    values = meter(transaction)
    stop = {"transactionId": transaction, "idTag": f"TAG{charger}", "meterStop": round + 19000, "timestamp": TIMESTAMP}
    return [
        start(charger, round), PREPARING, values, HEARTBEAT, values, values, CHARGING, values, HEARTBEAT, values, values,
        SUSPENDED, values, HEARTBEAT, values, values, values, HEARTBEAT, tail("StopTransaction", stop), AVAILABLE,
    ]  # fmt: skip


def script(charger: int, samples: int = 0) -> Script:
    """BootNotification, up to 19 Heartbeats, so that chargers are at different steps, and then cycles; with samples only such MeterValues."""
    yield BOOT
    for _ in range(charger % 20):
        yield HEARTBEAT
    if samples:
        values = meter(1, samples)
        while True:
            yield values
    for round in count(FIRST):
        found = re.search(rb'"transactionId":(\d+)', (yield start(charger, round)))
        for call in cycle(charger, round, int(found[1]) if found else 1)[1:]:  # noqa: UP028 (answers cannot be sent to a list)
            yield call
