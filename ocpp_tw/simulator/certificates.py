"""The CA certificates that a charger trusts, identified by their hashes (OCPP 1.6 security whitepaper).

Knows no OCPP message; a certificate is PEM text.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

Hashes = dict[str, str]
"""OCPP's CertificateHashDataType."""


class Certificates:
    """The installed certificates, by use."""

    __slots__ = ("_installed",)

    def __init__(self) -> None:
        self._installed: list[tuple[str, Hashes]] = []

    def install(self, use: str, pem: str) -> bool:
        """Trust a root certificate; False when it is not readable."""
        entry = identify(pem)
        if entry is None:
            return False
        if (use, entry) not in self._installed:
            self._installed.append((use, entry))
        return True

    def find(self, use: str) -> list[Hashes]:
        """The hashes of the certificates installed for that use."""
        return [entry for each, entry in self._installed if each == use]

    def all(self) -> list[tuple[str, Hashes]]:
        """The hashes of all certificates, each with its use."""
        return list(self._installed)

    def delete(self, requested: Hashes) -> bool:
        """Remove the certificates with these hashes; whether there was one."""
        remaining = [(use, entry) for use, entry in self._installed if not _same(entry, requested)]
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


def signing_request(id: str) -> str:
    """A certificate signing request for that charger, with a new key, as PEM."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, id[:64] or "charger"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ocpp_tw")]
    )
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def _key(key: CertificatePublicKeyTypes) -> bytes:
    """The bits of a public key without the algorithm identifier around them (RFC 6960 §4.1.1)."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    form = serialization.PublicFormat.PKCS1 if isinstance(key, rsa.RSAPublicKey) else serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def _same(entry: Hashes, requested: Hashes) -> bool:
    return all(entry[name].casefold() == str(requested.get(name)).casefold() for name in entry)
