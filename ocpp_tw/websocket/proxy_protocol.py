"""Parses what a proxy announces of a connection before its first byte: the PROXY protocol, versions 1 and 2, as HAProxy specifies it.

Knows bytes only, and not which proxies are trusted.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

SIGNATURE, BEGINNING = b"\r\n\r\n\x00\r\nQUIT\n", b"PROXY "
"""What an announcement of version 2 begins with, and one of version 1."""

MAX_LINE, MAX_LENGTH = 107, 16 << 10
"""Longest announcement of version 1, as specified; and of version 2, where a certificate is the longest thing in it."""

LOCAL, PROXIED = 0x20, 0x21
ADDRESSES: dict[int, tuple[int, int]] = {1: (4, 12), 2: (16, 36), 3: (0, 216)}
"""Family (IPv4, IPv6, Unix) -> bytes of one address, and of all four parts together."""

TLS, CLIENT_CERTIFICATE = 0x20, 0x28
"""Types of what may follow: PP2_TYPE_SSL, and in it PP2_SUBTYPE_SSL_CLIENT_CERT."""

IS_TLS, HAS_CERTIFICATE = 0x01, 0x02 | 0x04


class BadAnnouncement(Exception):
    """It is none, or cannot be read; the text says why."""


class Announced(NamedTuple):
    """What a proxy says of who connects; ``host`` is "" when it is the proxy itself, ``tls`` is None when nothing is said of it.

    ``certificate`` is in DER, and may be missing where there is one.
    """

    host: str
    tls: bool | None = None
    has_certificate: bool = False
    certificate: bytes = b""


def read(data: bytes) -> tuple[Announced, int] | None:
    """The announcement that ``data`` begins with, and where it ends; None while it is not complete.

    Raises:
        BadAnnouncement: it is none.
    """
    if data.startswith(SIGNATURE):
        return _version_2(data)
    if data.startswith(BEGINNING):
        return _version_1(data)
    if SIGNATURE.startswith(data) or BEGINNING.startswith(data):
        return None
    raise BadAnnouncement("it begins without the PROXY protocol")


def _version_1(data: bytes) -> tuple[Announced, int] | None:
    line, end, _ = data[:MAX_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= MAX_LINE:
            raise BadAnnouncement("its PROXY line is too long")
        return None
    length = len(line) + 2
    match line.decode("ascii", "replace").split(" "):
        case [_, "UNKNOWN", *_]:
            return Announced(""), length
        case [_, "TCP4" | "TCP6", source, _, _, _]:
            try:
                return Announced(str(ip_address(source))), length
            except ValueError:
                pass
    raise BadAnnouncement("its PROXY line cannot be read")


def _version_2(data: bytes) -> tuple[Announced, int] | None:
    if len(data) < 16:
        return None
    command, family, length = struct.unpack_from("!BBH", data, 12)
    if command not in (LOCAL, PROXIED):
        raise BadAnnouncement("its PROXY protocol is of an unknown version or command")
    if length > MAX_LENGTH:
        raise BadAnnouncement(f"its PROXY header has {length} bytes")
    end = 16 + length
    if len(data) < end:
        return None
    if command == LOCAL:
        return Announced(""), end
    size, whole = ADDRESSES.get(family >> 4, (0, 0))
    if length < whole:
        raise BadAnnouncement("its PROXY header is too short")
    source = data[16 : 16 + size]
    host = str(IPv4Address(source) if size == 4 else IPv6Address(source)) if size else ""
    tls, has, certificate = _tls(data[16 + whole : end])
    return Announced(host, tls, has, certificate), end


def _tls(data: bytes) -> tuple[bool | None, bool, bytes]:
    for kind, value in _parts(data):
        if kind == TLS:
            if len(value) < 5:
                raise BadAnnouncement("its PROXY header is too short")
            certificate = next((part for number, part in _parts(value[5:]) if number == CLIENT_CERTIFICATE), b"")
            return bool(value[0] & IS_TLS), bool(value[0] & HAS_CERTIFICATE), certificate
    return None, False, b""


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each."""
    at = 0
    while at < len(data):
        if at + 3 > len(data):
            raise BadAnnouncement("its PROXY header is too short")
        kind, length = struct.unpack_from("!BH", data, at)
        at += 3 + length
        if at > len(data):
            raise BadAnnouncement("its PROXY header is too short")
        yield kind, data[at - length : at]
