"""What reads and is answered alike in every version.

Knows no version.
"""

from __future__ import annotations

from ..facts import Beat, Booted, Registration, Transfer, Transferred
from .frames import Payload
from .reading import text
from .version import Translation


def registration(fact: Booted, verdict: Registration, now: str) -> Payload:
    """The answer to a BootNotification."""
    return {"status": verdict.status, "currentTime": now, "interval": verdict.interval}


def _transferred(fact: Transfer, verdict: Transferred, now: str) -> Payload:
    return {"status": verdict.status} if verdict.data is None else {"status": verdict.status, "data": verdict.data}


HEARTBEAT = Translation(lambda payload: Beat(), lambda fact, verdict, now: {"currentTime": now})

DATA_TRANSFER = Translation(
    lambda payload: Transfer(payload["vendorId"], text(payload, "messageId"), payload.get("data")), _transferred, {"vendorId": str}
)
