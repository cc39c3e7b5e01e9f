"""Reads what an operator decides about a charger: the body of ``PUT /api/chargers/ID``.

Knows neither HTTP nor what becomes of a decision.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ..core import passwords
from ..core.entries import Record
from ..core.event import one_of
from ..core.passwords import Passwords, UnknownKey
from ..core.registration import REGISTRATIONS

MAX_RETRY_INTERVAL = 86_400
"""Longest retry interval that an operator may set, in seconds; a longer one is answered 400."""

GENERATE = "generate"
"""In place of a password: make one, and show it in this answer only."""

KEEP = "keep"
"""With the parameter ``unchanged`` of a decision: a security profile that is the one decided last is not decided anew."""

_PASSWORD = f"{passwords.USABLE}, or {GENERATE!r}"


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What an operator decides about a charger; a member that is null takes an earlier decision back."""

    boot_status: Annotated[str, one_of(REGISTRATIONS)] | UnsetType | None = UNSET
    """the registration status to give"""
    retry_interval: Annotated[int, msgspec.Meta(ge=1, le=MAX_RETRY_INTERVAL)] | UnsetType | None = UNSET
    """the interval that goes with it, in seconds"""
    version: str | UnsetType | None = UNSET
    """the only version of OCPP to speak with it, of those that the gateway speaks"""
    security_profile: Annotated[int, msgspec.Meta(ge=0, le=3)] | UnsetType | None = UNSET
    """the least security profile that it must have"""
    password: (
        Annotated[str, msgspec.Meta(pattern=f"^({GENERATE}|.{{{passwords.MIN_LENGTH},{passwords.MAX_LENGTH}}})$")] | UnsetType | None
    ) = UNSET
    """its password, of 16 to 64 printable characters, 64 bytes at most; or `generate`: make one, and show it in this answer only"""
    certificate: Annotated[str, msgspec.Meta(pattern="^:*([0-9A-Fa-f]:*){64}$")] | UnsetType | None = UNSET
    """the SHA-256 fingerprint of the only certificate to accept, in hexadecimal, with colons or without"""


class DecisionQuery(msgspec.Struct, frozen=True):
    """How a decision is meant."""

    unchanged: Literal["", "keep"] = ""
    """a `security_profile` that is the one decided last is not decided anew: a higher one that the charger has reached stays its least"""


class BadDecision(Exception):
    """The body is not valid; the text says why, and quotes no value."""


class DecisionReader:
    """``versions`` are those that chargers may be told to speak; passwords are stored as ``passwords`` says."""

    def __init__(self, versions: tuple[str, ...], passwords: Passwords) -> None:
        self._passwords = passwords
        self.members: dict[str, tuple[Callable[[Any], bool], str]] = {
            "boot_status": (lambda value: value in REGISTRATIONS, "Accepted, Pending or Rejected"),
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
            raise BadDecision(f"The body must be a JSON object with any of {', '.join(self.members)}")
        for name, value in given.items():
            if name not in self.members:
                raise BadDecision(f"Unknown member {name[:50]!r}; there are {', '.join(self.members)}")
            valid, expected = self.members[name]
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
        if given.get("certificate"):
            changes["certificate"] = _fingerprint(given["certificate"])
        return changes, shown

    def repeated(self, given: dict[str, Any], record: Record, unchanged: str = "") -> dict[str, str]:
        """Those of the members that are what the record has already, with that: no reason to have the charger come again, nor to forget what
        it was sent since. A security profile only if ``unchanged`` is `KEEP`."""
        same = {
            "password": lambda: self._is_password_of(record, given["password"]),
            "certificate": lambda: _fingerprint(given["certificate"]) == record.certificate,
            "security_profile": lambda: unchanged == KEEP and str(given["security_profile"]) == record.security_profile,
        }
        return {name: getattr(record, name) for name, is_same in same.items() if given.get(name) is not None and is_same()}

    def _is_password_of(self, record: Record, password: str) -> bool:
        try:
            return bool(record.password) and self._passwords.match(record.password, password.encode())
        except UnknownKey:
            return False


def _is_password(value: Any) -> bool:
    return value == GENERATE or (isinstance(value, str) and passwords.usable(value))


def _fingerprint(value: str) -> str:
    return value.replace(":", "").lower()


def _is_fingerprint(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f]{64}", value.replace(":", "")) is not None
