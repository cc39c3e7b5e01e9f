"""Coercion of one value to an expected type: None if it has that type already, or if its meaning is ambiguous.

Knows no messages, and of a member only its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ..numbers import decimal_number
from .aliases import WORDS, folded

MAX_LENGTH = 100
"""Longest name or word that is compared with OCPP's, in characters; a longer one is left alone. OCPP's longest has half as many."""

_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def to_boolean(value: object) -> bool | None:
    """From "true", "False", 1, "0" and the like."""
    if isinstance(value, str):
        return _BOOLEANS.get(value[:MAX_LENGTH].strip().lower())
    return _BOOLEANS.get(str(value)) if type(value) is int and value in (0, 1) else None


def to_enum(value: object, enum: Mapping[str, str], name: str) -> str | None:
    """The word of an enumeration (folded word -> word) that is meant in a member of that name."""
    if type(value) is int and abs(value) < 1000:
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_LENGTH or value in enum.values():
        return None
    word = folded(value)
    alias = WORDS.get(name, {}).get(word or value.strip(), "")
    return enum.get(word) or enum.get(folded(alias))


def to_string(value: object) -> str | None:
    """From a number or a boolean; digits as they are, never with an exponent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**36 else None
    if isinstance(value, float):
        exact = Decimal(repr(value))
        return f"{exact:f}" if exact.is_finite() and abs(exact.adjusted()) < 36 else None
    return None


def to_integer(value: object, *, rounds: bool) -> int | None:
    """From a string or a float. A meter reading with fractions of a Wh is rounded; a fractional connector id is not coerced."""
    exact = decimal_number(value) if isinstance(value, str | float) else None
    if exact is None:
        return None
    whole = exact.to_integral_value()
    return int(whole) if rounds or whole == exact else None


def to_number(value: object) -> int | float | None:
    """From a string; a number is one already."""
    exact = decimal_number(value) if isinstance(value, str) else None
    if exact is None:
        return None
    return int(exact) if exact == exact.to_integral_value() else float(exact)
