"""What a charger meant where it broke its schema, wherever that is plain: types, words, names, timestamps, and one fault of its JSON.

Knows no action and makes nothing up: no value is cut, guessed or filled in. The charger's own payload is told to the backend as it
came; what is made here is for reading it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

import msgspec

from .. import timestamps
from ..frames import Payload
from ..schemas import Violation
from . import coercion
from .aliases import folded
from .expected import Form

MOST = 1000
"""Repairs of one message; what is broken beyond them stays so. A long transactionData may have one in each sample."""

COMMA = Violation((), "json", None, "a comma too many")
"""What is told of a message that `json_text` put right."""

# possessive, so that no text takes longer than its length
_COMMAS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,][ \t\r\n,]*+', re.DOTALL)


def repaired(payload: Payload, violations: Sequence[Violation], form: Form, zone: tzinfo = UTC) -> Payload:
    """The payload with what is plain put right; itself when there are no violations.

    The payload stays as it is. What needs no repair may be shared with it, so nobody changes either. ``zone`` is that of
    timestamps without one.
    """
    return _Repair(zone).object(payload, form) if violations else payload


def clocked(payload: Payload, form: Form, zone: tzinfo) -> Payload:
    """The payload with nothing but its timestamps put right: a time without a zone breaks no schema of ours (OCPP 1.6 §3.13)."""
    read: Payload = _clocked(payload, form, zone)
    return read


def readable(payload: Payload, essentials: Mapping[str, type]) -> str | None:
    """The first essential member that is missing or of the wrong type; None: the message can be read."""
    for path, kind in essentials.items():
        if type(_at(payload, path.split("/"))) is not kind:
            return path
    return None


def json_text(text: bytes) -> bytes | None:
    """The text without commas that follow a ``[``, a ``{`` or a comma, or precede a ``]`` or ``}``; None when it is no JSON even then.

    None also when there is nothing to put right. Strings are not touched.
    """
    read = _COMMAS.sub(_without, text)
    if read == text:
        return None
    try:
        msgspec.json.decode(read)
    except (ValueError, RecursionError):
        return None
    return read


def _without(found: re.Match[bytes]) -> bytes:
    run = found[0]
    if run[:1] == b'"':
        return run
    if run[:1] != b",":
        return run if b"," not in run else run[:1]
    after = found.string[found.end() : found.end() + 1]
    if after in (b"]", b"}"):
        return b""
    return run if b"," not in run[1:] else b","


class _Repair:
    """One message's. Scalars come first and arrays last, so that a long list never eats up the repair of a transaction id."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._left = MOST

    def object(self, value: Payload, form: Form) -> Payload:
        members, read = form.members or {}, dict(value)
        if form.moves:
            self._move(read, form.moves)
        if form.names is not None and not read.keys() <= members.keys():
            read = self._named(read, members, form.names)
        objects, arrays = [], []
        for name, each in list(read.items()):
            wanted = members.get(name)
            if wanted is None or not wanted.kind:
                continue
            if name not in form.required and (each is None or (each == "" and not _takes_empty(wanted))):
                if self._spend():  # a charger's way to leave it out (R15)
                    del read[name]
            elif wanted.kind == "object":
                objects.append((name, each, wanted))
            elif wanted.kind == "array":
                arrays.append((name, each, wanted))
            else:
                read[name] = self._scalar(each, wanted, name)
        for name, each, wanted in (*objects, *arrays):
            read[name] = self._value(each, wanted, name)
        return read

    def _value(self, value: Any, form: Form, name: str) -> Any:
        if form.kind == "object":
            return self.object(value, form) if isinstance(value, dict) else value
        if form.items is None:
            return self._scalar(value, form, name)
        if isinstance(value, list):
            return [self._value(each, form.items, name) for each in value]
        one = isinstance(value, {"object": dict, "string": str}.get(form.items.kind, ()))
        if one and value and self._spend():
            return [self._value(value, form.items, name)]
        return value

    def _scalar(self, value: Any, form: Form, name: str) -> Any:
        meant: Any
        match form.kind:
            case "string" if form.words is not None:
                meant = coercion.word(value, form.words, name)
            case "string" if form.moment:
                meant = timestamps.utc(value, self._zone)
            case "string":
                meant = coercion.text(value)
            case "integer":
                meant = coercion.integer(value, rounds=name.startswith("meter"))
            case "number":
                meant = coercion.number(value)
            case "boolean":
                meant = coercion.truth(value)
            case _:
                meant = None
        return value if meant is None or not self._spend() else meant

    def _named(self, value: Payload, members: Mapping[str, Form], names: Mapping[str, str]) -> Payload:
        """Members in OCPP's own spelling; of two that fold into one, neither is it."""
        found: dict[str, list[str]] = {}
        for name in value.keys() - members.keys():
            meant = names.get(folded(name)) if len(name) <= coercion.LONGEST else None
            if meant is not None and value.get(meant) is None:
                found.setdefault(meant, []).append(name)
        sure = {given[0]: meant for meant, given in found.items() if len(given) == 1 and self._spend()}
        gone = set(sure.values())  # a null in the place of what is there under another spelling
        return {sure.get(name, name): each for name, each in value.items() if name not in gone}

    def _move(self, read: Payload, moves: tuple[tuple[str, str], ...]) -> None:
        """Members of another version to where they belong, unless something is there; ``read`` alone is changed, not what is in it."""
        spelled = {folded(name): name for name in read if len(name) <= coercion.LONGEST}
        for old, new in moves:
            first, _, rest = old.partition("/")
            start = spelled.get(folded(first), first)
            value = _at(read, [start, *rest.split("/")] if rest else [start])
            *way, last = new.split("/")
            parents = [_at(read, way[: depth + 1]) for depth in range(len(way))]
            free = all(each is None or isinstance(each, dict) for each in parents) and _at(read, [*way, last]) is None
            if value is None or value == "" or not free or not self._spend():
                continue
            inner = read
            for name in way:
                inner[name] = dict(inner.get(name) or {})
                inner = inner[name]
            inner[last] = value
            if not rest:
                del read[start]

    def _spend(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _at(payload: Payload, way: Sequence[str]) -> Any:
    """What stands there; None when nothing does."""
    value: Any = payload
    for name in way:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _takes_empty(form: Form) -> bool:
    """Whether "" is a value of its own there."""
    return form.kind == "string" and form.words is None and not form.moment


def _clocked(value: Any, form: Form, zone: tzinfo) -> Any:
    if form.moment:
        return timestamps.utc(value, zone) or value
    if form.timed and form.items is not None and isinstance(value, list):
        return [_clocked(each, form.items, zone) for each in value]
    if form.timed and form.members and isinstance(value, dict):
        members = form.members
        return {name: _clocked(each, members[name], zone) if name in members else each for name, each in value.items()}
    return value
