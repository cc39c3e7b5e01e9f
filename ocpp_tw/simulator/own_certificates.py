"""A charger's own certificates: the keys that it makes, its requests to have them signed, and what it is sent in return.

Knows no OCPP message. Certificates are judged by the real time, as in the TLS handshake, not by the simulated one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

STATION, V2G, V2G20 = "ChargingStationCertificate", "V2GCertificate", "V2G20Certificate"
"""What a certificate is for: the connection to the central system, or cars (ISO 15118-2, -20). These are the words of 2.x."""

MAX_CHAIN = 10_000
"""Most characters of a signed chain; a longer one is rejected (CertificateSignedMaxChainSize, MaxCertificateChainSize)."""

MAX_REQUESTED = 8
"""Most keys that wait for their certificate; beyond that the oldest is forgotten, and its certificate would be rejected."""


class OwnCertificate(NamedTuple):
    """A certificate with its key, both PEM: the charger's own first, then those that lead to the root. ``begins`` is POSIX time."""

    chain: str
    key: str
    begins: float
    uses: tuple[str, ...] = (STATION,)


class SigningRequest(NamedTuple):
    """A request to sign a key: ``csr`` is PEM, ``id`` the charger's own number for it, ``name`` the common name."""

    id: int
    csr: str
    key: PrivateKeyTypes
    uses: tuple[str, ...]
    name: str


class OwnCertificates:
    """The certificates of one charger, and the keys for which it has requested one. ``now`` is the real POSIX time."""

    __slots__ = ("_ids", "_installed", "_now", "_requested")

    def __init__(self, first: OwnCertificate | None = None, now: Callable[[], float] = time.time) -> None:
        self._installed = [] if first is None else [first]
        self._requested: list[SigningRequest] = []
        self._ids = 0
        self._now = now

    def all(self, use: str = STATION) -> list[OwnCertificate]:
        """Those for that use, the newest first (A02.FR.09); the others are kept, in case that it does not work (A02.FR.10)."""
        return sorted((each for each in reversed(self._installed) if use in each.uses), key=lambda each: -each.begins)

    def name(self, serial: str) -> str:
        """The common name for the next request: that of the certificate in use, or else the charger's serial number (A00.FR.511)."""
        for each in self.all():
            names = split_chain(each.chain)[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            if names:
                return str(names[0].value)
        return serial

    def request(self, name: str, organization: str, *uses: str) -> SigningRequest:
        """A certificate signing request for a new key. The key never leaves the charger (A02.FR.05)."""
        key, name = ec.generate_private_key(ec.SECP256R1()), name[:64] or "charger"
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if organization:
            subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization[:64]))
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
        self._ids += 1
        request = SigningRequest(self._ids, csr.public_bytes(Encoding.PEM).decode(), key, uses or (STATION,), name)
        self._requested = [*self._requested, request][-MAX_REQUESTED:]
        return request

    def awaits(self, request: SigningRequest) -> bool:
        """Whether its certificate has not come yet."""
        return request in self._requested

    def judge(self, chain: str, roots: Callable[[str], Sequence[str]], id: int | None = None) -> OwnCertificate | str:
        """The certificate that a signed chain makes, or why it must be rejected (A02.FR.06).

        ``roots`` returns the CA certificates that are installed for a use; where there are none, any CA will do. ``id`` is the number of
        the request, if the central system has repeated it (2.1).
        """
        if len(chain) > MAX_CHAIN:
            return f"the chain has more than {MAX_CHAIN} characters"
        try:
            certificates = split_chain(chain)
            requested = next((each for each in self._requested if _same_key(each.key.public_key(), certificates[0].public_key())), None)
        except (ValueError, TypeError):
            return "not a certificate that can be read"
        leaf = certificates[0]
        if id is not None and all(each.id != id for each in self._requested):
            return "there is no such request"  # A02.FR.26
        if requested is None or id not in (None, requested.id):
            return "the certificate is for another key"
        if [each.value for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] != [requested.name]:
            return "the certificate is for another name"
        now = datetime.fromtimestamp(self._now(), UTC)
        if any(now < each.not_valid_before_utc for each in certificates):
            return "the certificate is not valid yet"
        if any(now > each.not_valid_after_utc for each in certificates):
            return "the certificate has expired"
        if not all(_issued(lower, upper) for lower, upper in pairwise(certificates)):
            return "the chain is broken"
        for use in requested.uses:
            trusted = [x509.load_pem_x509_certificate(each.encode()) for each in roots(use)]
            if trusted and not any(certificates[-1] == root or _issued(certificates[-1], root) for root in trusted):
                return "the chain leads to no CA that is installed"
        return OwnCertificate(chain, _pem(requested.key), leaf.not_valid_before_utc.timestamp(), requested.uses)

    def install(self, certificate: OwnCertificate) -> None:
        """Use it from the next connection on."""
        self._requested = [each for each in self._requested if _pem(each.key) != certificate.key]
        self._installed.append(certificate)

    def proved(self, certificate: OwnCertificate) -> bool:
        """A connection has been made with it: discard the others for connections (A02.FR.10); whether one of them was newer."""
        others = [each for each in self._installed if STATION in each.uses and each != certificate]
        newer = bool(others) and self.all()[0] != certificate
        self._installed = [each for each in self._installed if each not in others]
        return newer


def load_own(certificate: str, key: str | None = None) -> OwnCertificate:
    """A certificate with its chain and its key (by default in the same text), from PEM; raises ValueError, in words for a person."""
    try:
        chain = split_chain(certificate)
    except ValueError:
        raise ValueError("there is no PEM certificate in it") from None
    try:
        secret = load_pem_private_key((certificate if key is None else key).encode(), None)
    except (ValueError, TypeError):
        raise ValueError("there is no PEM private key without a passphrase") from None
    if not _same_key(secret.public_key(), chain[0].public_key()):
        raise ValueError("the private key is not the certificate's")
    return OwnCertificate(
        "".join(each.public_bytes(Encoding.PEM).decode() for each in chain), _pem(secret), chain[0].not_valid_before_utc.timestamp()
    )


def split_chain(pem: str) -> list[x509.Certificate]:
    """The certificates in a text, at least one; raises ValueError."""
    found = x509.load_pem_x509_certificates(pem.encode())
    if not found:
        raise ValueError("there is no certificate")
    return found


def _issued(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _same_key(one: PublicKeyTypes, other: PublicKeyTypes) -> bool:
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    return one.public_bytes(*form) == other.public_bytes(*form)


def _pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
