"""What a charger meant where it broke its schema: numbers sent as text, and text sent as numbers.

Knows only members and types. The charger's own payload is told to the backend as it came; this is for reading it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from .frames import Payload


def mend(payload: Payload, wanted: Mapping[str, type]) -> None:
    """Give members their type where their meaning is plain; the others stay as they are."""
    for name, kind in wanted.items():
        if name in payload and type(payload[name]) is not kind:
            meant = _meant(payload[name], kind)
            if meant is not None:
                payload[name] = meant


def _meant(value: object, kind: type) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if kind is str:
        return str(value)
    if kind is not int:
        return None
    try:
        number = Decimal(str(value).strip())
        # a meter that counts in parts of a Wh is rounded; 1e30 is no meter
        return int(number.to_integral_value()) if number.is_finite() and abs(number.adjusted()) < 18 else None
    except InvalidOperation:
        return None
