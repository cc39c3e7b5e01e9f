"""Reads what an operator decides about a charger: the body of ``PUT /api/chargers/ID``.

Knows neither HTTP nor what becomes of a decision.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ..core import passwords
from ..core.passwords import Passwords, UnknownKey

MAX_RETRY_INTERVAL = 86_400
"""Longest retry interval that an operator may set, in seconds; a longer one is answered 400."""

GENERATE = "generate"
"""In place of a password: make one, and show it in this answer only."""

_PASSWORD = f"{passwords.USABLE}, or {GENERATE!r}"


class BadDecision(Exception):
    """The body is not valid; the text says why, and quotes no value."""


class DecisionReader:
    """``versions`` are those that chargers may be told to speak; passwords are stored as ``passwords`` says."""

    def __init__(self, versions: tuple[str, ...], passwords: Passwords) -> None:
        self._passwords = passwords
        self._members: dict[str, tuple[Callable[[Any], bool], str]] = {
            "boot_status": (lambda value: value in ("Accepted", "Pending", "Rejected"), "Accepted, Pending or Rejected"),
            "retry_interval": (
                lambda value: type(value) is int and 1 <= value <= MAX_RETRY_INTERVAL,
                f"a whole number of seconds from 1 to {MAX_RETRY_INTERVAL}",
            ),
            "version": (lambda value: value in versions, " or ".join(versions)),
            "security_profile": (lambda value: type(value) is int and 0 <= value <= 3, "a number from 0 to 3"),
            "password": (_is_password, _PASSWORD),
            "certificate": (_is_fingerprint, "the SHA-256 fingerprint of a certificate: 64 hexadecimal digits, with colons or without"),
        }

    def check(self, body: bytes) -> dict[str, Any]:
        """The members of the body. Raises `BadDecision` if it is not valid."""
        try:
            given = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise BadDecision("The body is not JSON") from None
        if not isinstance(given, dict):
            raise BadDecision(f"The body must be a JSON object with any of {', '.join(self._members)}")
        for name, value in given.items():
            if name not in self._members:
                raise BadDecision(f"Unknown member {name[:50]!r}; there are {', '.join(self._members)}")
            valid, expected = self._members[name]
            if value is not None and not valid(value):
                raise BadDecision(f"{name} must be {expected}, or null to take it back")
        return given

    def changes(self, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The changes to a charger's record that these members ask for, and what is shown in this answer and never again; a member that is
        null revokes an earlier decision. Whoever is decided about is registered."""
        changes: dict[str, Any] = {**given, "registered": "yes"}
        shown = {}
        if "password" in given:
            password = given["password"]
            if password == GENERATE:
                password = shown["password"] = passwords.generate()
            changes["password"] = None if password is None else self._passwords.stored(password.encode())
            changes["new_password"] = None
        if given.get("certificate"):
            changes["certificate"] = given["certificate"].replace(":", "").lower()
        return changes, shown

    def repeats(self, given: dict[str, Any], stored: str) -> bool:
        """Whether the password among these members is the one in this stored form, and so no reason to have the charger come again."""
        try:
            return bool(stored) and self._passwords.match(stored, given["password"].encode())
        except UnknownKey:
            return False


def _is_password(value: Any) -> bool:
    return value == GENERATE or (isinstance(value, str) and passwords.usable(value))


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", value.replace(":", "")) is not None
