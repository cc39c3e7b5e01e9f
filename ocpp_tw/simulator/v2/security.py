"""GetInstalledCertificateIds of 2.x; the other commands about certificates are the same in all versions.

Knows the payloads; the certificates are the charger's.
"""

from __future__ import annotations

from ...ocpp.frames import Payload
from ..command import Command, CommandTarget, accepted


def installed_certificates(charger: CommandTarget, payload: Payload) -> Payload:
    requested = payload.get("certificateType")
    found = [
        {"certificateType": use, "certificateHashData": entry}
        for use, entry in charger.certificates.all()
        if requested is None or use in requested
    ]
    return accepted(True) | {"certificateHashDataChain": found} if found else accepted(False, "NotFound")


SECURITY: dict[str, Command] = {"GetInstalledCertificateIds": installed_certificates}
