"""What reads and is answered alike in every version.

Knows no version.
"""

from __future__ import annotations

from typing import Any

from ..facts import BootNotification, DataTransfer, DataTransferResult, Heartbeat, Registration
from .frames import Payload
from .version import Translation


def text(payload: Payload, member: str) -> str | None:
    value = payload.get(member)
    return value if isinstance(value, str) else None


def number(payload: Payload, member: str) -> int | None:
    value = payload.get(member)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def listed(payload: Payload, member: str) -> list[dict[str, Any]]:
    value = payload.get(member)
    return value if isinstance(value, list) else []


def inner(payload: Payload, member: str) -> Payload:
    """An object inside; an empty one when there is none."""
    value = payload.get(member)
    return value if isinstance(value, dict) else {}


def registration(fact: BootNotification, verdict: Registration, now: str) -> Payload:
    """The answer to a BootNotification."""
    return {"status": verdict.status, "currentTime": now, "interval": verdict.interval}


def _transferred(fact: DataTransfer, verdict: DataTransferResult, now: str) -> Payload:
    return {"status": verdict.status} if verdict.data is None else {"status": verdict.status, "data": verdict.data}


HEARTBEAT = Translation(lambda payload: Heartbeat(), lambda fact, verdict, now: {"currentTime": now})

DATA_TRANSFER = Translation(
    lambda payload: DataTransfer(payload["vendorId"], text(payload, "messageId"), payload.get("data")), _transferred, {"vendorId": str}
)
