"""Firmware and diagnostics in OCPP 1.6: nothing is really fetched or sent, but every status of it is told.

Knows the payloads; the timers are the charger's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import Other
from ..frames import Payload
from .dialect import Command, accepted, need
from .pace import moment

if TYPE_CHECKING:
    from .charger import Charger

STAGE = 5.0
"""Simulated seconds from one status to the next."""

UPLOAD = ("Uploading", "Uploaded")
FIRMWARE = ("Downloading", "Downloaded", "Installing", "Installed")
SIGNED_FIRMWARE = ("Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed")


def progress(charger: Charger, action: str) -> str:
    """The status a triggered notification tells: Idle when nothing is under way (OCPP 1.6 §4.4, §4.5)."""
    return charger.progress.get(action, "Idle")


def play(charger: Charger, action: str, statuses: tuple[str, ...], wait: float = 0.0, request: int | None = None) -> bool:
    """Tell the statuses one after another, the first after so many simulated seconds; whether this put an end to another such."""
    busy = action in charger.progress

    def stage(rest: tuple[str, ...]) -> None:
        status, *more = rest
        charger.progress[action] = status
        charger.say(Other(action, {"status": status} | ({"requestId": request} if request is not None else {})))
        if more:
            charger.timers.set(action, STAGE, stage, tuple(more))
        else:
            del charger.progress[action]

    charger.afterwards(lambda: charger.timers.set(action, wait, stage, statuses))
    return busy


def get_diagnostics(charger: Charger, payload: Payload) -> Payload:
    need(payload, "location", str)
    play(charger, "DiagnosticsStatusNotification", UPLOAD)
    return {"fileName": _file(charger, "diagnostics")}


def update_firmware(charger: Charger, payload: Payload) -> Payload:
    need(payload, "location", str)
    play(charger, "FirmwareStatusNotification", FIRMWARE, _until(charger, payload.get("retrieveDate")))
    return {}


def get_log(charger: Charger, payload: Payload) -> Payload:
    kind, id = need(payload, "logType", str), need(payload, "requestId", int)
    busy = play(charger, "LogStatusNotification", UPLOAD, request=id)
    return {"status": "AcceptedCanceled" if busy else "Accepted", "filename": _file(charger, kind)}


def signed_update_firmware(charger: Charger, payload: Payload) -> Payload:
    id, firmware = need(payload, "requestId", int), need(payload, "firmware", dict)
    wait = _until(charger, firmware.get("retrieveDateTime"))
    busy = play(charger, "SignedFirmwareStatusNotification", SIGNED_FIRMWARE, wait, id)
    return {"status": "AcceptedCanceled"} if busy else accepted(True)


FILES: dict[str, Command] = {
    "GetDiagnostics": get_diagnostics,
    "GetLog": get_log,
    "SignedUpdateFirmware": signed_update_firmware,
    "UpdateFirmware": update_firmware,
}


def _until(charger: Charger, date: object) -> float:
    at = moment(date)
    return 0.0 if at is None else max(0.0, at - charger.pace.now())


def _file(charger: Charger, kind: str) -> str:
    return f"{kind}-{charger.id}.log"[:255]
