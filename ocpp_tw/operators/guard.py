"""Who may ask operators' HTTP, and how much they may send: by the head of a request, before its body is read; by that only which commands.

Knows no route; the one gateway (`ocpp_tw.operators.api`) and the front of several workers (`ocpp_tw.operators.fan_out`) have it in common.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
from collections.abc import Callable
from typing import NamedTuple, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from ..core.security import Operator
from ..log import Logger
from ..tally import Tally
from .failed_logins import FailedLogin, FailedLogins
from .guesses import Guesses
from .roles import HEALTH, Role, needed, needed_for, of_a_page
from .sessions import Sessions
from .tokens import Token, Tokens

log = Logger()

MAX_BODY = 256 * 1024
"""Longest request body, in bytes; a longer one is answered 413, and not read."""

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
    """The head of a request; ``length`` is that of its body, None if it is not known yet, ``address`` where the request comes from (what
    counts as one address, see `ocpp_tw.networks`), ``host`` the very address.
    """

    method: bytes
    uri: bytes
    headers: Headers
    length: int | None
    address: str
    host: str = ""

    @property
    def path(self) -> bytes:
        """The URI without its query."""
        return self.uri.partition(b"?")[0]

    def header(self, name: bytes) -> bytes:
        """The last header of that name, as it came; b"" without one."""
        return _last(self.headers, name)


TOO_LONG = Refusal(413, f"The body is longer than {MAX_BODY} bytes")
NO_TOKEN = Refusal(401, "A bearer token is needed: Authorization: Bearer TOKEN", ((b"www-authenticate", b'Bearer realm="ocpp"'),))
TOO_MANY = Refusal(429, "Too many requests without a token from this address: wait", ((b"retry-after", b"1"),))
BAD_HOST = Refusal(400, "There must be one header Host, with a name or an address")
BAD_PATH = Refusal(400, "The path must be UTF-8")
WRONG_HOST = Refusal(403, "Without a token only requests for localhost or a loopback address are served, by the header Host")
WRONG_ORIGIN = Refusal(403, "Without a token no web page of another origin is served, by the header Origin")
OTHER_PAGE = Refusal(
    403, "What changes something must come from a page of this gateway, by the header Origin, or with a bearer token instead of a cookie"
)
WRONG_TYPE = Refusal(415, "The body must be JSON, with Content-Type: application/json")


OPERATOR, ADDRESS = b"x-operator", b"x-operator-address"
"""Headers with which the front of all workers tells them who asks; those of a client are not passed on."""

STRANGE = (NO_TOKEN, BAD_HOST, BAD_PATH, WRONG_HOST, WRONG_ORIGIN, WRONG_TYPE)
"""What whoever has no token may be told."""


class Admission(Protocol):
    """Who is let in."""

    def admit(self, head: Head) -> Operator | Refusal:
        """Who asks, or why the request is not served."""

    def admit_body(self, head: Head, body: bytes) -> Refusal | None:
        """Why a request that was admitted by its head is not served all the same, now that its body has come."""

    def admits_still(self, head: Head) -> bool:
        """Whether a request that was admitted, and whose answer goes on, would be admitted now. Nothing is counted or told."""

    def stop(self) -> None:
        """Tell what is due."""


class Guard:
    """``tokens`` are those of which one is required for every request but health; when none is, who may ask is whoever is on this machine.

    On this machine are also the web pages that somebody looks at there: what a browser says of a page is looked at instead of a token.
    ``tls`` is whether the site is served over TLS; ``failed`` is told of wrong tokens, see `FailedLogins`.
    """

    def __init__(
        self, tokens: Tokens, clock: IReactorTime, *, tls: bool = False, failed: Callable[[FailedLogin], None] = lambda _: None
    ) -> None:
        self._tokens = tokens
        self.sessions = Sessions(tokens, clock.seconds)
        self._scheme = b"https://" if tls else b"http://"
        self._guesses = Guesses(clock.seconds)
        self._strangers = Guesses(clock.seconds, STRANGERS, 1 / STRANGERS_PER_SECOND)
        self._tally = Tally(clock, _tell_guesses)
        self._role_tally = Tally(clock, _tell_roles)
        self._failed = FailedLogins(clock, failed)

    def admit(self, head: Head) -> Operator | Refusal:
        """See `Admission`."""
        token = self.token(head.headers)
        refusal = self._refusal(head, token)
        anybody_may = head.path in HEALTH or refusal in STRANGE or (token is None and self.required and of_a_page(head.method, head.path))
        if anybody_may and self._strangers.wait(head.address):
            return TOO_MANY
        return refusal or Operator(token.name if token else "", head.host)

    def admit_body(self, head: Head, body: bytes) -> Refusal | None:
        """See `Admission`."""
        if not self.required or head.path in HEALTH or of_a_page(head.method, head.path):
            return None
        token = self.token(head.headers)
        if token is None:  # it was taken out while the body came
            return NO_TOKEN
        if token.role == Role.admin:
            return None
        if token.role < (needs := needed(head.method, head.path)):
            return self._role_missing(head, token, needs)
        if head.method != b"POST":
            return None
        needs, command = needed_for(head.path, body)
        return None if token.role >= needs else self._role_missing(head, token, needs, command)

    def admits_still(self, head: Head) -> bool:
        """See `Admission`."""
        if not self.required:
            return True
        token = self.token(head.headers)
        return token is not None and token.role >= needed(head.method, head.path)

    def _refusal(self, head: Head, token: Token | None) -> Refusal | None:
        if len(head.headers.getRawHeaders(b"host") or ()) > 1 or not HOST.fullmatch(head.header(b"host")):
            return BAD_HOST
        try:
            unquote_to_bytes(head.path).decode()
        except UnicodeDecodeError:
            return BAD_PATH
        return self._stranger(head, token) or (TOO_LONG if head.length is not None and head.length > MAX_BODY else None)

    def stop(self) -> None:
        """See `Admission`."""
        self._tally.stop()
        self._role_tally.stop()
        self._failed.stop()

    def _stranger(self, head: Head, token: Token | None) -> Refusal | None:
        if head.path in HEALTH:
            return None
        if not self._tokens.required:
            return _from_elsewhere(head, self._scheme)
        if token is None:
            return None if of_a_page(head.method, head.path) else self._without_token(head)
        if not head.header(b"authorization") and head.method not in (b"GET", b"HEAD") and not self._own_page(head):
            return OTHER_PAGE
        role = needed(head.method, head.path)
        if token.role >= role:
            return None
        return self._role_missing(head, token, role)

    def _role_missing(self, head: Head, token: Token, role: Role, what: str = "This") -> Refusal:
        self._role_tally.note(f"{token.name} from {head.host}")
        return Refusal(403, f"{what} needs a token with the role {role.name}, and the role of {token.name} is {token.role.name}")

    @property
    def required(self) -> bool:
        """Whether a token is required at all."""
        return self._tokens.required

    def token(self, headers: Headers) -> Token | None:
        """The token that a request shows, or that its cookie stands for; None without a good one, or if none is required."""
        if not self.required:
            return None
        shown = _last(headers, b"authorization")
        if not shown:
            return self.sessions.find(b"; ".join(headers.getRawHeaders(b"cookie") or ()))
        return self._tokens.find(shown[7:]) if shown[:7].lower() == b"bearer " else None  # written as one likes (RFC 7235 §2.1)

    def session(self, token: Token, headers: Headers) -> bytes:
        """The header Set-Cookie of a new session for a browser that sent these ones; a proxy may end its TLS."""
        return self.sessions.open(token, secure=self._scheme == b"https://" or _last(headers, b"origin").lower().startswith(b"https://"))

    def _own_page(self, head: Head) -> bool:
        """Whether a page of this gateway sent it. A browser sends a cookie from another port of this host as well."""
        scheme, _, host = head.header(b"origin").lower().partition(b"://")
        schemes = (b"https",) if self._scheme == b"https://" else (b"http", b"https")  # a proxy may end TLS
        site = head.header(b"sec-fetch-site") or b"same-origin"
        return scheme in schemes and host == head.header(b"host").lower() and site == b"same-origin"

    def _without_token(self, head: Head) -> Refusal:
        if not head.header(b"authorization"):
            return NO_TOKEN
        self._tally.note(head.address)
        self._failed.note(head.address, head.host or head.address)
        wait = self._guesses.wait(head.address)
        if not wait:
            return NO_TOKEN
        return Refusal(429, "Too many wrong tokens from this address: wait", ((b"retry-after", b"%d" % math.ceil(wait)),))


class BehindFront:
    """Of a worker, whom only the front of all workers asks: by the ``secret`` that both know. It has decided, and says who asks."""

    def __init__(self, secret: str) -> None:
        self._authorization = b"Bearer " + secret.encode()

    def admit(self, head: Head) -> Operator | Refusal:
        """See `Admission`."""
        if not hmac.compare_digest(head.header(b"authorization"), self._authorization):
            return NO_TOKEN
        return Operator(head.header(OPERATOR).decode("ascii", "replace"), head.header(ADDRESS).decode("ascii", "replace"))

    def admit_body(self, head: Head, body: bytes) -> Refusal | None:
        """See `Admission`: the front has read it, too."""
        return None

    def admits_still(self, head: Head) -> bool:
        """See `Admission`: the front asks its own guard, and ends what goes on."""
        return True

    def stop(self) -> None:
        """See `Admission`."""


def _last(headers: Headers, name: bytes) -> bytes:
    return (headers.getRawHeaders(name) or [b""])[-1]


def _from_elsewhere(head: Head, scheme: bytes) -> Refusal | None:
    """What a web page sends that is not of this gateway; a browser says so."""
    host, origin = head.header(b"host"), head.header(b"origin")
    if host and not _loopback(host):  # a name of somebody else's that leads here (DNS rebinding)
        return WRONG_HOST
    if origin and origin.lower() != scheme + host.lower():
        return WRONG_ORIGIN
    if head.method in (b"POST", b"PUT") and head.header(b"content-type").partition(b";")[0].strip().lower() not in JSON_TYPES:
        return WRONG_TYPE
    return None


def _tell_guesses(count: int, address: str) -> None:
    log.warn("operators' HTTP: {count} requests with a wrong token, the last from {address}", count=count, address=address)


def _tell_roles(count: int, who: str) -> None:
    log.warn("operators' HTTP: {count} requests beyond the role of their token, the last by {who}", count=count, who=who)


def _loopback(host: bytes) -> bool:
    """Whether a Host header names this machine."""
    try:
        name = urlsplit(f"//{host.decode('ascii')}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:  # also a UnicodeDecodeError
        return False
