"""The certificate that the gateway shows to chargers: read from its files, checked, and read again when they change.

Has all knowledge of which TLS is spoken, and none of connections; those are `ocpp_tw.websocket.tls`'s. A charger's own certificate is nobody's yet.
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
from twisted.logger import Logger
from zope.interface import implementer

from ..settings import InvalidSetting, Settings

log = Logger()

CHECK_INTERVAL = 60.0
"""Seconds between two looks at the files."""

SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
)  # fmt: skip
"""Of TLS 1.2: OCPP's four (2.0.1 A00.FR.318; the last two of ours are its plain RSA ones), and their likes with forward secrecy. Those of
TLS 1.3 are OpenSSL's."""

PRIVATE_KEY = re.compile(rb"-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class Identity(NamedTuple):
    """A private key and the certificates that vouch for it, its own first."""

    key: Key
    chain: list[x509.Certificate]


@implementer(IOpenSSLServerConnectionCreator)
class Certificate:
    """What new connections begin with. Those that exist keep what they have begun with.

    Raises:
        Wrong: what the files hold will not do.
    """

    def __init__(self, chain: str, key: str, clock: IReactorTime) -> None:
        # absolute: twistd may change its directory before they are read again
        self._files = Path(chain).absolute(), Path(key or chain).absolute()
        self._wheel = LoopingCall(self._look)
        self._wheel.clock = clock
        self._seen = self._state()
        self._use(identity(*self._files))

    @classmethod
    def of(cls, settings: Settings, clock: IReactorTime) -> Certificate | None:
        """The one that the settings name."""
        return cls(settings.tls, settings.tls_key, clock) if settings.tls else None

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def start(self) -> None:
        """Look at the files now and then."""
        self._wheel.start(CHECK_INTERVAL, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._wheel.running:
            self._wheel.stop()

    def reload(self) -> None:
        """Read the files again. If they will not do, what is in use stays."""
        self._seen = self._state()
        try:
            self._use(identity(*self._files))
        except InvalidSetting as why:
            log.error("the certificate in use stays, since the new one will not do: {why}", why=str(why))

    def _look(self) -> None:
        if self._seen != self._state():
            self.reload()
        else:
            self._warn()

    def _state(self) -> list[tuple[int, int, int] | None]:
        """What changes with the files."""
        return [_stamp(each) for each in self._files]

    def _use(self, found: Identity) -> None:
        self._context = context(found)
        own = found.chain[0]
        self._times, self._warned = (own.not_valid_before_utc, own.not_valid_after_utc), False
        log.info("chargers are shown the certificate {name}, valid until {until} UTC", name=_name(own), until=_minute(self._times[1]))
        self._warn()

    def _warn(self) -> None:
        """Say once that no charger should believe it."""
        begin, end = self._times
        now = datetime.now(UTC)
        if not begin <= now <= end and not self._warned:
            self._warned = True
            said = f"has expired at {_minute(end)}" if now > end else f"is not valid before {_minute(begin)}"
            log.warn("the certificate in {file} {said} UTC: chargers that check it will not connect", file=str(self._files[0]), said=said)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a name"


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def identity(chain: Path, key: Path) -> Identity:
    """What the files hold.

    Raises:
        Wrong: it is not a private key and its certificates.
    """
    option = "--tls" if key == chain else "--tls-key"
    certificates = _certificates(chain)
    private = _private_key(key, option)
    mine = _public(private)
    if _public(certificates[0]) != mine:
        if any(_public(each) == mine for each in certificates):
            raise InvalidSetting(f"--tls: in {chain} the key's own certificate must come first, then those that vouch for it")
        raise InvalidSetting(f"{option}: the private key in {key} does not belong to the first certificate in {chain}")
    return Identity(private, certificates)


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
        raise InvalidSetting(
            f"{option}: the private key in {file} is encrypted, and nobody is there to be asked for its password; decrypt it"
        )
    try:
        key = load_pem_private_key(found[0], None)
    except Exception:  # what is wrong with it is not listed anywhere, and may quote it
        raise InvalidSetting(f"{option}: the private key in {file} cannot be read") from None
    if not isinstance(key, Key):
        raise InvalidSetting(f"{option}: the private key in {file} is of a kind that TLS has no use for; make an EC or RSA one")
    return key


def _public(of: Any) -> bytes:
    return cast(bytes, of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def context(identity: Identity) -> SSL.Context:
    """TLS 1.2 and 1.3 as OCPP wants them.

    Raises:
        Wrong: OpenSSL will have nothing to do with the key or a certificate.
    """
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    made.set_cipher_list(":".join(SUITES).encode())
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)  # half of what an idle connection would cost
    # Chargers resume by tickets, which cost us nothing; a cache would keep thousands of sessions of those who take none.
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_session_id(b"ocpp_tw")
    try:
        made.use_certificate(identity.chain[0])
        for each in identity.chain[1:]:
            made.add_extra_chain_cert(each)
        made.use_privatekey(identity.key)
        made.check_privatekey()
    except SSL.Error as why:
        raise InvalidSetting(f"--tls: OpenSSL will not have this certificate: {reason(why)}") from None
    return made


def reason(error: SSL.Error) -> str:
    """OpenSSL's own word for what is wrong."""
    queue: list[tuple[str, str, str]] = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return queue[-1][2] if queue else type(error).__name__
