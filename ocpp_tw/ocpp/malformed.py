"""Texts that are not OCPP-J frames: what can be read of them all the same, and what is told of them.

Knows no payloads. Nothing of a text is quoted but to the backend: it may have a tag, a PIN or a key in it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..concealed import piece_concealed
from ..words import MAX_KEPT, shown
from .numbers import decimal_number

MAX_EXCERPT = 200
"""Longest piece of an unreadable text that is published, in characters."""

MAX_ID = 10**36
"""Bound of the magnitude of an id that is a number: OCPP's ids have 36 characters."""

MAX_HEAD = 1000
"""Bytes at the beginning of an unreadable text in which message type, id and action are looked for."""

MAX_STRING = 2 + 12 * MAX_KEPT
"""Most bytes of an id or an action as JSON: a character may be written as two escapes of six bytes."""

_decode = msgspec.json.Decoder(str | int | float | None).decode

_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\.)*+"'
_BEGINNING = re.compile(rb'\s*+\[\s*+"?+([0-9]{1,9}+)(?:\.0{1,9}+)?+"?+\s*+,\s*+(%b|-?[0-9]{1,20})(?:\s*+,\s*+(%b))?' % (_STRING, _STRING))


class Malformed(Exception):
    """The text is not an OCPP-J frame.

    ``kind``, ``id`` and ``action`` are what could be read of it, from its beginning if it is not valid JSON; ``syntax`` says whether it is
    not. ``excerpt`` is a printable piece of the text, for the backend. The exception's own text quotes nothing: it is for the log.
    """

    def __init__(
        self,
        why: str,
        text: bytes,
        kind: int | None = None,
        id: str | int | None = None,
        action: str | None = None,
        *,
        syntax: bool = False,
    ) -> None:
        super().__init__(f"{why}, {len(text)} bytes")
        self.kind, self.id, self.action, self.syntax = kind, id, action, syntax
        self.excerpt = excerpt(text)

    @property
    def owed(self) -> str | int | None:
        """The message id to which a CALLERROR is owed: only a CALL is answered with one."""
        return self.id if self.kind == 2 else None

    @property
    def answered(self) -> str | int | None:
        """The message id of the CALL that this was meant to answer."""
        return self.id if self.kind in (3, 4) else None


class UnknownType(Malformed):
    """A well-formed array with a message type number that no version has; ``id`` is its second element, if that can be an id."""

    @property
    def owed(self) -> str | int | None:
        """It may have been a CALL."""
        return self.id


class TooMuch(Malformed):
    """There is more of something than any message has; ``limit`` says of what, for its sender and the backend."""

    def __init__(self, limit: str, text: bytes, kind: int | None = None, id: str | int | None = None, action: str | None = None) -> None:
        super().__init__(limit, text, kind, id, action)
        self.limit = limit


def excerpt(text: bytes) -> str:
    """The beginning of a text, at most `MAX_EXCERPT` characters, with all that is not printable escaped; `HIDDEN` if a secret may be in it."""
    beginning = piece_concealed(text[: 4 * MAX_EXCERPT].decode("utf-8", "backslashreplace"))
    return shown(beginning[:MAX_EXCERPT], MAX_EXCERPT)[:MAX_EXCERPT]


def read_beginning(text: bytes) -> tuple[int | None, str | int | None, str | None]:
    """Message type, id and action of a text that is not valid JSON as a whole, as far as they can be read."""
    found = _BEGINNING.match(text[:MAX_HEAD])
    if not found:
        return None, None, None
    elements = [msgspec.Raw(group) for group in found.groups() if group is not None]
    kind = int(found[1])
    return kind, read_id(elements, kind), read_action(elements) if kind in (2, 6) else None


def decode_head(element: msgspec.Raw) -> Any:
    """A message type, an id or an action; these are not numbers of a payload: 2.0 is no id. False for what is too long for one, or another
    kind of value, which is not looked into: the numbers in a list that stands there may take eight microseconds each."""
    try:
        return _decode(element) if len(element) <= MAX_STRING else False
    except msgspec.ValidationError:
        return False


def message_type(value: object) -> int | None:
    """The message type in a frame's first element, which some write as a string or with a point; None if it is no whole number."""
    if type(value) is int:
        return value
    number = decimal_number(value)
    return int(number) if number is not None and number == int(number) else None


def read_id(elements: list[msgspec.Raw], kind: int) -> str | int | None:
    """The message id; None if it is missing, empty, too long, or neither a string nor an integer.

    A CALLERROR without one is about the CALL whose id its sender could not read, as the id "-1" says in 2.x.
    """
    try:
        id = decode_head(elements[1])
    except (IndexError, ValueError, RecursionError):
        return None
    if kind == 4 and (id == "" or id is None):
        return "-1"
    return id if (type(id) is str and 0 < len(id) <= MAX_KEPT) or (type(id) is int and abs(id) < MAX_ID) else None


def read_action(elements: list[msgspec.Raw]) -> str | None:
    """The action; None if it is missing, longer than `MAX_KEPT`, or not a string."""
    try:
        action = decode_head(elements[2])
    except (IndexError, ValueError, RecursionError):
        return None
    return action if isinstance(action, str) and len(action) <= MAX_KEPT else None
