"""Firmware and diagnostics in OCPP 1.6.

Knows the payloads; how the stages follow one another is known in `ocpp_tw.simulator.stages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ocpp.frames import Payload
from .dialect import Command, accepted, need
from .stages import FIRMWARE, SIGNED_FIRMWARE, UPLOAD, file_name, play, until

if TYPE_CHECKING:
    from .charger import Charger


def get_diagnostics(charger: Charger, payload: Payload) -> Payload:
    need(payload, "location", str)
    play(charger, "DiagnosticsStatusNotification", UPLOAD)
    return {"fileName": file_name(charger, "diagnostics")}


def update_firmware(charger: Charger, payload: Payload) -> Payload:
    need(payload, "location", str)
    play(charger, "FirmwareStatusNotification", FIRMWARE, until(charger, payload.get("retrieveDate")))
    return {}


def get_log(charger: Charger, payload: Payload) -> Payload:
    kind, id = need(payload, "logType", str), need(payload, "requestId", int)
    busy = play(charger, "LogStatusNotification", UPLOAD, request=id)
    return {"status": "AcceptedCanceled" if busy else "Accepted", "filename": file_name(charger, kind)}


def signed_update_firmware(charger: Charger, payload: Payload) -> Payload:
    id, firmware = need(payload, "requestId", int), need(payload, "firmware", dict)
    wait = until(charger, firmware.get("retrieveDateTime"))
    busy = play(charger, "SignedFirmwareStatusNotification", SIGNED_FIRMWARE, wait, id)
    return {"status": "AcceptedCanceled"} if busy else accepted(True)


FILES: dict[str, Command] = {
    "GetDiagnostics": get_diagnostics,
    "GetLog": get_log,
    "SignedUpdateFirmware": signed_update_firmware,
    "UpdateFirmware": update_firmware,
}
