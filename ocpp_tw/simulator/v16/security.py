"""GetInstalledCertificateIds and ExtendedTriggerMessage of the OCPP 1.6 security extension.

Knows the payloads; the certificates are the charger's.
"""

from __future__ import annotations

from ...facts import Other
from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted, need
from ..file_transfers import current_status
from ..signing import request_certificate
from .commands import trigger

STATUSES = {"LogStatusNotification": "LogStatusNotification", "FirmwareStatusNotification": "SignedFirmwareStatusNotification"}
"""The notification that an ExtendedTriggerMessage requests, and the one that the charger sends."""


def installed_certificates(charger: CommandTarget, payload: Payload) -> Payload:
    found = charger.certificates.find(need(payload, "certificateType", str))
    return accepted(True) | {"certificateHashData": found} if found else accepted(False, "NotFound")


def extended_trigger(charger: CommandTarget, payload: Payload) -> Payload:
    what = need(payload, "requestedMessage", str)
    if what == "SignChargePointCertificate":
        request_certificate(charger)
        return accepted(True)
    if what in STATUSES:
        charger.afterwards(lambda: charger.send_fact(Other(STATUSES[what], current_status(charger, STATUSES[what]))))
        return accepted(True)
    return trigger(charger, payload)


SECURITY: dict[str, Command] = {
    "ExtendedTriggerMessage": extended_trigger,
    "GetInstalledCertificateIds": installed_certificates,
}
