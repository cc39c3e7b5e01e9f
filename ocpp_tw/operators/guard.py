"""Who may ask operators' HTTP, and how much they may send: by the headers alone, before a route or a body is looked at.

Knows no route; the one gateway (`ocpp_tw.operators.api`) and the front of several workers (`ocpp_tw.operators.fan_out`) have it in common.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

MAX_BODY = 256 * 1024
"""Longest request body, in bytes; a longer one is answered 413, and no more of it is kept."""

JSON_TYPES = (b"", b"application/json", b"application/x-www-form-urlencoded")
"""Content types of a body that may be JSON: none, its own, and the one that ``curl -d`` sends."""

TOO_LONG = f"The body is longer than {MAX_BODY} bytes"


class Refusal(NamedTuple):
    """How a request is refused."""

    status: int
    detail: str


NO_TOKEN = Refusal(401, "A bearer token is needed: Authorization: Bearer TOKEN")
CHALLENGE = 'Bearer realm="ocpp"'
"""The header www-authenticate of `NO_TOKEN`."""
WRONG_HOST = Refusal(403, "Without --http-token only requests for localhost or a loopback address are served, by the header Host")
WRONG_ORIGIN = Refusal(403, "Without --http-token no web page of another origin is served, by the header Origin")
WRONG_TYPE = Refusal(415, "The body must be JSON, with Content-Type: application/json")


class Guard:
    """``token`` is the bearer token required of every request; "" when none is, and who may ask is whoever is on this machine.

    On this machine are also the web pages that somebody looks at there: what a browser says of a page is looked at instead of a token.
    """

    def __init__(self, token: str) -> None:
        self._authorization = b"Bearer " + token.encode() if token else b""

    def refusal(self, request: IRequest) -> Refusal | None:
        """Why the request is not served; None if it is."""
        if self._authorization:
            shown = _header(request, b"authorization")
            return None if hmac.compare_digest(shown, self._authorization) else NO_TOKEN
        host, origin = _header(request, b"host"), _header(request, b"origin")
        if host and not _loopback(host):  # a name of somebody else's that leads here (DNS rebinding)
            return WRONG_HOST
        if origin and origin.lower() != b"http://" + host.lower():
            return WRONG_ORIGIN
        if request.method in (b"POST", b"PUT") and _header(request, b"content-type").partition(b";")[0].strip().lower() not in JSON_TYPES:
            return WRONG_TYPE
        return None


class BoundedRequest(Request):
    """A request of whose body no more than `MAX_BODY` bytes are kept; of a longer one nothing."""

    too_long = False

    def gotLength(self, length: int | None) -> None:
        self.too_long = length is not None and length > MAX_BODY
        super().gotLength(0 if self.too_long else length)

    def handleContentChunk(self, data: bytes) -> None:
        assert self.content is not None
        if not self.too_long and self.content.tell() + len(data) > MAX_BODY:
            self.too_long = True
            self.content.seek(0)
            self.content.truncate()
        if not self.too_long:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Only what is text reaches a route: klein logs a traceback for anything else."""
        try:
            unquote_to_bytes(self.path).decode()
            self.getRequestHostname().decode()
        except UnicodeDecodeError:
            self.setResponseCode(400)
            self.setHeader(b"content-type", b"application/json")
            self.write(b'{"detail":"The path and the header Host must be UTF-8"}\n')
            self.finish()
        else:
            super().process()


def site(resource: IResource) -> Site:
    """The site for a port to serve: quiet, and with bounded bodies that are never read as a form."""
    made = Site(resource, requestFactory=BoundedRequest, parsePOSTFormSubmission=False, timeout=60)
    made.noisy = False
    made.displayTracebacks = False
    made.log = lambda request: None  # type: ignore[method-assign]  # a URL may contain a tag; what matters is logged where it happens
    return made


def _header(request: IRequest, name: bytes) -> bytes:
    """The last header of that name, as it came; b"" without one."""
    values: list[bytes] = request.requestHeaders.getRawHeaders(name) or [b""]
    return values[-1]


def _loopback(host: bytes) -> bool:
    """Whether a Host header names this machine."""
    try:
        name = urlsplit(f"//{host.decode('ascii')}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:  # also a UnicodeDecodeError
        return False
