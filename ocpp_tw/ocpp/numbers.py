"""Numbers in the notations of real chargers: what a text, or a JSON number, plainly means.

Knows no members and no units. What is ambiguous is no number here, wherever it stands: a comma that may separate thousands, underscores.
"""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:[.,][0-9]{0,40})?|[.,][0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?")
_THOUSANDS = re.compile(r"[+-]?[0-9]*,[0-9]{3}")

MAX_LENGTH = 100
"""Longest text that is read as a number, in characters."""

MAX_DIGITS = 20
"""Most digits before or zeros after the point; a number beyond that is no reading of any meter (1e30 Wh)."""


def decimal_number(value: object) -> Decimal | None:
    """The number in a string, an integer or a float; None if it is none, is ambiguous (``1,234``, ``1_000``) or out of all proportion."""
    if isinstance(value, str):
        digits = value.strip()
        if len(value) > MAX_LENGTH or not _NUMBER.fullmatch(digits) or ("," in digits and _THOUSANDS.fullmatch(digits)):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
            return None
        digits = repr(value)
    else:
        return None
    exact = Decimal(digits.replace(",", "."))
    return exact if exact.is_finite() and (not exact or abs(exact.adjusted()) < MAX_DIGITS) else None


def is_plain(text: str) -> bool:
    """Whether this is a number of at most `MAX_DIGITS` digits and perhaps a point, without sign, space or exponent: nearly every reading is."""
    return len(text) <= MAX_DIGITS and text.isascii() and (text.isdigit() or text.replace(".", "", 1).isdigit())


def shifted(text: str, power: int) -> str:
    """A plain number times a power of ten, without leading zeros, and without trailing ones after the point: ``12.50`` by 3 is ``12500``.

    The point is moved in the text: `decimal.Decimal` takes several times as long, and a message may have thousands of samples.
    """
    whole, _, fraction = text.partition(".")
    if power > 0:
        fraction = fraction.ljust(power, "0")
        whole, fraction = whole + fraction[:power], fraction[power:]
    elif power < 0:
        whole = whole.rjust(-power, "0")
        whole, fraction = whole[:power], whole[power:] + fraction
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
