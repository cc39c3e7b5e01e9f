"""The certificate that the gateway presents to chargers: loads it from its files, checks it, and reloads it when they change.

Decides which TLS versions and suites are offered; connections are `ocpp_tw.websocket.tls`'s. A charger's own certificate is not checked yet.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from ..log import Logger
from ..settings import InvalidSetting, Settings

log = Logger()

CHECK_INTERVAL = 60.0
"""Seconds between two checks whether the files have changed."""

CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
)  # fmt: skip
"""For TLS 1.2: OCPP's four (2.0.1 A00.FR.318; the last two here are its plain RSA ones), and similar ones with forward secrecy. Those of
TLS 1.3 are OpenSSL's."""

PRIVATE_KEY = re.compile(rb"-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class KeyAndChain(NamedTuple):
    """A private key and its certificate chain, its own certificate first."""

    key: Key
    chain: list[x509.Certificate]


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """The certificate of new connections. Existing ones keep the one they began with.

    Raises:
        InvalidSetting: the files do not hold a usable certificate.
    """

    def __init__(self, chain: str, key: str, clock: IReactorTime) -> None:
        # absolute: twistd may change its directory before they are read again
        self._files = Path(chain).absolute(), Path(key or chain).absolute()
        self._timer = LoopingCall(self._check)
        self._timer.clock = clock
        self._state = self._read_state()
        self._use(load(*self._files))

    @classmethod
    def of(cls, settings: Settings, clock: IReactorTime) -> Certificate | None:
        """The certificate that the settings name; None without TLS."""
        return cls(settings.tls, settings.tls_key, clock) if settings.tls else None

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def start(self) -> None:
        """Begin to check the files."""
        self._timer.start(CHECK_INTERVAL, now=False)

    def stop(self) -> None:
        """Stop checking the files."""
        if self._timer.running:
            self._timer.stop()

    def reload(self) -> None:
        """Load the files again. If they are not usable, the certificate in use stays."""
        self._state = self._read_state()
        try:
            self._use(load(*self._files))
        except InvalidSetting as why:
            log.error("certificate not reloaded, the one in use stays: {why}", why=str(why))

    def _check(self) -> None:
        if self._state != self._read_state():
            self.reload()
        else:
            self._warn_of_validity()

    def _read_state(self) -> list[tuple[int, int, int] | None]:
        """What changes with the files."""
        return [_file_state(file) for file in self._files]

    def _use(self, loaded: KeyAndChain) -> None:
        self._context = tls_context(loaded)
        own = loaded.chain[0]
        self._validity, self._warned = (own.not_valid_before_utc, own.not_valid_after_utc), False
        log.info("certificate presented to chargers: {name}, valid until {until} UTC", name=_name(own), until=_minute(self._validity[1]))
        self._warn_of_validity()

    def _warn_of_validity(self) -> None:
        """Log once that the certificate is outside its validity period."""
        begin, end = self._validity
        now = datetime.now(UTC)
        if not begin <= now <= end and not self._warned:
            self._warned = True
            why = f"has expired at {_minute(end)}" if now > end else f"is not valid before {_minute(begin)}"
            log.warn("certificate in {file} {why} UTC: chargers that check it will not connect", file=str(self._files[0]), why=why)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a name"


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _file_state(file: Path) -> tuple[int, int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def load(chain: Path, key: Path) -> KeyAndChain:
    """The key and certificates in these files.

    Raises:
        InvalidSetting: they do not hold a private key and its certificates.
    """
    option = "--tls" if key == chain else "--tls-key"
    certificates = _certificates(chain)
    private = _private_key(key, option)
    public = _public(private)
    if _public(certificates[0]) != public:
        if any(_public(certificate) == public for certificate in certificates):
            raise InvalidSetting(f"--tls: in {chain} the key's own certificate must come first, then those that vouch for it")
        raise InvalidSetting(f"{option}: the private key in {key} does not belong to the first certificate in {chain}")
    return KeyAndChain(private, certificates)


def _read(option: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as why:
        raise InvalidSetting(f"{option}: {file} cannot be read: {why.strerror}") from None


def _certificates(file: Path) -> list[x509.Certificate]:
    text = _read("--tls", file)
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise InvalidSetting(f"--tls: {file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise InvalidSetting(f"--tls: a certificate in {file} cannot be read") from None


def _private_key(file: Path, option: str) -> Key:
    found = PRIVATE_KEY.search(_read(option, file))
    if found is None:
        hint = "; add it, or name its file with --tls-key" if option == "--tls" else ""
        raise InvalidSetting(f"{option}: {file} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----){hint}")
    if b"ENCRYPTED" in found[0]:
        raise InvalidSetting(f"{option}: the private key in {file} is encrypted, and a server cannot ask for its password; decrypt it")
    try:
        key = load_pem_private_key(found[0], None)
    except Exception:  # the possible exceptions are not documented, and their texts may quote the key
        raise InvalidSetting(f"{option}: the private key in {file} cannot be read") from None
    if not isinstance(key, Key):
        raise InvalidSetting(f"{option}: the private key in {file} is of a type that TLS does not support; use an EC or RSA key")
    return key


def _public(of: Any) -> bytes:
    return cast(bytes, of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def tls_context(loaded: KeyAndChain) -> SSL.Context:
    """TLS 1.2 and 1.3 as OCPP requires them.

    Raises:
        InvalidSetting: OpenSSL does not accept the key or a certificate.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_cipher_list(":".join(CIPHER_SUITES).encode())
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # halves the memory of an idle connection
    # Chargers resume by tickets, which cost us nothing; a cache would hold thousands of sessions of those that accept none.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"ocpp_tw")
    try:
        context.use_certificate(loaded.chain[0])
        for certificate in loaded.chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(loaded.key)
        context.check_privatekey()
    except SSL.Error as why:
        raise InvalidSetting(f"--tls: OpenSSL rejects this certificate: {openssl_reason(why)}") from None
    return context


def openssl_reason(error: SSL.Error) -> str:
    """OpenSSL's own name for an error."""
    queue: list[tuple[str, str, str]] = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return queue[-1][2] if queue else type(error).__name__
