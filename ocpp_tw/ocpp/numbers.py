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
        if len(value) > MAX_LENGTH or not _NUMBER.fullmatch(digits) or _THOUSANDS.fullmatch(digits):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
            return None
        digits = repr(value)
    else:
        return None
    exact = Decimal(digits.replace(",", "."))
    return exact if exact.is_finite() and (not exact or abs(exact.adjusted()) < MAX_DIGITS) else None
