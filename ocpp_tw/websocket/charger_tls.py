"""Chargers over TLS, and beside what all TLS is: what a proxy announces before it, connections without TLS at the same port, and chargers'
own certificates.

Knows neither what is announced nor how a certificate is judged.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IReactorTime

from ..interfaces import ClientCertificate
from .certificate import Certificate
from .tls import HANDSHAKE, TlsConnection, TlsFactory


class ChargerTls(TlsConnection):
    """One connection."""

    factory: ChargerTlsFactory
    wrappedProtocol: Any

    def first_bytes(self, data: bytes) -> bytes:
        data = self.wrappedProtocol.after_announcement(data)
        if data and self.factory.plain_too and not self._early and data[0] != HANDSHAKE:
            self._give_way(data)
            return b""
        return data

    def _give_way(self, data: bytes) -> None:
        """The charger speaks without TLS: its protocol gets the TCP connection itself, and nothing of this one stays between them."""
        line, protocol = self.transport, self.wrappedProtocol
        self.unregisterProducer()
        self.factory.unregisterProtocol(self)
        line.protocol, protocol.transport = protocol, line
        line.registerProducer(protocol, True)
        protocol.dataReceived(data)

    @property
    def host(self) -> str:
        return str(self.wrappedProtocol.peer_host)

    def client_certificate(self) -> ClientCertificate | None:
        """The one that the charger has shown, judged anew each time; None without one, or if chargers are not asked for any."""
        authorities = self.factory.authorities
        shown = None if authorities is None or self._tlsConnection is None else self._tlsConnection.get_peer_certificate()
        if authorities is None or shown is None:
            return None
        return authorities.judge(shown, self._tlsConnection.get_peer_cert_chain() or ())


class ChargerTlsFactory(TlsFactory):
    """With ``plain_too`` it serves without TLS, too, whoever begins with anything but a TLS handshake."""

    protocol = ChargerTls

    def __init__(self, certificate: Certificate, inner: IProtocolFactory, clock: IReactorTime, plain_too: bool = False) -> None:
        super().__init__(certificate, inner, clock)
        self.plain_too = plain_too
        self.authorities = certificate.authorities
