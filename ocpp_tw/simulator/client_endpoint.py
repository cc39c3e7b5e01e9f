"""The endpoint that a ws or wss URL names, with the TLS that a charger's security says: whom it trusts, and the certificate that it shows.

Knows nothing of WebSockets but the URL's schemes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from OpenSSL import SSL, crypto
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    KeyPair,
    PrivateCertificate,
    VerificationError,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from .own_certificates import OwnCertificate, split_chain
from .security import Access, Tls

HANDSHAKE_TIMEOUT = 30.0
"""Real seconds for the connection and the opening handshake; then the attempt has failed. Many chargers may connect at once."""


def client_endpoint(reactor: Any, access: Access) -> Any:
    """The endpoint for an attempt to connect."""
    parts = urlsplit(access.url)
    host, tls = parts.hostname or "", access.tls
    plain = HostnameEndpoint(reactor, host, parts.port or (443 if tls else 80), timeout=HANDSHAKE_TIMEOUT)
    return plain if tls is None else wrapClientTLS(_creator(host, tls), plain)


def tls_failure(reason: Failure) -> tuple[str, bool] | None:
    """Why TLS failed, if that is how a connection was lost, and whether it was the charger that did not trust the server's certificate."""
    if reason.check(VerificationError):
        return "the certificate is not for this host", True
    if not isinstance(reason.value, SSL.Error):
        return None
    words = [str(each[-1]) for each in reason.value.args[0]] if reason.value.args else []
    return f"TLS failed: {', '.join(words) or 'no reason given'}", "certificate verify failed" in words


def _creator(host: str, tls: Tls) -> IOpenSSLClientConnectionCreator:
    own, more = _own(tls.own)
    if tls.insecure:
        return _Unverified(host, own, more)
    trusted = (
        trustRootFromCertificates([Certificate.loadPEM(each.encode()) for each in tls.roots]) if tls.roots else None
    )  # None: the system's
    creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(host, trusted, own, extraCertificateOptions=more)
    return creator


def _own(own: OwnCertificate | None) -> tuple[PrivateCertificate | None, dict[str, Any]]:
    """The charger's certificate with its key, and the options for those that lead to the root."""
    if own is None:
        return None, {}
    leaf, *others = [crypto.X509.from_cryptography(each) for each in split_chain(own.chain)]
    key = KeyPair(crypto.load_privatekey(crypto.FILETYPE_PEM, own.key.encode()))
    return PrivateCertificate.fromCertificateAndKeyPair(Certificate(leaf), key), {"extraCertChain": others} if others else {}


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS without verification of the server's certificate."""

    def __init__(self, host: str, own: PrivateCertificate | None, more: dict[str, Any]) -> None:
        self._host = host
        if own is not None:
            more = more | {"privateKey": own.privateKey.original, "certificate": own.original}
        self._options = CertificateOptions(verify=False, **more)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._options.getContext(), None)
        connection.set_tlsext_host_name(self._host.encode())
        return connection
