"""What one value means where another type is wanted: None when it is of that type already, or its meaning is not plain.

Knows no message and no member but by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from .aliases import WORDS, folded

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:[.,][0-9]{0,18})?(?:[eE][+-]?[0-9]{1,2})?")
_THOUSANDS = re.compile(r".*,[0-9]{3}")
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def truth(value: object) -> bool | None:
    """Of "true", "False", 1, "0" and the like."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return _TRUTH.get(value.strip().lower() if isinstance(value, str) else "1" if value == 1 else "0" if value == 0 else "")


def word(value: object, words: Mapping[str, str], name: str) -> str | None:
    """The word of the enumeration (folded word -> word) that is meant by the member's value."""
    if type(value) is int and abs(value) < 1000:
        value = str(value)
    if not isinstance(value, str) or len(value) > 100 or value in words.values():
        return None
    plain = folded(value)
    word = words.get(plain)
    if word is None:
        known = WORDS.get(name, {}).get(plain or value.strip())
        word = None if known is None else words.get(folded(known))
    return word


def text(value: object) -> str | None:
    """The text of a number or a truth value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**36 else None
    if isinstance(value, float):
        number = Decimal(repr(value))
        return f"{number:f}" if number.is_finite() and abs(number.adjusted()) < 36 else None
    return None


def _decimal(value: object) -> Decimal | None:
    """The number that is written; not with a comma that may stand for thousands, and not beyond any meter (1e30 Wh)."""
    if isinstance(value, str):
        digits = value[:100].strip()
        if not _NUMBER.fullmatch(digits) or _THOUSANDS.fullmatch(digits):
            return None
        decimal = Decimal(digits.replace(",", "."))
    elif isinstance(value, float):
        number = Decimal(repr(value))
    else:
        return None
    return number if number.is_finite() and (not number or abs(number.adjusted()) < 18) else None


def integer(value: object, *, rounds: bool) -> int | None:
    """A meter that counts in parts of a Wh is rounded; half a connector is none."""
    number = _decimal(value)
    if number is None:
        return None
    whole = number.to_integral_value()
    return int(whole) if rounds or whole == number else None


def number(value: object) -> int | float | None:
    number = _decimal(value)
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)
