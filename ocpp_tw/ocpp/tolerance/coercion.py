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
LONGEST = 100
"""Characters of a name or a word that may be one of OCPP's; the longest of those has half as many."""

_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def truth(value: object) -> bool | None:
    """Of "true", "False", 1, "0" and the like."""
    if isinstance(value, str):
        return _TRUTH.get(value[:LONGEST].strip().lower())
    return _TRUTH.get(str(value)) if type(value) is int and value in (0, 1) else None


def word(value: object, words: Mapping[str, str], name: str) -> str | None:
    """The word of an enumeration (folded word -> word) that is meant by a member of that name."""
    if type(value) is int and abs(value) < 1000:
        value = str(value)
    if not isinstance(value, str) or len(value) > LONGEST or value in words.values():
        return None
    plain = folded(value)
    known = WORDS.get(name, {}).get(plain or value.strip(), "")
    return words.get(plain) or words.get(folded(known))


def text(value: object) -> str | None:
    """The text of a number or a truth value; digits as they are, never with an exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**36 else None
    if isinstance(value, float):
        exact = Decimal(repr(value))
        return f"{exact:f}" if exact.is_finite() and abs(exact.adjusted()) < 36 else None
    return None


def integer(value: object, *, rounds: bool) -> int | None:
    """A meter that counts in parts of a Wh is rounded; half a connector is none."""
    exact = _decimal(value)
    if exact is None:
        return None
    whole = exact.to_integral_value()
    return int(whole) if rounds or whole == exact else None


def number(value: object) -> int | float | None:
    """Of a text; a number is one."""
    exact = _decimal(value) if isinstance(value, str) else None
    if exact is None:
        return None
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def _decimal(value: object) -> Decimal | None:
    """The number that is written; not with a comma that may stand for thousands, and not beyond any meter (1e30 Wh)."""
    if isinstance(value, str):
        digits = value[:LONGEST].strip()
        if len(value) > LONGEST or not _NUMBER.fullmatch(digits) or _THOUSANDS.fullmatch(digits):
            return None
    elif isinstance(value, float):
        digits = repr(value)
    else:
        return None
    exact = Decimal(digits.replace(",", "."))
    return exact if exact.is_finite() and (not exact or abs(exact.adjusted()) < 18) else None
