"""Chargers' passwords (Basic authentication, OCPP's security profiles 1 and 2) as they are stored and compared.

Stored is an HMAC-SHA256 under a key that is never in Redis, so that a stolen Redis opens nothing and no guess can be tried on it. A slow hash
would do without the key, but takes the loop tens of milliseconds for each handshake: with ten thousand chargers back after a restart, minutes.
Knows neither HTTP nor where the key is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from functools import lru_cache
from typing import Protocol

from ..ocpp.passwords import generate

__all__ = ["MAX_LENGTH", "MIN_LENGTH", "USABLE", "Keys", "Passwords", "UnknownKey", "canonical", "generate", "key_id", "key_of", "usable"]

MIN_LENGTH, MAX_LENGTH = 16, 64
"""Of a password, in bytes: OCPP's least for a key (1.6: 16 to 20 bytes; 2.0.1: 16 to 40, 2.1: to 64 characters). No guess finds 16 random ones."""

USABLE = f"{MIN_LENGTH} to {MAX_LENGTH} printable characters"
"""What `usable` asks for, in words."""

_HEX = re.compile(rb"[0-9A-Fa-f]{32,40}")


def usable(password: str) -> bool:
    """Whether any version of OCPP allows it as a charger's password: `MIN_LENGTH` to `MAX_LENGTH` bytes of printable characters."""
    return password.isprintable() and MIN_LENGTH <= len(password.encode(errors="replace")) <= MAX_LENGTH


class UnknownKey(Exception):
    """A password was stored under a key that this gateway does not have; the text says which, and is safe to log."""


class Keys(Protocol):
    """Where the keys are kept. A key's id says which it is, and nothing of it."""

    @property
    def exists(self) -> bool:
        """Whether there is a key."""

    def current(self) -> bytes:
        """The key to store passwords under; it is made if there is none."""

    def find(self, id: str) -> bytes | None:
        """The key with that id (see `key_id`)."""


def key_id(key: bytes) -> str:
    """A name for a key."""
    return hashlib.sha256(b"ocpp_tw key id" + key).hexdigest()[:8]


def key_of(stored: str) -> str:
    """The id of the key that a password is stored under."""
    return stored.partition(":")[0]


def canonical(password: bytes) -> bytes:
    """The bytes that a password stands for: a key of 16 to 20 bytes may be sent as it is or as its hexadecimal digits.

    Chargers of 1.6 do either (security whitepaper §2.4.3 demands the bytes), those of 2.x send the digits if they were set as the text.
    """
    return bytes.fromhex(password.decode("ascii")) if len(password) % 2 == 0 and _HEX.fullmatch(password) else password


class Passwords:
    """Stores passwords under the ``keys``, and compares in constant time."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def stored(self, password: bytes) -> str:
        """The form to store. Two of the same password differ."""
        key, salt = self._keys.current(), secrets.token_bytes(12)
        return f"{key_id(key)}:{salt.hex()}:{_digest(key, salt, password)}"

    def current_id(self) -> str:
        """The id of the key that passwords are stored under now; it is made if there is none."""
        return key_id(self._keys.current())

    def trouble(self, id: str) -> str | None:
        """What is wrong with the keys here where passwords are stored under the one with that id: there is none ("missing"), or not that one
        ("wrong"). None if nothing is, as if ``id`` is ""."""
        if not id or self._keys.find(id) is not None:
            return None
        return "wrong" if self._keys.exists else "missing"

    def match(self, stored: str, shown: bytes) -> bool:
        """Whether that is the password; "" has none, and takes as long. Raises `UnknownKey`."""
        id, _, rest = stored.partition(":")
        salt, _, digest = rest.partition(":")
        key = self._keys.find(id) if stored else b""
        if key is None:
            raise UnknownKey(f"the password was stored under the key {id}, which is not in this gateway's --credentials-key")
        return hmac.compare_digest(_digest(key, bytes.fromhex(salt), shown), digest)


def _digest(key: bytes, salt: bytes, password: bytes) -> str:
    mac = _mac(key).copy()
    mac.update(salt + canonical(password))
    return mac.hexdigest()


@lru_cache(maxsize=16)
def _mac(key: bytes) -> hmac.HMAC:
    """To be copied: OpenSSL takes longer to look SHA-256 up than to compute it."""
    return hmac.new(key, digestmod="sha256")
