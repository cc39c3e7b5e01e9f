"""Issues chargers' certificates with a key of the operator's own, and makes such a key.

OCPP has a charger's serial number as the common name (A00.FR.405), which a charger reports of itself and could be another one's identity.
So what is issued here also names the identity that asked for it, and whoever judges a certificate goes by that. Knows no charger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .signing_requests import NotSigned, SigningRequest

OWNER = "urn:ocpp-tw:charger:"
"""Before the identity, percent-encoded, in a certificate's alternative names (URI)."""

MAX_OWNER = 255
"""Longest such name, in characters: a longer one would not be looked at."""

MAX_CHAIN = 10_000
"""Most characters of a certificate with those above it (CertificateSigned, certificateChain)."""

EARLIER = timedelta(hours=1)
"""By how much certificates begin before now: chargers' clocks are wrong, too."""

VALID_YEARS = 10
"""For how long a new authority is valid."""


class Issued(NamedTuple):
    """A certificate with those that lead to the root, PEM; the SHA-256 of its DER in hexadecimal; and until when it is valid, Unix time."""

    chain: str
    fingerprint: str
    expires: float


def owner(id: str) -> str:
    """How a certificate names the charger that it was issued to."""
    return OWNER + quote(id, safe="")


class Signer(NamedTuple):
    """What certificates are signed with: a key, its own certificate, and those above that, without the root, which the chargers have or do not trust."""

    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    own: x509.Certificate
    above: list[x509.Certificate]

    @classmethod
    def of(cls, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]) -> Signer:
        """``chain`` has its own certificate first."""
        return cls(key, chain[0], [each for each in chain if each.issuer != each.subject])


class Authority:
    """``chain`` has its own certificate first; ``days`` is for how long certificates are valid, ``now`` the real time: TLS goes by that."""

    def __init__(
        self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate], days: int, now: Callable[[], float]
    ) -> None:
        self.days = days
        self._now = now
        self._signer = Signer.of(key, chain)

    def replace(self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]) -> None:
        """Sign with this from now on."""
        self._signer = Signer.of(key, chain)

    def issue(self, request: SigningRequest, id: str) -> Issued:
        """A certificate for the charger with that identity. Raises `NotSigned`."""
        now, named, (key, own, above) = datetime.fromtimestamp(self._now(), UTC), owner(id), self._signer
        if len(named) > MAX_OWNER:
            raise NotSigned("the identity is too long for a certificate")
        if not own.not_valid_before_utc <= now < own.not_valid_after_utc:
            raise NotSigned("the certificate of --ca is not valid at the moment")
        expires = min(now + timedelta(self.days), own.not_valid_after_utc)
        built = x509.CertificateBuilder(own.subject, request.subject, request.key, x509.random_serial_number())
        built = built.not_valid_before(max(now - EARLIER, own.not_valid_before_utc)).not_valid_after(expires)
        built = built.add_extension(x509.BasicConstraints(False, None), critical=True)
        built = built.add_extension(_usage(isinstance(request.key, rsa.RSAPublicKey), authority=False), critical=True)
        built = built.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        built = built.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(named)]), critical=False)
        built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(request.key), critical=False)
        built = built.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        made = built.sign(key, hashes.SHA256())
        chain = _pem([made, *above])
        if len(chain) > MAX_CHAIN:
            raise NotSigned(f"with the certificates above it, it has more than {MAX_CHAIN} characters")
        return Issued(chain, made.fingerprint(hashes.SHA256()).hex(), expires.timestamp())


def fingerprint(chain: str) -> str:
    """The SHA-256 of the first certificate in a PEM text; "" if there is none."""
    try:
        return x509.load_pem_x509_certificates(chain.encode())[0].fingerprint(hashes.SHA256()).hex()
    except Exception:  # the possible exceptions are not documented
        return ""


def make(name: str, organization: str, now: float) -> tuple[str, str]:
    """A new root authority: its certificate and its key, PEM."""
    key, begins = ec.generate_private_key(ec.SECP256R1()), datetime.fromtimestamp(now, UTC) - EARLIER
    names = [(NameOID.COMMON_NAME, name), *([(NameOID.ORGANIZATION_NAME, organization)] if organization else [])]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in names])
    built = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(begins).not_valid_after(begins + timedelta(VALID_YEARS * 365.25))
    built = built.add_extension(x509.BasicConstraints(True, 0), critical=True).add_extension(_usage(False, authority=True), critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return _pem([built.sign(key, hashes.SHA256())]), secret


def _usage(rsa_key: bool, *, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority, content_commitment=False, key_encipherment=rsa_key, data_encipherment=False, key_agreement=False,
        key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificates: Sequence[x509.Certificate]) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)
