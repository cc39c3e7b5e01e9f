"""What a benchmark's charger of OCPP 2.0.1 or 2.1 says: the same charging as in `messages.py`, with the same values, as 20 CALLs.

All that happens to a transaction is a TransactionEvent here, whose number (`seqNo`) is one more than the one's before. The texts are valid
in both versions.
"""

from __future__ import annotations

import os
from functools import cache
from itertools import count
from typing import Any

from messages import HEARTBEAT, TIMESTAMP, Script, tail

STATION = {"vendorName": "Bench", "model": "One", "firmwareVersion": "1.0"}
BOOT = tail("BootNotification", {"reason": "PowerUp", "chargingStation": STATION})
RUN = os.urandom(4).hex()
"""Part of the transactions' ids: a charger that comes again in the next run has other ones."""


def status(name: str, evse: int) -> bytes:
    return tail("StatusNotification", {"timestamp": TIMESTAMP, "connectorStatus": name, "evseId": evse, "connectorId": 1})


OCCUPIED, OTHER_FAULTED, OTHER_AVAILABLE, AVAILABLE = map(status, ("Occupied", "Faulted", "Available", "Available"), (1, 2, 2, 1))


def readings(samples: int) -> list[dict[str, Any]]:
    """A MeterValue with this many samples, the same ones as those of a 1.6 charger."""
    examples = [
        {"value": 18312, "measurand": "Energy.Active.Import.Register", "unitOfMeasure": {"unit": "Wh"}},
        {"value": 10983.3, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}},
        *({"value": 232.5, "measurand": "Voltage", "phase": f"L{n}-N", "unitOfMeasure": {"unit": "V"}} for n in (1, 2, 3)),
        *({"value": 15.8, "measurand": "Current.Import", "phase": f"L{n}", "unitOfMeasure": {"unit": "A"}} for n in (1, 2)),
        {"value": 20, "measurand": "SoC", "unitOfMeasure": {"unit": "Percent"}},
    ]
    return [{"timestamp": TIMESTAMP, "sampledValue": [examples[number % len(examples)] for number in range(samples)]}]


def event(transaction: str, sequence: int, kind: str, trigger: str, state: str, **more: Any) -> bytes:
    """A TransactionEvent with its number in the transaction."""
    about = {"transactionId": transaction, "chargingState": state}
    head = {"eventType": kind, "timestamp": TIMESTAMP, "triggerReason": trigger, "seqNo": sequence, "transactionInfo": about}
    return tail("TransactionEvent", {**head, **more})


def started(charger: int, transaction: str) -> bytes:
    token = {"idToken": f"TAG{charger}", "type": "ISO14443"}
    return event(transaction, 0, "Started", "Authorized", "EVConnected", idToken=token, evse={"id": 1, "connectorId": 1})


@cache
def _updated(samples: int) -> bytes:
    """The text of every TransactionEvent with that many samples, with places for its number and its transaction."""
    text = event("%b", 12345, "Updated", "MeterValuePeriodic", "Charging", meterValue=readings(samples))
    return text.replace(b"12345", b"%d")


def updated(transaction: str, sequence: int, samples: int = 8) -> bytes:
    """A TransactionEvent with this many samples: about 860 bytes with 8. Written in a microsecond, since every one is another text."""
    return _updated(samples) % (sequence, transaction.encode())


def cycle(charger: int, transaction: str) -> list[bytes]:
    """The 20 CALLs of one transaction."""
    one, two, three, four, five, six, seven, eight, nine, ten = (updated(transaction, sequence) for sequence in range(1, 11))
    ended = event(transaction, 11, "Ended", "EVDeparted", "Idle")
    return [
        started(charger, transaction), OCCUPIED, one, HEARTBEAT, two, three, OTHER_FAULTED, four, HEARTBEAT, five, six,
        OTHER_AVAILABLE, seven, HEARTBEAT, eight, nine, ten, HEARTBEAT, ended, AVAILABLE,
    ]  # fmt: skip


def script(charger: int, samples: int = 0) -> Script:
    """As in 1.6: with samples only TransactionEvents with so many, all of one transaction."""
    yield BOOT
    for _ in range(charger % 20):
        yield HEARTBEAT
    if samples:
        yield started(charger, lasting := f"{RUN}-{charger}")
        for sequence in count(1):
            yield updated(lasting, sequence, samples)
    for round in count(1):
        for call in cycle(charger, f"{RUN}-{charger}-{round}"):  # noqa: UP028 (answers cannot be sent to a list)
            yield call
