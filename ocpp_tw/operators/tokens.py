"""The tokens of operators' HTTP: `--http-token`, and those named in the file of `--http-tokens`, which has digests only.

Knows no HTTP. Whoever reads the file can do nothing with it, since nobody guesses 256 random bits from their SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from ..log import Logger
from ..settings import InvalidSetting
from ..watched import WatchedFiles
from .roles import Role

log = Logger()

CHECK_INTERVAL = 5.0
"""Seconds between two looks whether the file has changed: a token that was taken out should not be of use for long."""

MAX_TOKENS, MAX_FILE = 1000, 1 << 20
"""Most tokens in the file, each of which is compared with what a request shows (some 0.3 µs); and most bytes of it. More are an error."""

MAX_FAULTS = 5
"""Most wrong lines that are told at once."""

NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
ROLES = ", ".join(Role.__members__)


class Token(NamedTuple):
    """``digest`` is the token's SHA-256."""

    name: str
    role: Role
    digest: bytes


class Tokens(WatchedFiles):
    """All that are good for something now. One that is empty on both sides (`required` is false) asks for none.

    Raises:
        InvalidSetting: the file cannot be used.
    """

    kept = "tokens not reloaded, those in use stay"
    interval = CHECK_INTERVAL

    def __init__(self, token: str, file: str, clock: IReactorTime) -> None:
        super().__init__([file] if file else [], clock)
        self.required = bool(token or file)
        self._unnamed = [Token("", Role.admin, digest(token.encode()))] if token else []
        self._named: list[Token] = []
        self._warned = False
        self._when_read: list[Callable[[], None]] = []
        self._load()

    def find(self, shown: bytes) -> Token | None:
        """The token that was shown; takes equally long whichever it is, and if it is none."""
        shown_digest, found = digest(shown), None
        for each in (*self._unnamed, *self._named):
            if hmac.compare_digest(each.digest, shown_digest):
                found = each
        return found

    def known(self, token_digest: bytes) -> Token | None:
        """The token with that digest, if it is still good for something."""
        return next((each for each in (*self._unnamed, *self._named) if each.digest == token_digest), None)

    def _load(self) -> None:
        for file in self._files:
            self._load_file(file)
        for each in self._when_read:
            each()

    def when_read(self, call: Callable[[], None]) -> None:
        """Have it called whenever the file has been read again."""
        self._when_read.append(call)

    def _load_file(self, file: Path) -> None:
        try:
            with file.open("rb") as opened:
                mode, text = stat.S_IMODE(os.fstat(opened.fileno()).st_mode), opened.read(MAX_FILE + 1)
        except OSError as why:
            raise InvalidSetting(f"--http-tokens: {file} cannot be read: {why.strerror}") from None
        self._named = parse(text, str(file))
        names = sorted({each.name for each in self._named})
        log.info("tokens of operators' HTTP: {count} in the file, of {names}", count=len(self._named), names=", ".join(names) or "nobody")
        if mode & 0o026 and not self._warned:
            self._warned = True
            log.warn("tokens: others can read or change {file} (mode {mode}): chmod 600 it", file=str(file), mode=f"{mode:03o}")


def digest(token: bytes) -> bytes:
    """What the file has in place of a token, as bytes."""
    return hashlib.sha256(token).digest()


def parse(text: bytes, file: str) -> list[Token]:
    """The tokens of a file: ``NAME ROLE SHA256`` on a line each; empty lines and those that begin with # say nothing.

    Several lines may have one name, so that a token can be replaced before the old one is taken out.

    Raises:
        InvalidSetting: a line is wrong. No word of it is told, since it may be a token.
    """
    if len(text) > MAX_FILE:
        raise InvalidSetting(f"--http-tokens: {file} is longer than {MAX_FILE} bytes")
    tokens: list[Token] = []
    faults: list[str] = []
    seen: dict[bytes, int] = {}
    for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        fault = _fault(words) or (seen.get(_hashed(words)) and f"it has the same token as line {seen[_hashed(words)]}")
        if fault:
            faults.append(f"line {number}: {fault}")
            continue
        seen[_hashed(words)] = number
        tokens.append(Token(words[0], Role[words[1]], _hashed(words)))
    if len(tokens) > MAX_TOKENS:
        faults.append(f"there are more than {MAX_TOKENS} tokens")
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        raise InvalidSetting(f"--http-tokens: in {file}, {'; '.join(faults[:MAX_FAULTS])}{more}")
    return tokens


def new_token(name: str, role: Role) -> tuple[str, str]:
    """A random token, and its line for the file."""
    token = secrets.token_urlsafe(32)
    return token, f"{name} {role.name} {digest(token.encode()).hex()}"


def _hashed(words: list[str]) -> bytes:
    return bytes.fromhex(words[2])


def _fault(words: list[str]) -> str:
    """What is wrong with a line; "" if nothing is."""
    if len(words) != 3:
        return f"it must have three words, NAME ROLE SHA256, and has {len(words)}"
    name, role, hashed = words
    if not NAME.fullmatch(name):
        return "the name must be 1 to 64 letters, digits or any of _ . @ -"
    if role not in Role.__members__:
        return f"the role must be one of {ROLES}"
    if not re.fullmatch("[0-9A-Fa-f]{64}", hashed):
        return "the third word must be the token's SHA-256, 64 hexadecimal digits (`ocpp-tw token` makes the line), not the token itself"
    return ""
