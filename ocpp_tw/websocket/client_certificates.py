"""Judges the certificates that chargers show: by the authorities that are trusted, their revocation lists, and what a charger's must be.

Knows neither connections nor who a charger is: what a certificate's names have to say is the gate's to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto
from twisted.internet.interfaces import IReactorTime

from ..interfaces import ClientCertificate
from ..log import Logger
from ..settings import InvalidSetting, Settings
from ..watched import WatchedFiles, minute
from ..words import shown
from .pem_files import certificates, revocation_lists

log = Logger()

MAX_CHAIN = 10
"""Most certificates that a charger may send with its own."""

MAX_NAMES, MAX_NAME = 20, 255
"""Most alternative names of a certificate that are told, and the most characters of any of its names."""

MIN_RSA, MIN_EC = 2048, 224
"""Bits that a key must have (1.6 security whitepaper A00.FR.503 and 504; 2.x A00.FR.508 and 509)."""

STRONG_HASHES = ("sha224", "sha256", "sha384", "sha512", "sha3-224", "sha3-256", "sha3-384", "sha3-512")

UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 24, 27}
NOT_YET_VALID, EXPIRED, REVOKED = 9, 10, 23
NO_LIST, LIST_NOT_YET_VALID, LIST_EXPIRED = 3, 11, 12
"""OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_…)."""


class Authorities(WatchedFiles):
    """Those of the files; ``on_change`` is called when there are others.

    Raises:
        InvalidSetting: a file is not usable.
    """

    kept = "authorities of chargers' certificates not reloaded, those in use stay"

    def __init__(self, trusted: Sequence[str], revoked: Sequence[str], clock: IReactorTime) -> None:
        super().__init__([*trusted, *revoked], clock)
        self._count = len(trusted)
        self.on_change: Callable[[], None] = lambda: None
        self._load()

    @classmethod
    def of(cls, settings: Settings, clock: IReactorTime) -> Authorities | None:
        """Those that the settings name; None if chargers' certificates are not looked at."""
        return cls(settings.tls_client_ca, settings.tls_client_crl, clock) if settings.tls_client_ca else None

    def judge(self, certificate: crypto.X509, others: Sequence[crypto.X509]) -> ClientCertificate:
        """What it says, and why it must not be trusted; ``others`` came with it, and may vouch for it.

        There is no trouble only if all has been verified, and not before.
        """
        der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        fingerprint = sha256(der).hexdigest()
        try:
            own = x509.load_der_x509_certificate(der)
            names = _common_name(own), _attribute(own, NameOID.ORGANIZATION_NAME), _alternative_names(own)
            expires = own.not_valid_after_utc.timestamp()
        except Exception:  # the possible exceptions are not documented
            return ClientCertificate("", "", (), fingerprint, 0.0, "the certificate cannot be read")
        try:
            trouble = self._trouble(certificate, others) or _unfit(own, False)
        except Exception as why:  # as above
            trouble = f"the certificate cannot be verified ({type(why).__name__})"
        return ClientCertificate(*names, fingerprint, expires, trouble)

    def _trouble(self, certificate: crypto.X509, others: Sequence[crypto.X509]) -> str:
        if len(others) > MAX_CHAIN:
            return f"more than {MAX_CHAIN} certificates were sent with it"
        try:
            chain = crypto.X509StoreContext(self._store, certificate, others).get_verified_chain()
        except crypto.X509StoreContextError as why:
            return _told(why)
        if len(chain) == 1:
            return "it is an authority's own certificate"
        for each in chain[1:-1]:  # the last one is trusted as it is
            authority = each.to_cryptography()
            if trouble := _unfit_authority(authority):
                return f"of its authority {_name(authority)}: {trouble}"
        return ""

    def _load(self) -> None:
        trusted = [(file, each) for file in self._files[: self._count] for each in certificates(file, "--tls-client-ca")]
        lists = [each for file in self._files[self._count :] for each in revocation_lists(file, "--tls-client-crl")]
        known = {each.subject for _, each in trusted}
        for file, each in trusted:
            _check_authority(file, each, known)
        store = crypto.X509Store()
        for _, each in trusted:
            store.add_cert(crypto.X509.from_cryptography(each))
        for revoked in lists:
            store.add_crl(revoked)
        if lists:
            store.set_flags(crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL)
        self._store = store
        self.certificates = [each for _, each in trusted]
        self._validity = _validity(self.certificates, lists)
        self._told: set[str] = set()
        log.info("chargers' certificates: {count} authorities, {lists} revocation lists", count=len(trusted), lists=len(lists))
        self._warn_of_validity()
        self.on_change()

    def _warn_of_validity(self) -> None:
        """Log once that an authority or a list is out of its time: OpenSSL then trusts nothing that depends on it."""
        now = datetime.now(UTC)
        for what, until in self._validity:
            if until < now and what not in self._told:
                self._told.add(what)
                log.error(
                    "{what} has expired at {until} UTC: chargers with its certificates are not trusted", what=what, until=minute(until)
                )


def _check_authority(file: Path, certificate: x509.Certificate, known: set[x509.Name]) -> None:
    """Raise `InvalidSetting` for what OpenSSL would accept and never use."""
    name = _name(certificate)
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = certificate.version is x509.Version.v1
    except ValueError:
        is_authority = False
    if not is_authority:
        raise InvalidSetting(
            f"--tls-client-ca: {name} in {file} is no authority (CA:TRUE); name those that have issued chargers' certificates"
        )
    if certificate.issuer not in known:
        raise InvalidSetting(f"--tls-client-ca: {name} in {file} is issued by {_shown(certificate.issuer)}, which must be there too")


def _validity(trusted: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList]) -> list[tuple[str, datetime]]:
    """Until when each of them is valid, with what it is. Of an authority's lists the latest counts."""
    latest: dict[str, datetime | None] = {}
    for each in sorted(lists, key=lambda each: each.last_update_utc):
        latest[f"revocation list of {_shown(each.issuer)}"] = each.next_update_utc
    return [(f"authority {_name(each)}", each.not_valid_after_utc) for each in trusted] + [
        (what, until) for what, until in latest.items() if until is not None
    ]


def _told(error: crypto.X509StoreContextError) -> str:
    """What OpenSSL has found, in words that an engineer at a charger can use."""
    number, depth, text = error.errors
    found = error.certificate.to_cryptography()
    issuer, whose = _shown(found.issuer), "the certificate" if depth == 0 else f"its authority {_name(found)}"
    if number in UNKNOWN_AUTHORITY:
        return "the certificate is self-signed" if number == 18 else f"no trusted authority has issued it: {issuer} is unknown"
    if number == NOT_YET_VALID:
        return f"{whose} is not valid before {minute(found.not_valid_before_utc)} UTC"
    if number == EXPIRED:
        return f"{whose} has expired at {minute(found.not_valid_after_utc)} UTC"
    if number == REVOKED:
        return f"{whose} is revoked"
    if number == NO_LIST:
        return f"there is no revocation list of {issuer}"
    if number in (LIST_EXPIRED, LIST_NOT_YET_VALID):
        return f"the revocation list of {issuer} {'has expired' if number == LIST_EXPIRED else 'is not valid yet'}"
    return f"{whose}: {text}"


@lru_cache(256)
def _unfit_authority(certificate: x509.Certificate) -> str:
    return _unfit(certificate, True)


def _unfit(certificate: x509.Certificate, authority: bool) -> str:
    """Why it does not do for a charger, or for an authority of one, although it is genuine; "" if it does."""
    key = certificate.public_key()
    match key:
        case rsa.RSAPublicKey() if key.key_size < MIN_RSA:
            return f"its RSA key has {key.key_size} bits, not {MIN_RSA}"
        case ec.EllipticCurvePublicKey() if key.key_size < MIN_EC:
            return f"its EC key has {key.key_size} bits, not {MIN_EC}"
        case rsa.RSAPublicKey() | ec.EllipticCurvePublicKey() | ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            pass
        case _:
            return "its key is neither RSA nor EC"
    algorithm = certificate.signature_hash_algorithm  # None: the signature has none (Ed25519)
    if algorithm is not None and algorithm.name not in STRONG_HASHES:
        return f"it is signed with {algorithm.name}"
    extensions = certificate.extensions
    with suppress(x509.ExtensionNotFound):
        # whoever has an authority's key could issue certificates for any charger: it does not belong into one
        if not authority and extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return "it is an authority's certificate (CA:TRUE)"
    with suppress(x509.ExtensionNotFound):
        purposes = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        if not purposes & {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}:
            return "it is not for clients of TLS (extended key usage)"
    with suppress(x509.ExtensionNotFound):
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not (usage.digital_signature or usage.key_agreement or (authority and usage.key_cert_sign)):
            return "its key is not for signatures (key usage)"
    return ""


def _name(certificate: x509.Certificate) -> str:
    return _shown(certificate.subject)


def _shown(name: x509.Name) -> str:
    return shown(name.rfc4514_string()) or "nobody"


def _common_name(certificate: x509.Certificate) -> str:
    return _attribute(certificate, NameOID.COMMON_NAME)


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    """The only one of its kind; several are no name, since everybody would read another one."""
    values = certificate.subject.get_attributes_for_oid(oid)
    return str(values[0].value) if len(values) == 1 and len(values[0].value) <= MAX_NAME else ""


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    texts = [str(each.value) for each in names if isinstance(each, x509.DNSName | x509.UniformResourceIdentifier)]
    return tuple(each for each in texts if len(each) <= MAX_NAME)[:MAX_NAMES]
