"""What proxies announce of a connection, by version 2 of the PROXY protocol: support of the tests of `ocpp_tw.websocket`."""

from __future__ import annotations

import struct
from ipaddress import ip_address


def version_2(host: str, tls: bool | None = None, certificate: bytes | None = None, before: bytes = b"") -> bytes:
    """The announcement of a connection from there ("": the proxy's own); ``certificate`` is in DER, b"" for one that is not sent."""
    if not host:
        return b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
    source = ip_address(host)
    body = source.packed + bytes(len(source.packed)) + struct.pack("!HH", 1234, 443) + before
    if tls is not None:
        parts = part(0x21, b"TLSv1.3") + part(0x22, b"cp1") + (part(0x28, certificate) if certificate else b"")
        body += part(0x20, struct.pack("!BI", tls | (0x02 if certificate is not None else 0), 0) + parts)
    return b"\r\n\r\n\x00\r\nQUIT\n\x21" + (b"\x11" if source.version == 4 else b"\x21") + struct.pack("!H", len(body)) + body


def part(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value
