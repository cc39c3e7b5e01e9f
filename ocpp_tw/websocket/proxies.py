"""What a trusted proxy says of a connection that it passes on: the charger's address, whether that uses TLS, and its certificate.

Knows which proxies are trusted, their headers and announcements, not connections. Nothing that anybody else says is looked at.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote

from OpenSSL import crypto

from ..interfaces import ClientCertificate
from ..settings import Settings
from .client_certificates import Authorities
from .handshake import BadHandshake
from .proxy_protocol import Announced

ENCRYPTED = {"https", "wss"}

NO_CERTIFICATE = {"", "-", "(null)", "null"}
"""What proxies send in place of a certificate when there is none."""

UNQUOTED = {"uri", "dns"}
"""Keys whose values Envoy takes from the charger's certificate as they are: what follows them may be more of such a value."""

REPEATED = UNQUOTED | {"by"}
"""Keys that Envoy writes once for each name in a certificate: of the charger's, and for By of its own."""

_PEM = r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
_PEMS = re.compile(rf"\s*(?:{_PEM}\s*)+")
_ENVOY = re.compile(r"[A-Za-z]{1,20}=")  # a certificate in base64 has no padding so early
_ENVOY_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"\s*|([^";,\\]*))(;|\Z)')
_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"([^"]*)"|([^;,"]*))\s*(;|,|$)')


class Seen(NamedTuple):
    """A connection as a proxy that is trusted sees it; ``tls`` is None if it is for us to see."""

    host: str
    tls: bool | None
    certificate: ClientCertificate | None


class Proxies:
    """Those of the settings. Without any nobody is trusted."""

    def __init__(self, settings: Settings, authorities: Authorities | None = None) -> None:
        self._networks = [ip_network(each) for each in settings.trusted_proxies]
        self._announce = settings.proxy_protocol
        self._header = settings.proxy_certificate_header.lower()
        self._authorities = authorities

    def announces(self, host: str) -> bool:
        """Whether a connection from there has to begin with an announcement (the PROXY protocol)."""
        return self._announce and self._trusted(_ip(host))

    def announced(self, announced: Announced, host: str) -> Seen:
        """What a proxy at ``host`` has announced."""
        certificate = None
        if self._authorities is not None and announced.certificate:
            certificate = self._judged([announced.certificate])
        elif self._authorities is not None and announced.has_certificate:
            certificate = _untrusted("the proxy has seen a certificate, and does not send it (PP2_SUBTYPE_SSL_CLIENT_CERT)")
        return Seen(_plain(announced.host) or host, announced.tls, certificate)

    def seen(self, host: str, headers: Mapping[str, str]) -> Seen | None:
        """What the headers of a request from ``host`` say; None if it is no proxy that is trusted, or says nothing.

        Raises:
            BadHandshake: they contradict each other: some are the charger's own.
        """
        if self._announce or not self._networks or not self._trusted(_ip(host)):
            return None
        forwarded = _forwarded(headers.get("forwarded", ""))
        chains = [each for each in (_commas(headers.get("x-forwarded-for", "")), [pair.get("for", "") for pair in forwarded]) if each]
        schemes = [*_commas(headers.get("x-forwarded-proto", "")), *(pair["proto"] for pair in forwarded if "proto" in pair)]
        shown = headers.get(self._header, "").strip() if self._header else ""
        if not chains and not schemes and shown in NO_CERTIFICATE:
            return None
        hosts = {self._last_untrusted(host, each) for each in chains} or {host}
        if len(hosts) > 1:
            raise BadHandshake(400, "X-Forwarded-For and Forwarded contradict each other")
        tls = bool(schemes) and all(each.lower() in ENCRYPTED for each in schemes)
        return Seen(hosts.pop(), tls, None if shown in NO_CERTIFICATE or self._authorities is None else self._read_certificate(shown))

    def _trusted(self, ip: IPv4Address | IPv6Address | None) -> bool:
        return ip is not None and any(ip in each for each in self._networks)

    def _last_untrusted(self, host: str, chain: Sequence[str]) -> str:
        """Each proxy appends whom it has its request from: only what trusted ones have appended counts."""
        for each in reversed(chain):
            ip = _ip(each)
            if ip is None:
                return host
            host = str(ip)
            if not self._trusted(ip):
                return host
        return host

    def _read_certificate(self, shown: str) -> ClientCertificate:
        try:
            ders = _ders(shown)
        except ValueError:
            return _untrusted("the proxy's header has no certificate that can be read, or more than one")
        return self._judged(ders)

    def _judged(self, ders: Sequence[bytes]) -> ClientCertificate:
        assert self._authorities is not None
        try:
            own, *others = [crypto.load_certificate(crypto.FILETYPE_ASN1, each) for each in ders]
        except (crypto.Error, ValueError):
            return _untrusted("the certificate that the proxy sends cannot be read")
        return self._authorities.judge(own, others)


def _untrusted(why: str) -> ClientCertificate:
    return ClientCertificate("", "", (), "", 0.0, why)


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    """An address with or without a port, as headers have it; None if it is none (``unknown``, ``_hidden``)."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def _plain(host: str) -> str:
    return str(_ip(host)) if host else ""


def _commas(value: str) -> list[str]:
    return [each.strip() for each in value.split(",") if each.strip()]


def _forwarded(value: str) -> list[dict[str, str]]:
    """The elements of a Forwarded header (RFC 7239 §4), each as its pairs.

    Raises:
        BadHandshake: it cannot be read.
    """
    elements: list[dict[str, str]] = [{}] if value.strip() else []
    at = 0
    while at < len(value):
        pair = _PAIR.match(value, at)
        if pair is None:
            raise BadHandshake(400, "the header forwarded cannot be read")
        elements[-1][pair[1].lower()] = pair[2] if pair[2] is not None else pair[3].strip()
        if pair[4] == ",":
            elements.append({})
        at = pair.end()
    return elements


def _ders(value: str) -> list[bytes]:
    """The certificates in a header, a charger's own first: PEM, URL-encoded (nginx, HAProxy); Envoy's X-Forwarded-Client-Cert, with Cert or
    Chain; DER in base64, with colons around it (RFC 9440) or without.

    Raises:
        ValueError: there is none that can be read; or there are several values, so that the first may be the charger's own.
    """
    if any(mark in value for mark in '",;') or _ENVOY.match(value):
        pairs = _envoy_pairs(value)
        return [der for name in ("cert", "chain") if name in pairs for der in _plain_ders(pairs[name])]
    return _plain_ders(value)


def _envoy_pairs(value: str) -> dict[str, str]:
    """The only element of an X-Forwarded-Client-Cert, all of it: the charger chooses its names, so a part that looks like a certificate may be
    in the middle of one. Values stay escaped: in a certificate there is nothing to escape.

    Raises:
        ValueError: it cannot be read in one way only, or has no certificate.
    """
    pairs: dict[str, str] = {}
    at, more = 0, True
    while more:
        pair = _ENVOY_PAIR.match(value, at)
        if pair is None:
            raise ValueError("it cannot be read, or has several elements")
        name = pair[1].lower()
        if (name in pairs and name not in REPEATED) or (name in ("cert", "chain") and not UNQUOTED.isdisjoint(pairs)):
            raise ValueError(f"{name} may be the charger's own words")
        pairs[name] = pair[2] if pair[2] is not None else pair[3].strip()
        at, more = pair.end(), pair[4] == ";"
    if pairs.keys().isdisjoint(("cert", "chain")):
        raise ValueError("no certificate")
    return pairs


def _plain_ders(value: str) -> list[bytes]:
    text = unquote(value)
    found = re.findall(_PEM, text) if _PEMS.fullmatch(text) else [text.removeprefix(":").removesuffix(":")]
    return [b64decode("".join(each.split()), validate=True) for each in found]
