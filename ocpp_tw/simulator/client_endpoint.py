"""The endpoint that a ws or wss URL names, with or without verification of the server's certificate.

Knows nothing of WebSockets but the URL's schemes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from OpenSSL import SSL
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import CertificateOptions, optionsForClientTLS
from zope.interface import implementer

HANDSHAKE_TIMEOUT = 30.0
"""Real seconds for the connection and the opening handshake; then the attempt has failed. Many chargers may connect at once."""


def client_endpoint(reactor: Any, url: str, insecure: bool) -> Any:
    """The endpoint of a ws or wss URL."""
    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "wss"
    plain = HostnameEndpoint(reactor, host, parts.port or (443 if tls else 80), timeout=HANDSHAKE_TIMEOUT)
    if not tls:
        return plain
    creator: IOpenSSLClientConnectionCreator = _Unverified(host) if insecure else optionsForClientTLS(host)
    return wrapClientTLS(creator, plain)


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    """TLS without verification of the server's certificate."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._options = CertificateOptions(verify=False)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._options.getContext(), None)
        connection.set_tlsext_host_name(self._host.encode())
        return connection
