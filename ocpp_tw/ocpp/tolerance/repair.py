"""Repairs a message that violates its schema, wherever its meaning is plain: types, words, names, timestamps, and one fault of its JSON.

Knows no actions and invents nothing: no value is cut, guessed or filled in. The backend gets the charger's own payload unchanged;
the repaired one is only for reading the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from ...words import MAX_KEPT
from .. import timestamps
from ..frames import Payload
from ..payload_json import decode, is_integer
from ..schemas import Violation
from . import coercion
from .aliases import folded
from .expected import ExpectedType

MAX_REPAIRS = 1000
"""Most repairs of one message; further faults stay. A long transactionData may need one in each sample."""

MAX_ITEMS = 2000
"""Most items of arrays that are looked at to repair a message; the others stay as they are."""

MAX_MEMBERS = 100
"""Most members of an object whose names are compared with OCPP's; OCPP's own objects have some 20."""

MAX_MENDED = 65_536
"""Longest text that is searched for superfluous commas, in bytes: the chargers that send them fill a buffer of some kilobytes."""

FRAME_FAULTS = {
    "json": Violation((), "json", None, "a comma too many"),
    "structure": Violation((), "structure", None, "structure: more elements than a CALL has"),
    "type": Violation((), "structure", None, "structure: the message type is not written as an integer"),
}
"""The violations of a message that was read though something was wrong with its frame (`ocpp_tw.ocpp.frames.Call.fault`)."""

# possessive quantifiers, so that the time is linear in the text's length
_COMMAS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{,][ \t\r\n,]*+', re.DOTALL)

_EXTRA = re.compile(rb"[\[{,][ \t\r\n]*+,|,[ \t\r\n]*+[\]}]")
"""Where a comma may be superfluous, if it is not within a string."""


def repaired(payload: Payload, violations: Sequence[Violation], expected: ExpectedType, zone: tzinfo = UTC) -> Payload:
    """The payload with every fault of plain meaning repaired; the payload itself if there are no violations.

    The given payload is not changed. The result may share parts with it, so neither may be changed afterwards. ``zone`` applies to
    timestamps without one.
    """
    return _Repair(zone).object(payload, expected) if violations else payload


def with_utc_timestamps(payload: Payload, expected: ExpectedType, zone: tzinfo) -> Payload:
    """The payload with only its timestamps repaired: one without a zone is valid to our schemas (OCPP 1.6 §3.13)."""
    read: Payload = _with_utc_timestamps(payload, expected, zone)
    return read


def missing_essential(payload: Payload, essentials: Mapping[str, type]) -> str | None:
    """The first essential member that is missing or of the wrong type; None if the message can be read."""
    for path, kind in essentials.items():
        value = _at(payload, path.split("/"))
        if type(value) is not kind or (kind is int and not is_integer(value)):
            return path
    return None


def too_long(payload: Payload, kept: Iterable[str]) -> str | None:
    """The first of these members whose word is longer than any that is kept (`MAX_KEPT`)."""
    words = ((path, _at(payload, path.split("/"))) for path in kept)
    return next((path for path, word in words if isinstance(word, str) and len(word) > MAX_KEPT), None)


def without_extra_commas(text: bytes) -> bytes | None:
    """The text without commas that follow a ``[``, a ``{`` or a comma, or precede a ``]`` or ``}``, if that makes it valid JSON.

    None if it does not, if there are no such commas, or if the text is longer than `MAX_MENDED`. Strings are not changed.
    """
    if len(text) > MAX_MENDED or not _EXTRA.search(text):
        return None
    repaired = _COMMAS.sub(_without_extra_commas, text)
    if repaired == text:
        return None
    try:
        decode(repaired)
    except (ValueError, RecursionError):
        return None
    return repaired


def _without_extra_commas(found: re.Match[bytes]) -> bytes:
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
    """The repair of one message.

    Scalars come first and arrays last, so that a long list never uses up the repair of a transaction id.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._left, self._items = MAX_REPAIRS, MAX_ITEMS

    def object(self, value: Payload, expected: ExpectedType) -> Payload:
        members, repaired = expected.members or {}, dict(value)
        if expected.moves and len(repaired) <= MAX_MEMBERS:
            self._move(repaired, expected.moves)
        if expected.names is not None and len(repaired) <= MAX_MEMBERS and not repaired.keys() <= members.keys():
            repaired = self._with_ocpp_names(repaired, members, expected.names)
        objects, arrays = [], []
        for name, member, wanted in _constrained(repaired, members):
            if name not in expected.required and _means_missing(member, wanted):
                if self._spend():
                    del repaired[name]
            elif wanted.kind == "object":
                objects.append((name, member, wanted))
            elif wanted.kind == "array":
                arrays.append((name, member, wanted))
            else:
                repaired[name] = self._scalar(member, wanted, name)
        for name, member, wanted in (*objects, *arrays):
            repaired[name] = self._value(member, wanted, name)
        return repaired

    def _value(self, value: Any, expected: ExpectedType, name: str) -> Any:
        if expected.kind == "object":
            self._items -= 1
            return self.object(value, expected) if isinstance(value, dict) else value
        if expected.items is None:
            return self._scalar(value, expected, name)
        if isinstance(value, list):
            items = []
            for item in value:
                if self._items <= 0:
                    break
                self._items -= 1
                items.append(self._value(item, expected.items, name))
            return [*items, *value[len(items) :]]
        is_only_item = isinstance(value, {"object": dict, "string": str}.get(expected.items.kind, ()))
        if is_only_item and value and self._spend():
            return [self._value(value, expected.items, name)]
        return value

    def _scalar(self, value: Any, expected: ExpectedType, name: str) -> Any:
        coerced: Any
        match expected.kind:
            case "string" if expected.enum is not None:
                coerced = coercion.to_enum(value, expected.enum, name)
            case "string" if expected.is_timestamp:
                coerced = timestamps.to_utc(value, self._zone)
            case "string":
                coerced = coercion.to_string(value)
            case "integer":
                coerced = coercion.to_integer(value, rounds=name.startswith("meter"))
            case "number":
                coerced = coercion.to_number(value)
            case "boolean":
                coerced = coercion.to_boolean(value)
            case _:
                coerced = None
        return value if coerced is None or not self._spend() else coerced

    def _with_ocpp_names(self, value: Payload, members: Mapping[str, ExpectedType], names: Mapping[str, str]) -> Payload:
        """Members under OCPP's own names; where two names fold into the same one, neither is renamed."""
        spellings: dict[str, list[str]] = {}
        for name in value.keys() - members.keys():
            meant = names.get(folded(name)) if len(name) <= coercion.MAX_LENGTH else None
            if meant is not None and value.get(meant) is None:
                spellings.setdefault(meant, []).append(name)
        renamed = {found[0]: meant for meant, found in spellings.items() if len(found) == 1 and self._spend()}
        replaced = set(renamed.values())  # a null under OCPP's name, beside the value under the other spelling
        return {renamed.get(name, name): member for name, member in value.items() if name not in replaced}

    def _move(self, payload: Payload, moves: tuple[tuple[str, str], ...]) -> None:
        """Move members of another version to where they belong, unless something is there; changes ``payload``, but no object in it."""
        spelled = {folded(name): name for name in payload if len(name) <= coercion.MAX_LENGTH}
        for old, new in moves:
            first, _, rest = old.partition("/")
            start = spelled.get(folded(first), first)
            value = _at(payload, [start, *rest.split("/")] if rest else [start])
            if value is None or value == "" or not _is_free(payload, new.split("/")) or not self._spend():
                continue
            _put(payload, new.split("/"), value)
            if not rest:
                del payload[start]

    def _spend(self) -> bool:
        """Whether one more repair may be made; counts it."""
        self._left -= 1
        return self._left >= 0


def _constrained(value: Payload, members: Mapping[str, ExpectedType]) -> Iterator[tuple[str, Any, ExpectedType]]:
    """The members of an object of which the schema expects a type."""
    for name in [each for each in value if each in members]:
        if members[name].kind:
            yield name, value[name], members[name]


def _means_missing(value: Any, expected: ExpectedType) -> bool:
    """Whether this is some chargers' way to leave out an optional member (R15)."""
    return value is None or (value == "" and not expected.takes_empty)


def _at(payload: Payload, path: Sequence[str]) -> Any:
    """The value at a path; None if there is none."""
    value: Any = payload
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_free(payload: Payload, path: Sequence[str]) -> bool:
    """Whether a value can be put at a path: nothing is there, and nothing but objects on the way."""
    parents = (_at(payload, path[:depth]) for depth in range(1, len(path)))
    return all(parent is None or isinstance(parent, dict) for parent in parents) and _at(payload, path) is None


def _put(payload: Payload, path: Sequence[str], value: Any) -> None:
    """Put a value at a path; the objects on the way are copied."""
    *way, last = path
    inner = payload
    for name in way:
        inner[name] = dict(inner.get(name) or {})
        inner = inner[name]
    inner[last] = value


def _with_utc_timestamps(value: Any, expected: ExpectedType, zone: tzinfo) -> Any:
    if expected.is_timestamp:
        return timestamps.to_utc(value, zone) or value
    if expected.has_timestamp and expected.items is not None and isinstance(value, list):
        return [_with_utc_timestamps(item, expected.items, zone) for item in value]
    if expected.has_timestamp and expected.members and isinstance(value, dict):
        members = expected.members
        return {name: _with_utc_timestamps(member, members[name], zone) if name in members else member for name, member in value.items()}
    return value
