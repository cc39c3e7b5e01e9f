"""The CA certificates that a charger trusts, identified by their hashes (OCPP 1.6 security whitepaper).

Knows no OCPP message; a certificate is PEM text. The charger's own certificates are in `own_certificates`.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

Hashes = dict[str, str]
"""OCPP's CertificateHashDataType."""


MAX_INSTALLED = 20
"""Most certificates that can be installed; one more is rejected (whitepaper M05.FR.03, 2.0.1 M05.FR.06)."""


class Installed(NamedTuple):
    """One installed certificate: what it is used for, its hashes, and itself."""

    use: str
    hashes: Hashes
    pem: str


class Certificates:
    """The installed certificates, by use."""

    __slots__ = ("_installed",)

    def __init__(self) -> None:
        self._installed: list[Installed] = []

    def __len__(self) -> int:
        return len(self._installed)

    def install(self, use: str, pem: str) -> bool:
        """Trust a root certificate; False when it is not readable, or when there are too many. One that is there already is replaced."""
        found = identify(pem)
        if found is None:
            return False
        others = [each for each in self._installed if (each.use, each.hashes) != (use, found)]
        if len(others) >= MAX_INSTALLED:
            return False
        self._installed = [*others, Installed(use, found, pem)]
        return True

    def find(self, use: str) -> list[Hashes]:
        """The hashes of the certificates installed for that use."""
        return [each.hashes for each in self._installed if each.use == use]

    def trusted(self, use: str) -> tuple[str, ...]:
        """The certificates installed for that use, as PEM."""
        return tuple(each.pem for each in self._installed if each.use == use)

    def all(self) -> list[tuple[str, Hashes]]:
        """The hashes of all certificates, each with its use."""
        return [(each.use, each.hashes) for each in self._installed]

    def delete(self, requested: Hashes) -> bool:
        """Remove the certificates with these hashes; whether there was one."""
        remaining = [each for each in self._installed if not _same(each.hashes, requested)]
        found = len(remaining) < len(self._installed)
        self._installed = remaining
        return found


def identify(pem: str) -> Hashes | None:
    """The hashes of the first certificate in the text, as if it were its own issuer; None when there is none."""
    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
    except (ValueError, IndexError):
        return None
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": hashlib.sha256(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": hashlib.sha256(_key(certificate.public_key())).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}"[:40],
    }


def _key(key: CertificatePublicKeyTypes) -> bytes:
    """The bits of a public key without the algorithm identifier around them (RFC 6960 §4.1.1)."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    form = serialization.PublicFormat.PKCS1 if isinstance(key, rsa.RSAPublicKey) else serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def _same(entry: Hashes, requested: Hashes) -> bool:
    return all(entry[name].casefold() == str(requested.get(name)).casefold() for name in entry)
