"""The commands of 2.x about firmware.

Knows the payloads; the stages of a transfer are in `ocpp_tw.simulator.file_transfers`.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..certificates import identify
from ..command import Command, CommandTarget, accepted, need
from ..file_transfers import FIRMWARE, SIGNED_FIRMWARE, run_transfer, seconds_until


def update_firmware(charger: CommandTarget, payload: Payload) -> Payload:
    id, firmware = need(payload, "requestId", int), need(payload, "firmware", dict)
    signer = firmware.get("signingCertificate")
    if signer is not None and identify(signer) is None:
        return {"status": "InvalidCertificate"}
    statuses = FIRMWARE if firmware.get("signature") is None else SIGNED_FIRMWARE
    replaced = run_transfer(charger, "FirmwareStatusNotification", statuses, seconds_until(charger, firmware.get("retrieveDateTime")), id)
    return {"status": "AcceptedCanceled"} if replaced else accepted(True)


def publish_firmware(charger: CommandTarget, payload: Payload) -> Payload:
    return accepted(False)  # the charger is no local controller


def unpublish_firmware(charger: CommandTarget, payload: Payload) -> Payload:
    return {"status": "NoFirmware"}


FILES: dict[str, Command] = {
    "PublishFirmware": publish_firmware,
    "UnpublishFirmware": unpublish_firmware,
    "UpdateFirmware": update_firmware,
}
