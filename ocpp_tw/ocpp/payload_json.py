"""The JSON inside a frame, decoded, and digested: what is an integer to JSON Schema is an integer here, however it is written (4.0, 4e0).

Knows no frames and no schemas. Every payload, of either direction, is decoded here; so no reader of a member has to expect a float where
an integer is meant, and only numbers with a point or an exponent cost anything. Message types and ids are not decoded here: 2.0 is no
message type.
"""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import msgspec

MAX_INTEGER = 2**53
"""Bound of magnitude. Floats from this magnitude on stay floats: not every integer beyond it can be told from its neighbours."""


def _number(text: str) -> int | float:
    """A number written with a point or an exponent. Raises `ValueError` for one beyond all bounds."""
    number = float(text)
    if number.is_integer() and -MAX_INTEGER < number < MAX_INTEGER:
        return int(number)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


decode = msgspec.json.Decoder(float_hook=_number).decode
"""Decodes any JSON value. Raises `ValueError` or `RecursionError`."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


def digest(payload: dict[str, Any], *, without: str) -> int:
    """Equal for payloads of equal content, whatever the order of their members; the member ``without`` does not count.

    It is stored and compared by later releases, so nothing goes into it but the payload.
    """
    if without in payload:
        payload = {name: value for name, value in payload.items() if name != without}
    return crc32(_canonical(payload))
