"""What takes its time and is told stage by stage: firmware and uploads. Nothing is really fetched or sent.

Knows the notification's members, which are the same in every version; the timers are the charger's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import Other
from ..ocpp.frames import Payload
from .pace import moment

if TYPE_CHECKING:
    from .charger import Charger

STAGE = 5.0
"""Simulated seconds from one status to the next."""

UPLOAD = ("Uploading", "Uploaded")
FIRMWARE = ("Downloading", "Downloaded", "Installing", "Installed")
SIGNED_FIRMWARE = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")


def progress(charger: Charger, action: str) -> Payload:
    """The notification that is triggered: Idle when nothing is under way (OCPP 1.6 §4.4, §4.5; 2.0.1 L01.FR.25, N01.FR.12)."""
    return charger.progress.get(action, {"status": "Idle"})


def play(charger: Charger, action: str, statuses: tuple[str, ...], wait: float = 0.0, request: int | None = None) -> bool:
    """Tell the statuses one after another, the first after so many simulated seconds; whether this put an end to another such."""
    busy = action in charger.progress

    def stage(rest: tuple[str, ...]) -> None:
        status, *more = rest
        charger.progress[action] = {"status": status} | ({"requestId": request} if request is not None else {})
        charger.say(Other(action, charger.progress[action]))
        if more:
            charger.timers.set(action, STAGE, stage, tuple(more))
        else:
            del charger.progress[action]

    charger.afterwards(lambda: charger.timers.set(action, wait, stage, statuses))
    return busy


def until(charger: Charger, date: object) -> float:
    """Simulated seconds until that date."""
    at = moment(date)
    return 0.0 if at is None else max(0.0, at - charger.pace.now())


def file_name(charger: Charger, kind: str) -> str:
    """What an uploaded file is called."""
    return f"{kind}-{charger.id}.log"[:255]
