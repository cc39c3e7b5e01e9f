"""The certificate that the gateway presents to chargers: checks it, and reloads it when its files change.

Decides which TLS versions and suites are offered, and asks for chargers' own certificates if there are authorities for them, which
`ocpp_tw.websocket.client_certificates` judges; connections are `ocpp_tw.websocket.tls`'s.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from zope.interface import implementer

from ..log import Logger
from ..settings import InvalidSetting, Settings
from .client_certificates import Authorities
from .pem_files import KeyAndChain, load
from .watched_files import WatchedFiles, minute

log = Logger()

CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
)  # fmt: skip
"""For TLS 1.2: OCPP's four (2.0.1 A00.FR.318; the last two here are its plain RSA ones), and similar ones with forward secrecy. Those of
TLS 1.3 are OpenSSL's."""

MAX_DEPTH = 6
"""Most authorities between a charger's certificate and the one that is trusted; so many signatures OpenSSL looks at in a handshake, whoever
sends more."""


@implementer(IOpenSSLServerConnectionCreator)
class Certificate(WatchedFiles):
    """The certificate of new connections. Existing ones keep the one they began with. With ``authorities`` chargers are asked for theirs.

    Raises:
        InvalidSetting: the files do not hold a usable certificate.
    """

    kept = "certificate not reloaded, the one in use stays"

    def __init__(self, chain: str, key: str, clock: IReactorTime, authorities: Authorities | None = None) -> None:
        super().__init__([chain, key or chain], clock)
        self.authorities = authorities
        self._load()
        if authorities is not None:
            authorities.on_change = self._renew_context

    @classmethod
    def of(cls, settings: Settings, clock: IReactorTime, authorities: Authorities | None = None) -> Certificate | None:
        """The certificate that the settings name; None without TLS."""
        return cls(settings.tls, settings.tls_key, clock, authorities) if settings.tls else None

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def _load(self) -> None:
        loaded = load(*self._files)
        self._context = tls_context(loaded, self.authorities)
        self._loaded, own = loaded, loaded.chain[0]
        self._validity, self._warned = (own.not_valid_before_utc, own.not_valid_after_utc), False
        log.info("certificate presented to chargers: {name}, valid until {until} UTC", name=_name(own), until=minute(self._validity[1]))
        self._warn_of_validity()

    def _renew_context(self) -> None:
        """Other authorities are trusted from now on; with a new context no session of the old one is resumed."""
        self._context = tls_context(self._loaded, self.authorities)

    def _warn_of_validity(self) -> None:
        """Log once that the certificate is outside its validity period."""
        begin, end = self._validity
        now = datetime.now(UTC)
        if not begin <= now <= end and not self._warned:
            self._warned = True
            why = f"has expired at {minute(end)}" if now > end else f"is not valid before {minute(begin)}"
            log.warn("certificate in {file} {why} UTC: chargers that check it will not connect", file=str(self._files[0]), why=why)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a name"


def tls_context(loaded: KeyAndChain, authorities: Authorities | None = None) -> SSL.Context:
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
    if authorities is not None:
        _ask_for_certificates(context, authorities)
    return context


def _ask_for_certificates(context: SSL.Context, authorities: Authorities) -> None:
    """A charger is asked for a certificate, and may show none, or any: OpenSSL only has it prove that it has the key.

    Whatever is wrong with a certificate would end the handshake with an alert, which tells neither the charger nor us who it was and why:
    so it goes on, and `Authorities.judge` says after it whether the certificate is to be trusted, once for each connection. A resumed
    session would have no chain of authorities that could be verified again: there are no tickets, and no session is resumed.
    """
    context.set_verify(SSL.VERIFY_PEER, lambda *of_no_matter: True)
    context.set_verify_depth(MAX_DEPTH)
    context.set_options(SSL.OP_NO_TICKET)
    for each in authorities.certificates:
        context.add_client_ca(each)


def openssl_reason(error: SSL.Error) -> str:
    """OpenSSL's own name for an error."""
    queue: list[tuple[str, str, str]] = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return queue[-1][2] if queue else type(error).__name__
