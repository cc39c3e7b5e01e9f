"""Firmware, logs and certificates in 2.x.

Knows the payloads; how the stages follow one another is known in `ocpp_tw.simulator.stages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..ocpp.frames import Payload
from .certificates import identify
from .dialect import Command, accepted, need
from .stages import FIRMWARE, SIGNED_FIRMWARE, UPLOAD, file_name, play, until

if TYPE_CHECKING:
    from .charger import Charger


def update_firmware(charger: Charger, payload: Payload) -> Payload:
    id, firmware = need(payload, "requestId", int), need(payload, "firmware", dict)
    signer = firmware.get("signingCertificate")
    if signer is not None and identify(signer) is None:
        return {"status": "InvalidCertificate"}
    statuses = FIRMWARE if firmware.get("signature") is None else SIGNED_FIRMWARE
    busy = play(charger, "FirmwareStatusNotification", statuses, until(charger, firmware.get("retrieveDateTime")), id)
    return {"status": "AcceptedCanceled"} if busy else accepted(True)


def get_log(charger: Charger, payload: Payload) -> Payload:
    kind, id = need(payload, "logType", str), need(payload, "requestId", int)
    busy = play(charger, "LogStatusNotification", UPLOAD, request=id)
    return {"status": "AcceptedCanceled" if busy else "Accepted", "filename": file_name(charger, kind)}


def publish_firmware(charger: Charger, payload: Payload) -> Payload:
    return accepted(False)  # no local controller


def unpublish_firmware(charger: Charger, payload: Payload) -> Payload:
    return {"status": "NoFirmware"}


def certificate_signed(charger: Charger, payload: Payload) -> Payload:
    return accepted(identify(need(payload, "certificateChain", str)) is not None)


def install_certificate(charger: Charger, payload: Payload) -> Payload:
    use, pem = need(payload, "certificateType", str), need(payload, "certificate", str)
    return accepted(charger.certificates.install(use, pem))


def installed_certificates(charger: Charger, payload: Payload) -> Payload:
    wanted = payload.get("certificateType")
    found = [
        {"certificateType": use, "certificateHashData": known}
        for use, known in charger.certificates.all()
        if wanted is None or use in wanted
    ]
    return accepted(True) | {"certificateHashDataChain": found} if found else accepted(False, "NotFound")


def delete_certificate(charger: Charger, payload: Payload) -> Payload:
    return accepted(charger.certificates.delete(need(payload, "certificateHashData", dict)), "NotFound")


FILES: dict[str, Command] = {
    "CertificateSigned": certificate_signed,
    "DeleteCertificate": delete_certificate,
    "GetInstalledCertificateIds": installed_certificates,
    "GetLog": get_log,
    "InstallCertificate": install_certificate,
    "PublishFirmware": publish_firmware,
    "UnpublishFirmware": unpublish_firmware,
    "UpdateFirmware": update_firmware,
}
