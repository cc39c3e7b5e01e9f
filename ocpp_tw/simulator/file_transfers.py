"""Firmware updates and uploads, which report their status stage by stage. No file is really fetched or sent.

Knows the notifications' members, which are the same in every version; not the commands that begin a transfer.
"""

from __future__ import annotations

from ..facts import Other
from ..ocpp.frames import Payload
from .command import CommandTarget
from .simulated_clock import parse_timestamp

STAGE_INTERVAL = 5.0
"""Simulated seconds from one status to the next."""

UPLOAD = ("Uploading", "Uploaded")
FIRMWARE = ("Downloading", "Downloaded", "Installing", "Installed")
SIGNED_FIRMWARE = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")


def current_status(charger: CommandTarget, action: str) -> Payload:
    """The notification when it is triggered: Idle when no transfer is running (OCPP 1.6 §4.4, §4.5; 2.0.1 L01.FR.25, N01.FR.12)."""
    return charger.file_status.get(action, {"status": "Idle"})


def run_transfer(charger: CommandTarget, action: str, statuses: tuple[str, ...], wait: float = 0.0, request: int | None = None) -> bool:
    """Report the statuses one after another, the first after ``wait`` simulated seconds; whether this replaced a running transfer."""
    replaced = action in charger.file_status

    def stage(rest: tuple[str, ...]) -> None:
        status, *more = rest
        charger.file_status[action] = {"status": status} | ({"requestId": request} if request is not None else {})
        charger.send_fact(Other(action, charger.file_status[action]))
        if more:
            charger.timers.set(action, STAGE_INTERVAL, stage, tuple(more))
        else:
            del charger.file_status[action]

    charger.afterwards(lambda: charger.timers.set(action, wait, stage, statuses))
    return replaced


def seconds_until(charger: CommandTarget, date: object) -> float:
    """Simulated seconds until that date; 0 when it is past or no date."""
    at = parse_timestamp(date)
    return 0.0 if at is None else max(0.0, at - charger.clock.now())


def file_name(charger: CommandTarget, kind: str) -> str:
    """The name of an uploaded file."""
    return f"{kind}-{charger.id}.log"[:255]
