"""Who may ask operators' HTTP, and how much they may send: by the head of a request alone, before its body is read.

Knows no route; the one gateway (`ocpp_tw.operators.api`) and the front of several workers (`ocpp_tw.operators.fan_out`) have it in common.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from ..log import Logger
from ..tally import Tally
from .guesses import Guesses

log = Logger()

MAX_BODY = 256 * 1024
"""Longest request body, in bytes; a longer one is answered 413, and not read."""

HEALTH = (b"/healthz", b"/readyz")
"""Paths that are served to everybody."""

STRANGERS, STRANGERS_PER_SECOND = 100, 50
"""Requests of one address that anybody may make, at once and in the long run: for health, or without the token. Ten monitors behind one proxy that ask both paths every second
make twenty a second."""

JSON_TYPES = (b"", b"application/json", b"application/x-www-form-urlencoded")
"""Content types of a body that may be JSON: none, its own, and the one that ``curl -d`` sends."""

HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{0,253})(:[0-9]{1,5})?")
"""A Host header: a name or an address, and a port."""


class Refusal(NamedTuple):
    """How a request is refused."""

    status: int
    detail: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Head(NamedTuple):
    """The head of a request; ``length`` is that of its body, None if it is not known yet, ``address`` where the request comes from."""

    method: bytes
    uri: bytes
    headers: Headers
    length: int | None
    address: str

    @property
    def path(self) -> bytes:
        """The URI without its query."""
        return self.uri.partition(b"?")[0]

    def header(self, name: bytes) -> bytes:
        """The last header of that name, as it came; b"" without one."""
        return (self.headers.getRawHeaders(name) or [b""])[-1]


TOO_LONG = Refusal(413, f"The body is longer than {MAX_BODY} bytes")
NO_TOKEN = Refusal(401, "A bearer token is needed: Authorization: Bearer TOKEN", ((b"www-authenticate", b'Bearer realm="ocpp"'),))
TOO_MANY = Refusal(429, "Too many requests without a token from this address: wait", ((b"retry-after", b"1"),))
BAD_HOST = Refusal(400, "There must be one header Host, with a name or an address")
BAD_PATH = Refusal(400, "The path must be UTF-8")
WRONG_HOST = Refusal(403, "Without --http-token only requests for localhost or a loopback address are served, by the header Host")
WRONG_ORIGIN = Refusal(403, "Without --http-token no web page of another origin is served, by the header Origin")
WRONG_TYPE = Refusal(415, "The body must be JSON, with Content-Type: application/json")


STRANGE = (NO_TOKEN, BAD_HOST, BAD_PATH, WRONG_HOST, WRONG_ORIGIN, WRONG_TYPE)
"""What whoever has no token may be told."""


class Guard:
    """``token`` is the bearer token required of every request but health; "" when none is, and who may ask is whoever is on this machine.

    On this machine are also the web pages that somebody looks at there: what a browser says of a page is looked at instead of a token.
    """

    def __init__(self, token: str, clock: IReactorTime) -> None:
        self._authorization = b"Bearer " + token.encode() if token else b""
        self._guesses = Guesses(clock.seconds)
        self._strangers = Guesses(clock.seconds, STRANGERS, 1 / STRANGERS_PER_SECOND)
        self._tally = Tally(clock, _tell_guesses)

    def refusal(self, head: Head) -> Refusal | None:
        """Why the request is not served; None if it is."""
        refusal = self._refusal(head)
        anybody_may = head.path in HEALTH or refusal in STRANGE
        # without an address it comes from the front of all workers, which has looked
        if anybody_may and head.address and self._strangers.wait(head.address):
            return TOO_MANY
        return refusal

    def _refusal(self, head: Head) -> Refusal | None:
        if len(head.headers.getRawHeaders(b"host") or ()) > 1 or not HOST.fullmatch(head.header(b"host")):
            return BAD_HOST
        try:
            unquote_to_bytes(head.path).decode()
        except UnicodeDecodeError:
            return BAD_PATH
        return self._stranger(head) or (TOO_LONG if head.length is not None and head.length > MAX_BODY else None)

    def stop(self) -> None:
        """Write the log lines that are due."""
        self._tally.stop()

    def _stranger(self, head: Head) -> Refusal | None:
        if head.path in HEALTH:
            return None
        return self._without_token(head) if self._authorization else _from_elsewhere(head)

    def _without_token(self, head: Head) -> Refusal | None:
        shown = head.header(b"authorization")
        if shown[:7].lower() == b"bearer ":  # the scheme is written as one likes (RFC 7235 §2.1)
            shown = b"Bearer " + shown[7:]
        if hmac.compare_digest(shown, self._authorization):
            return None
        if not shown:
            return NO_TOKEN
        self._tally.note(head.address)
        wait = self._guesses.wait(head.address)
        if not wait:
            return NO_TOKEN
        return Refusal(429, "Too many wrong tokens from this address: wait", ((b"retry-after", b"%d" % math.ceil(wait)),))


def _from_elsewhere(head: Head) -> Refusal | None:
    """What a web page sends that is not of this gateway; a browser says so."""
    host, origin = head.header(b"host"), head.header(b"origin")
    if host and not _loopback(host):  # a name of somebody else's that leads here (DNS rebinding)
        return WRONG_HOST
    if origin and origin.lower() != b"http://" + host.lower():
        return WRONG_ORIGIN
    if head.method in (b"POST", b"PUT") and head.header(b"content-type").partition(b";")[0].strip().lower() not in JSON_TYPES:
        return WRONG_TYPE
    return None


def _tell_guesses(count: int, address: str) -> None:
    log.warn("operators' HTTP: {count} requests with a wrong token, the last from {address}", count=count, address=address or "a worker")


def _loopback(host: bytes) -> bool:
    """Whether a Host header names this machine."""
    try:
        name = urlsplit(f"//{host.decode('ascii')}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:  # also a UnicodeDecodeError
        return False
