"""The commands whose payloads and effects are the same in OCPP 1.6 and 2.x.

Knows the payloads; the versions add these to their own commands.
"""

from __future__ import annotations

from ..ocpp.frames import Payload
from .command import Command, CommandTarget, accepted, need
from .file_transfers import UPLOAD, file_name, run_transfer
from .reservations import cancel_reservation
from .signing import certificate_signed


def clear_cache(charger: CommandTarget, payload: Payload) -> Payload:
    charger.tags.cache.clear()
    return accepted(True)


def get_log(charger: CommandTarget, payload: Payload) -> Payload:
    kind, id = need(payload, "logType", str), need(payload, "requestId", int)
    replaced = run_transfer(charger, "LogStatusNotification", UPLOAD, request=id)
    return {"status": "AcceptedCanceled" if replaced else "Accepted", "filename": file_name(charger, kind)}


def signed(charger: CommandTarget, payload: Payload) -> Payload:
    return {"status": certificate_signed(charger, need(payload, "certificateChain", str), payload.get("requestId"))}


def install_certificate(charger: CommandTarget, payload: Payload) -> Payload:
    use, pem = need(payload, "certificateType", str), need(payload, "certificate", str)
    return accepted(charger.certificates.install(use, pem))


def delete_certificate(charger: CommandTarget, payload: Payload) -> Payload:
    return accepted(charger.certificates.delete(need(payload, "certificateHashData", dict)), "NotFound")


COMMON: dict[str, Command] = {
    "CancelReservation": cancel_reservation,
    "CertificateSigned": signed,
    "ClearCache": clear_cache,
    "DeleteCertificate": delete_certificate,
    "GetLog": get_log,
    "InstallCertificate": install_certificate,
}
