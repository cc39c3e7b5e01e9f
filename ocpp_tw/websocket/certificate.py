"""The certificates that the gateway presents to chargers: checks them, and reloads them when their files change.

Decides which TLS versions and suites are offered, and asks for chargers' own certificates if there are authorities for them, which
`ocpp_tw.websocket.client_certificates` judges; connections are `ocpp_tw.websocket.tls`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from zope.interface import implementer

from ..log import Logger
from ..settings import InvalidSetting, Settings
from ..watched import WatchedFiles, minute
from .client_certificates import Authorities
from .pem_files import KeyAndChain, load

log = Logger()

CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-GCM-SHA256", "AES256-GCM-SHA384",
)  # fmt: skip
"""For TLS 1.2: OCPP's four (2.0.1 A00.FR.318; the last two here are its plain RSA ones), and similar ones with forward secrecy. Those of
TLS 1.3 are OpenSSL's."""

MAX_DEPTH = 6
"""Most authorities that OpenSSL looks at in a handshake. It knows none of them there, so that its verdict does not matter, but its time does."""


@implementer(IOpenSSLServerConnectionCreator)
class Certificate(WatchedFiles):
    """The certificate of new connections. Existing ones keep the one they began with. With ``authorities`` chargers are asked for theirs.

    There may be several with keys of different kinds: a charger is shown the one that it supports. ``keys`` may be in the same files.
    ``clients`` are those it is presented to, and ``option`` is the setting that names the files: both are for the log.

    Raises:
        InvalidSetting: the files do not hold a usable certificate.
    """

    def __init__(
        self,
        chains: Sequence[str],
        keys: Sequence[str],
        clock: IReactorTime,
        authorities: Authorities | None = None,
        clients: str = "chargers",
        option: str = "--tls",
    ) -> None:
        super().__init__([*chains, *(keys or chains)], clock)
        self.authorities = authorities
        self.kept = f"certificate for {clients} not reloaded, the one in use stays"
        self._clients, self._option = clients, option
        self._load()
        if authorities is not None:
            authorities.on_change = self._renew_context

    @classmethod
    def of(cls, settings: Settings, clock: IReactorTime, authorities: Authorities | None = None) -> Certificate | None:
        """The certificate that the settings name; None without TLS."""
        return cls(settings.tls, settings.tls_key, clock, authorities) if settings.tls else None

    @property
    def expires(self) -> float:
        """When it expires, in Unix time; of several the first."""
        return min(each.chain[0].not_valid_after_utc.timestamp() for each in self._loaded)

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def _load(self) -> None:
        half = len(self._files) // 2
        try:
            loaded = [load(*files) for files in zip(self._files[:half], self._files[half:], strict=True)]
            self._context = tls_context(loaded, self.authorities)
        except InvalidSetting as why:
            raise InvalidSetting(str(why).replace("--tls", self._option)) from None
        self._loaded, self._warned = loaded, set[Path]()
        for own in (each.chain[0] for each in loaded):
            until = minute(own.not_valid_after_utc)
            log.info(
                "certificate presented to {clients}: {name}, valid until {until} UTC", clients=self._clients, name=_name(own), until=until
            )
        self._warn_of_validity()

    def _renew_context(self) -> None:
        """Other authorities are trusted from now on; with a new context no session of the old one is resumed."""
        self._context = tls_context(self._loaded, self.authorities)

    def _warn_of_validity(self) -> None:
        """Log once of each certificate that it is outside its validity period."""
        now = datetime.now(UTC)
        for file, loaded in zip(self._files, self._loaded, strict=False):
            begin, end = loaded.chain[0].not_valid_before_utc, loaded.chain[0].not_valid_after_utc
            if not begin <= now <= end and file not in self._warned:
                self._warned.add(file)
                why = f"has expired at {minute(end)}" if now > end else f"is not valid before {minute(begin)}"
                log.warn(
                    "certificate in {file} {why} UTC: {clients} that check it will not connect",
                    file=str(file),
                    why=why,
                    clients=self._clients,
                )


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a name"


def tls_context(loaded: Sequence[KeyAndChain], authorities: Authorities | None = None) -> SSL.Context:
    """TLS 1.2 and 1.3 as OCPP requires them.

    Raises:
        InvalidSetting: OpenSSL does not accept a key or a certificate, or two keys are of one kind.
    """
    if len({type(each.key) for each in loaded}) < len(loaded):
        raise InvalidSetting("--tls: two certificates have keys of one kind; of an RSA and an EC one each charger gets the one it supports")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_cipher_list(":".join(CIPHER_SUITES).encode())
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # halves the memory of an idle connection
    # Chargers resume by tickets, which cost us nothing; a cache would hold thousands of sessions of those that accept none.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"ocpp_tw")
    for each in loaded:
        try:
            _present(context, each, alone=len(loaded) == 1)
        except SSL.Error as why:
            name = _name(each.chain[0])
            raise InvalidSetting(f"--tls: OpenSSL rejects the certificate {name}: {openssl_reason(why)}") from None
        except OSError as why:
            raise InvalidSetting(f"--tls: of two certificates each is copied to a temporary file (TMPDIR), which fails: {why}") from None
    if authorities is not None:
        _ask_for_certificates(context, authorities)
    return context


def _present(context: SSL.Context, loaded: KeyAndChain, alone: bool) -> None:
    if alone:
        context.use_certificate(loaded.chain[0])
        for each in loaded.chain[1:]:
            context.add_extra_chain_cert(each)  # of all certificates
    else:
        # Of pyOpenSSL's ways only this one gives each certificate a chain of its own. From a copy, since the file may have changed.
        with NamedTemporaryFile() as copy:
            copy.write(b"".join(each.public_bytes(Encoding.PEM) for each in loaded.chain))
            copy.flush()
            context.use_certificate_chain_file(copy.name)
    context.use_privatekey(loaded.key)
    context.check_privatekey()


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
