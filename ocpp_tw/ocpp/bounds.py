"""What one message may cost: how many values it may have, and how much of an invalid one is looked through.

Knows neither frames nor schemas. Every bound is far above what a charger has to say; whoever exceeds one is refused, or heard in part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any

MAX_VALUES = 200_000
"""Most values in one message, objects and arrays among them; an empty one counts twice, and so does a number with a point; an exponent
counts as `EXPONENT` more. The densest that OCPP has, 1 MB of a periodic event stream's shortest points, has 185,000; a report of 1 MB has
50,000 to 155,000."""

EXPONENT = 3
"""Values that an exponent counts as: no charger sends many of them, and to read 1e300 takes twice as long as to read 1.5."""

MAX_CONTAINERS = 100_000
"""Most of these values that are objects and arrays, each of which costs as much as several others; that densest message has 66,000."""

MAX_SAMPLES = 5_000
"""Most sampled values in one message: those of ten measurands in each minute of eight hours. A reading without any counts as one."""

MAX_MEMBERS = 10_000
"""Most members of one object in a message; OCPP's own have some 20. Each name is a string of its own, and to sort them takes longer than to
read them."""

SAMPLED = "meterValue", "transactionData"
"""The members that have readings."""

LOOKED_THROUGH = 500
"""Values of an invalid message that are looked through for violations, in the order in which they stand. OCPP's own members are looked
at wherever they are; the rest of an array and further unknown members are not."""

UNCHECKED = 50_000
"""Bytes up to which a message cannot have so much of anything that it would have to be looked at first."""

CONTAINERS = frozenset({dict, list})

LONG, WIDE = 8192, 100
"""Bytes of a message from which on its objects may be wide, and members beyond which an object is; OCPP's own have some 20."""

LARGE = 100
"""Bits beyond which one integer is as wrong as another; to write thousands of digits takes a tenth of a millisecond."""

MAX_NUMBER = 400
"""Most digits of a number in a long message; the largest that a float has are 309."""

SHORTEST_SAMPLE, SHORTEST_MEMBER = len("{},"), len('"a":1,')
"""Bytes of the shortest reading or sampled value, which OCPP's schema does not find valid, and of nearly the shortest member."""

ROUNDS = 10
"""Times that the innermost brackets of a text are taken away to find its depth, before the rest is looked at one by one: OCPP's own messages
have no more levels, and are done by then."""

BRACKETS = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
OPENING = b"["[0]

DIGITS = b"0123456789"
ZEROS = bytes.maketrans(DIGITS, b"0" * len(DIGITS))
TOO_MANY_DIGITS = b"0" * (MAX_NUMBER + 1)

MARKS = bytes.maketrans(b"{E123456789", b"[e000000000")
NO_MARKS = bytes(set(range(256)) - set(b'[{",.eE0123456789'))

_RUN = re.compile(rb"\[++|\]++")
_LONG_NUMBER = re.compile(rb"[\[,:][ \t\r\n]*+-?[0-9]{%d}" % (MAX_NUMBER + 1))


def too_many_values(text: bytes) -> str:
    """Which bound a JSON text exceeds, `MAX_VALUES` or `MAX_CONTAINERS`; "" if neither. Each value but the first comes after a comma or a bracket.

    Counting these in all of the text suffices for nearly every message: only of one that has too many are the strings left out.
    """
    if len(text) <= MAX_CONTAINERS:
        return ""
    marks = _unescaped(text).translate(MARKS, NO_MARKS)
    return _exceeded(marks) and _exceeded(_without_strings(marks))


def _exceeded(marks: bytes) -> str:
    containers = marks.count(b"[")
    if containers > MAX_CONTAINERS:
        return f"more than {MAX_CONTAINERS} objects and arrays"
    values = containers + marks.count(b",") + marks.count(b".") + EXPONENT * marks.count(b"0e")
    return f"more than {MAX_VALUES} values" if values > MAX_VALUES else ""


def _unescaped(text: bytes) -> bytes:
    """The text without what is escaped in its strings so that its quotes can be told: an escaped one ends no string."""
    return text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text


def _without_strings(marks: bytes) -> bytes:
    """What is left of a text of which everything but quotes and some marks has been deleted, without its strings."""
    marks = marks.replace(b'""', b"")  # those without marks; a quote remains before the first mark in a string
    return b"".join(marks.split(b'"')[::2]) if b'"' in marks else marks


def too_long_number(text: bytes) -> bool:
    """Whether a long JSON text has a number of more than `MAX_NUMBER` digits, where most of the text are digits: else such numbers cost
    little. Reading or writing one takes time that grows with the square of its length."""
    if len(text) - len(text.translate(None, DIGITS)) <= len(text) // 2:
        return False
    return TOO_MANY_DIGITS in text.translate(ZEROS) and _LONG_NUMBER.search(text) is not None  # the former takes a tenth of the time


def depth(text: bytes) -> int:
    """How many levels of arrays and objects a JSON text has. Only its brackets are looked at, in compiled code: a report has thousands of objects."""
    brackets = _without_strings(_unescaped(text).translate(BRACKETS, NO_BRACKETS))
    for level in range(ROUNDS):
        if not brackets:
            return level
        brackets = brackets.replace(b"[]", b"")
    deepest = level = 0
    for run in _RUN.findall(brackets):
        level += len(run) if run[0] == OPENING else -len(run)
        deepest = max(deepest, level)
    return ROUNDS + deepest


def too_many_samples(payload: Mapping[str, Any]) -> bool:
    """Whether the readings of a payload have more than `MAX_SAMPLES` sampled values."""
    lists = (payload.get(member) for member in SAMPLED)
    readings = (reading for readings in lists if isinstance(readings, list) for reading in readings)
    samples = (reading.get("sampledValue") if isinstance(reading, dict) else None for reading in readings)
    return sum(len(each) or 1 if isinstance(each, list) else 1 for each in samples) > MAX_SAMPLES


def wide_objects(payload: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects in a payload that have more than `WIDE` members."""
    wide: list[dict[str, Any]] = []
    level: list[Any] = [payload]
    while level:
        wide += [each for each in level if len(each) > WIDE and type(each) is dict]
        level = [
            inner for outer in level for inner in (outer.values() if type(outer) is dict else outer) if type(inner) in CONTAINERS and inner
        ]
    return wide


def put_in_order(objects: Iterable[dict[str, Any]]) -> None:
    """Sort the members of wide objects, in place: to sort them where their order must not matter (`payload_json.digest`) takes time that
    grows with the square of their number, unless they are sorted already."""
    for each in objects:
        members = {name: each[name] for name in sorted(each)}
        each.clear()
        each.update(members)


class Beginning:
    """What of a value is looked through: ``value`` has no more than `LOOKED_THROUGH` values and the members with one of ``names``.

    ``cut``: there is more. The first item of an array always stays, as an empty array may be a violation of its own; of an integer
    beyond all bounds only that it is one.
    """

    def __init__(self, value: Any, names: Set[str]) -> None:
        self.cut = False
        self._left = LOOKED_THROUGH
        self._names = names
        self.value = self._of(value)

    def _of(self, value: Any) -> Any:
        if type(value) is dict:
            members: dict[str, Any] = {}
            rest = iter(value)
            for name in rest:
                if not self._spend():
                    further = [name, *rest]
                    own = [each for each in further if each in self._names]
                    self.cut = self.cut or len(own) < len(further)
                    members |= {each: self._of(value[each]) for each in own}
                    break
                members[name] = self._of(value[name])
            return members
        if type(value) is list:
            items: list[Any] = []
            for item in value:
                if not self._spend() and items:
                    self.cut = True
                    break
                items.append(self._of(item))
            return items
        if type(value) is int and value.bit_length() > LARGE:
            return 1 << LARGE if value > 0 else -1 << LARGE
        return value

    def _spend(self) -> bool:
        self._left -= 1
        return self._left >= 0
