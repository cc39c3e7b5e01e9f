"""The commands of OCPP 1.6 about firmware and diagnostics.

Knows the payloads; the stages of a transfer are in `ocpp_tw.simulator.file_transfers`.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..file_transfers import FIRMWARE, SIGNED_FIRMWARE, UPLOAD, file_name, run_transfer, seconds_until


def get_diagnostics(charger: CommandTarget, payload: Payload) -> Payload:
    need(payload, "location", str)
    run_transfer(charger, "DiagnosticsStatusNotification", UPLOAD)
    return {"fileName": file_name(charger, "diagnostics")}


def update_firmware(charger: CommandTarget, payload: Payload) -> Payload:
    need(payload, "location", str)
    run_transfer(charger, "FirmwareStatusNotification", FIRMWARE, seconds_until(charger, payload.get("retrieveDate")))
    return {}


def signed_update_firmware(charger: CommandTarget, payload: Payload) -> Payload:
    id, firmware = need(payload, "requestId", int), need(payload, "firmware", dict)
    wait = seconds_until(charger, firmware.get("retrieveDateTime"))
    replaced = run_transfer(charger, "SignedFirmwareStatusNotification", SIGNED_FIRMWARE, wait, id)
    return {"status": "AcceptedCanceled"} if replaced else accepted(True)


FILES: dict[str, Command] = {
    "GetDiagnostics": get_diagnostics,
    "SignedUpdateFirmware": signed_update_firmware,
    "UpdateFirmware": update_firmware,
}
