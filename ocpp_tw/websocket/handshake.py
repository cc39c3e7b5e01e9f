"""Parses the opening handshake as chargers really send it: repairs what is sloppy, refuses what is dangerous (OCPP-J 1.6 §3.1).

Knows bytes only; an unusual handshake is judged by Autobahn, from the tidied head.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha1
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

MAX_HEAD = 8 * 1024
"""Longest request head, in bytes (chargers' have a few hundred); a longer one is answered 431."""

SINGLE_HEADERS = frozenset({"authorization", "host", "upgrade", "sec-websocket-key", "sec-websocket-version"})
"""Headers that must not occur twice: what two parsers may read differently is a way to attack."""

ENDPOINT = "ocpp"
"""The path below which chargers are told to connect. It is nobody's identity: the charger's own went into a query, or is empty."""

MAX_HOST = 255
"""Longest Host header, in characters: the longest name that there is."""

_HOST = re.compile(r"(?:[A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~%-]+)?\])(?::[0-9]*)?")
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_UNFIT = re.compile(rb"[^\t\x20-\x7e]")
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class BadHandshake(Exception):
    """The request is refused with this HTTP status; the reason is our own text and safe to send."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Head(NamedTuple):
    """A request's head. ``headers`` have lower-case names; ``repairs`` say what was repaired."""

    method: bytes
    target: bytes
    version: bytes
    headers: dict[str, str]
    repairs: tuple[str, ...]

    @property
    def text(self) -> bytes:
        """The head in canonical form, for ``/`` (the charger's own target may be anything)."""
        lines = [f"{name}: {value}\r\n".encode("ascii") for name, value in self.headers.items()]
        return b"".join([self.method, b" / ", self.version, b"\r\n", *lines, b"\r\n"])


def read(head: bytes) -> Head:
    """The request in ``head``, which ends with its empty line.

    Raises:
        BadHandshake: it is not HTTP, or ambiguous.
    """
    line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, version = _request_line(line)
    if not method.isalpha() or not _VERSION.fullmatch(version) or not target:
        raise BadHandshake(400, "not an HTTP request")
    repairs = ["a space in the URL"] if b" " in target else []
    headers = _headers(lines)
    if "upgrade" in headers and "upgrade" not in headers.get("connection", "").lower():
        # Autel and others leave out the one header that every server checks
        headers["connection"] = "Upgrade"
        repairs.append("no Connection: Upgrade")
    host = headers.get("host", "")
    if len(host) > MAX_HOST or not _HOST.fullmatch(host):
        raise BadHandshake(400, "the header Host is not a name or an address, with or without a port")  # every event has it, as its domain
    offered = headers.get("sec-websocket-protocol")
    if offered is not None:
        unique = list(dict.fromkeys(each.strip() for each in offered.split(",") if each.strip()))
        if len(unique) != offered.count(",") + 1:
            repairs.append("a subprotocol offered twice, or an empty one")
        headers["sec-websocket-protocol"] = ", ".join(unique)
        if not unique:
            del headers["sec-websocket-protocol"]
    headers.pop("origin", None)  # a browser's protection; some chargers' libraries send nonsense in it
    return Head(method, target, version, headers, tuple(repairs))


def claimed_target(head: bytes) -> bytes:
    """The target of a handshake that `read` refuses; b"" if it is none of a charger, as those of scanners."""
    line, *lines = head.split(b"\r\n")
    method, target, _ = _request_line(line)
    return target if method.isalpha() and any(each.lower().startswith(b"upgrade:") for each in lines) else b""


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and version; in the target of a sloppy charger there may be spaces."""
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    return method, target.strip(), version


def _headers(lines: Iterable[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        if _UNFIT.search(line):
            raise BadHandshake(400, "a header has a byte that headers may not have")
        name, colon, value = line.decode("ascii").partition(":")
        if not colon or not name or name != name.strip():
            raise BadHandshake(400, "a header is not of the form Name: value")
        name, value = name.lower(), value.strip()
        if name in headers:
            if name in SINGLE_HEADERS:
                raise BadHandshake(400, f"the header {name} comes twice")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def usual_key(head: Head) -> str:
    """The WebSocket key of an ordinary handshake, as nearly all are; "" when Autobahn has to judge it (RFC 6455 §4.2.1)."""
    headers = head.headers
    host, key = headers.get("host"), headers.get("sec-websocket-key", "")
    usual = (
        head.method == b"GET"
        and head.version == b"HTTP/1.1"
        and host is not None
        and (":" not in host or host.endswith("]") or host.rpartition(":")[2].isdecimal())
        and headers.get("upgrade", "").lower() == "websocket"
        and "upgrade" in [each.strip() for each in headers.get("connection", "").lower().split(",")]
        and headers.get("sec-websocket-version") == "13"
        and "sec-websocket-extensions" not in headers
        and _KEY.fullmatch(key)
    )
    return key if usual else ""


def switching_protocols(key: str, subprotocol: str | None, server: str) -> bytes:
    """The response that accepts a handshake, without extensions (RFC 6455 §4.2.2)."""
    accept = b64encode(sha1(key.encode() + _MAGIC, usedforsecurity=False).digest())
    chosen = b"" if subprotocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % subprotocol.encode()
    start = b"HTTP/1.1 101 Switching Protocols\r\nServer: %b\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" % server.encode()
    return start + chosen + b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept


def identity(target: bytes, max_length: int = 48, below: str = "") -> str:
    """The charger's identity: the last segment of the raw request target, percent-decoded once; ``below`` is the only path that may come
    before it, "" if any may.

    Taken from the target itself since URL parsers truncate it (``/CP;001``, ``//CP1``); a query, a trailing slash and doubled
    slashes are not part of it. `ENDPOINT` is none.

    Raises:
        BadHandshake: there is none, or it is not printable UTF-8 of at most ``max_length`` characters; or another path comes before it.
    """
    path = target.partition(b"?")[0].partition(b"#")[0]
    if not path.startswith(b"/"):
        _, found, after = path.partition(b"://")  # the absolute form, which proxies send
        path = b"/" + after.partition(b"/")[2] if found else path
    segment = next((each for each in reversed(path.split(b"/")) if each), b"")
    if below and path != f"{below.rstrip('/')}/".encode() + segment:  # byte for byte, as a proxy in front has seen it
        raise BadHandshake(404, "chargers are served below another path")
    for escape in segment.split(b"%")[1:]:
        if len(escape) < 2 or not all(byte in b"0123456789abcdefABCDEF" for byte in escape[:2]):
            raise BadHandshake(400, "the URL has a bad percent-escape")
    try:
        name = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise BadHandshake(400, "the charger's identity is not UTF-8") from None
    if not name or name in (".", "..") or "/" in name or not name.isprintable() or name != name.strip():
        raise BadHandshake(400, "the URL must end with the charger's identity")
    if name.lower() == ENDPOINT:
        raise BadHandshake(400, "the URL must end with the charger's identity, as in /ocpp/CP1: not in a query, nor empty")
    if len(name) > max_length:
        raise BadHandshake(400, f"the charger's identity is longer than {max_length} characters")
    return name


def offers(headers: dict[str, str]) -> list[str]:
    """The subprotocols a charger offers, in its order."""
    offered = headers.get("sec-websocket-protocol", "")
    return [each.strip() for each in offered.split(",") if each.strip()]
