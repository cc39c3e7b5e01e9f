"""What one message may cost: how many values it may have, and how much of an invalid one is looked through.

Knows neither frames nor schemas. Every bound is far above what a charger has to say; whoever exceeds one is refused, or heard in part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

MAX_VALUES = 50_000
"""Most values in one message, objects and arrays among them. A message of 1 MB that is full of meter values has some 50,000."""

MAX_SAMPLES = 5_000
"""Most sampled values in one message: those of ten measurands in each minute of eight hours."""

LOOKED_THROUGH = 500
"""Values of an invalid message that are looked through for violations, in the order in which they stand. OCPP's own members are looked
at wherever they are; the rest of an array and further unknown members are not."""

CONTAINERS = frozenset({dict, list})

LONG, WIDE = 8192, 100
"""Bytes of a message from which on its objects may be wide, and members beyond which an object is; OCPP's own have some 20."""

LARGE = 100
"""Bits beyond which one integer is as wrong as another; to write thousands of digits takes a tenth of a millisecond."""

MAX_NUMBER = 400
"""Most digits of a number in a long message; the largest that a float has are 309."""

SHORTEST_SAMPLE = len('{"value":1},')

_LONG_NUMBER = re.compile(rb"[\[,:][ \t\r\n]*+-?[0-9]{%d}" % (MAX_NUMBER + 1))
# Possessive quantifiers, so that the time is linear in the text's length: what is between two marks, strings among it, then the mark.
_TOO_MANY = re.compile(rb'(?:(?:[^"\[{,]++|"(?:[^"\\]++|\\.)*+"?)*+[\[{,]){%d}+' % (MAX_VALUES + 1), re.DOTALL)


def too_many_values(text: bytes) -> bool:
    """Whether a JSON text has more than `MAX_VALUES` values; each but the first comes after a comma or a bracket,
    and an empty array or object counts twice.

    Counting these in all of the text suffices for nearly every message: only one that has too many is looked at without its strings.
    """
    return (
        len(text) > MAX_VALUES and sum(text.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES and _TOO_MANY.match(text) is not None
    )


def too_long_number(text: bytes) -> bool:
    """Whether a long JSON text has a number of more than `MAX_NUMBER` digits, where most of the text are digits: else such numbers cost
    little. Reading or writing one takes time that grows with the square of its length."""
    digits = len(text) - len(text.translate(None, b"0123456789"))
    return digits > len(text) // 2 and _LONG_NUMBER.search(text) is not None


def too_many_samples(payload: Mapping[str, Any]) -> bool:
    """Whether the arrays within the arrays of a payload have more than `MAX_SAMPLES` elements: the sampled values of its readings."""
    readings = (reading for member in payload.values() if isinstance(member, list) for reading in member if isinstance(reading, dict))
    return sum(len(inner) for reading in readings for inner in reading.values() if isinstance(inner, list)) > MAX_SAMPLES


def in_order(value: Any) -> Any:
    """The value with the members of its wide objects sorted: to sort them where their order must not matter (`payload_json.digest`) takes
    time that grows with the square of their number, unless they are sorted already."""
    if type(value) is dict:
        members = {name: in_order(member) if type(member) in CONTAINERS else member for name, member in value.items()}
        return dict(sorted(members.items())) if len(members) > WIDE else members
    return [in_order(item) if type(item) in CONTAINERS else item for item in value]


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
            members = {}
            for name, member in value.items():
                if self._spend() or name in self._names:
                    members[name] = self._of(member)
                else:
                    self.cut = True
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
