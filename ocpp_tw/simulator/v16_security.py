"""The commands of the 1.6 security extension that are about certificates, and its wider trigger.

Knows the payloads; which certificates are there is the charger's to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..facts import Other
from ..ocpp.frames import Payload
from .certificates import identify, request
from .dialect import Command, accepted, need
from .stages import progress
from .v16_commands import trigger

if TYPE_CHECKING:
    from .charger import Charger

STATUSES = {"LogStatusNotification": "LogStatusNotification", "FirmwareStatusNotification": "SignedFirmwareStatusNotification"}
"""What an ExtendedTriggerMessage asks for, and the message that tells it."""


def certificate_signed(charger: Charger, payload: Payload) -> Payload:
    return accepted(identify(need(payload, "certificateChain", str)) is not None)


def install_certificate(charger: Charger, payload: Payload) -> Payload:
    use, pem = need(payload, "certificateType", str), need(payload, "certificate", str)
    return accepted(charger.certificates.install(use, pem))


def installed_certificates(charger: Charger, payload: Payload) -> Payload:
    found = charger.certificates.find(need(payload, "certificateType", str))
    return accepted(True) | {"certificateHashData": found} if found else accepted(False, "NotFound")


def delete_certificate(charger: Charger, payload: Payload) -> Payload:
    return accepted(charger.certificates.delete(need(payload, "certificateHashData", dict)), "NotFound")


def extended_trigger(charger: Charger, payload: Payload) -> Payload:
    what = need(payload, "requestedMessage", str)
    if what == "SignChargePointCertificate":
        charger.afterwards(lambda: charger.say(Other("SignCertificate", {"csr": request(charger.id)})))
        return accepted(True)
    if what in STATUSES:
        charger.afterwards(lambda: charger.say(Other(STATUSES[what], progress(charger, STATUSES[what]))))
        return accepted(True)
    return trigger(charger, payload)


SECURITY: dict[str, Command] = {
    "CertificateSigned": certificate_signed,
    "DeleteCertificate": delete_certificate,
    "ExtendedTriggerMessage": extended_trigger,
    "GetInstalledCertificateIds": installed_certificates,
    "InstallCertificate": install_certificate,
}
