"""Browsers that have shown a token: a cookie stands for it, for some hours, until they log out, or until the token is not good any more.

Knows no HTTP beyond the two headers of a cookie. What is in a cookie is random and says nothing; the gateway, or the front of several workers, keeps the
SHA-256 of it, and forgets it when it ends.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from .tokens import Token, Tokens, digest

LIFE = 12 * 3600
"""Seconds for which a cookie is good: a shift, and a handover."""

MAX_SESSIONS, MAX_OF_ONE = 1000, 50
"""Most sessions at a time, and with one token; a further one ends the oldest."""

NAME, SECURE_NAME = "ocpp-session", "__Host-ocpp-session"
"""Names of the cookie, the latter over TLS: a browser takes it only from this very host, and over TLS."""


class Sessions:
    """``seconds`` is the clock."""

    def __init__(self, tokens: Tokens, seconds: Callable[[], float]) -> None:
        self._tokens = tokens
        self._seconds = seconds
        self._open: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        """Digest of what is in the cookie -> digest of the token, and when it ends; the oldest is the first."""
        tokens.when_read(self._forget)

    def open(self, token: Token, *, secure: bool) -> bytes:
        """The header Set-Cookie of a new session with what that token may do; ``secure``: the browser asks over TLS."""
        now = self._seconds()
        while self._open and (len(self._open) >= MAX_SESSIONS or next(iter(self._open.values()))[1] <= now):
            self._open.popitem(last=False)
        same = [each for each, (of, _) in self._open.items() if of == token.digest]
        if len(same) >= MAX_OF_ONE:
            del self._open[same[0]]
        value = secrets.token_urlsafe(32)
        self._open[digest(value.encode())] = token.digest, now + LIFE
        return _cookie(value, LIFE, secure)

    def find(self, header: bytes) -> Token | None:
        """The token that the cookies of a request stand for, by its header Cookie."""
        for value in _values(header):
            token, end = self._open.get(digest(value), (b"", 0.0))
            if token and self._seconds() < end:
                return self._tokens.known(token)
        return None

    def _forget(self) -> None:
        """End those of tokens that are gone: should one be good again some day, who had its cookie logs in again."""
        for each in [each for each, (token, _) in self._open.items() if self._tokens.known(token) is None]:
            del self._open[each]

    def close(self, header: bytes) -> list[bytes]:
        """End the sessions of these cookies; the headers Set-Cookie that make a browser forget them."""
        for value in _values(header):
            self._open.pop(digest(value), None)
        return [_cookie("", 0, secure) for secure in (False, True)]


def _values(header: bytes) -> list[bytes]:
    pairs = (each.strip().partition(b"=") for each in header.split(b";"))
    return [value for name, _, value in pairs if name in (NAME.encode(), SECURE_NAME.encode())][:4]


def _cookie(value: str, life: int, secure: bool) -> bytes:
    name, more = (SECURE_NAME, "; Secure") if secure else (NAME, "")
    return f"{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{more}".encode()
