"""Reads a charger's certificate signing request (PKCS #10), and says in one line why none would be signed.

1.6 security whitepaper and 2.x part 2: A00.FR.402 to 405 and 501 to 511, A02. Knows neither chargers nor authorities.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ..words import shown

MIN_RSA, MAX_RSA = 2048, 8192
"""Bits of an RSA key (A00.FR.503, A00.FR.508); above the latter checking a signature takes long."""

CURVES = ("secp256r1", "secp384r1", "secp521r1")

COPIED = (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COUNTRY_NAME, NameOID.DOMAIN_COMPONENT)
"""What a certificate says of its owner, of what the request says."""

MAX_NAME = 255
"""Longest common name, in characters."""

Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class NotSigned(Exception):
    """No certificate is issued; the text says why, and may be logged."""


class SigningRequest(NamedTuple):
    """What is to be certified: of whom, and the key, of which the charger has proved that it has the private one."""

    subject: x509.Name
    name: str
    organization: str
    key: Key


def read(csr: str) -> SigningRequest:
    """The request in a PEM text. Raises `NotSigned`."""
    try:
        found = x509.load_pem_x509_csr(csr.encode())
        subject, key = found.subject, found.public_key()
    except Exception:  # the possible exceptions are not documented
        raise NotSigned("the signing request cannot be read") from None
    if not isinstance(key, Key):
        raise NotSigned("its key is neither RSA nor EC")
    if isinstance(key, rsa.RSAPublicKey) and not MIN_RSA <= key.key_size <= MAX_RSA:
        raise NotSigned(f"its RSA key has {key.key_size} bits, not {MIN_RSA} to {MAX_RSA}")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CURVES:
        raise NotSigned(f"its EC key is on the curve {shown(key.curve.name)}, not {', '.join(CURVES)}")
    try:
        genuine = found.is_signature_valid
    except Exception:
        genuine = False
    if not genuine:
        raise NotSigned("its signature is not that of its key")
    copied = x509.Name([each for each in subject if each.oid in COPIED])
    return SigningRequest(copied, _only(copied, NameOID.COMMON_NAME), _only(copied, NameOID.ORGANIZATION_NAME), key)


def check(request: SigningRequest, names: Collection[str], organization: str) -> None:
    """Raise `NotSigned` unless it is for one of these names, and for that organization ("": for any)."""
    if not request.name or len(request.name) > MAX_NAME:
        raise NotSigned("it has no common name, or more than one")
    if request.name.lower() not in {each.lower() for each in names if each}:
        raise NotSigned(
            f"its common name {shown(request.name)} is neither the identity, nor the serial number, nor that of the certificate in use"
        )
    if organization and request.organization != organization:
        raise NotSigned(f"it names the organization {shown(request.organization)!r}, not that of --client-organization")


def _only(subject: x509.Name, oid: x509.ObjectIdentifier) -> str:
    """The only one of its kind; several are none, since everybody would read another one."""
    values = subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 else ""
