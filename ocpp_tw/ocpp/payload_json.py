"""The JSON inside a frame, decoded, and digested: what is an integer to JSON Schema is an integer here, however it is written (4.0, 4e0).

Knows no frames and no schemas. Every payload, of either direction, is decoded here; so no reader of a member has to expect a float where
an integer is meant, and only numbers with a point or an exponent cost anything. Message types and ids are not decoded here.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeGuard
from zlib import crc32

import msgspec

MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1
"""OCPP's integers have 32 bits (2.0.1 part 2 §2.1.4), those of some chargers and backends 64. A number beyond that is no integer: it breaks
the schema where one is meant (`ocpp_tw.ocpp.schemas`), and no reader of a member takes it for one."""

EXACT = 2.0**53
"""Beyond this a float stands for its neighbours too."""


def is_integer(value: object) -> TypeGuard[int]:
    """Whether this is an integer that OCPP could mean: no boolean, and within 64 bits."""
    return type(value) is int and MIN_INTEGER <= value <= MAX_INTEGER


def _number(text: str) -> int | float:
    """A number written with a point or an exponent. Raises `ValueError` for one beyond all bounds."""
    number = float(text)
    if number.is_integer():
        if -EXACT < number < EXACT:
            return int(number)
        if abs(number) <= MAX_INTEGER + 1:
            return int(Decimal(text))
    elif number - number:  # not finite; a call less than to ask, as a message may have a hundred thousand of them
        raise ValueError("number out of range")
    return number


decode = msgspec.json.Decoder(float_hook=_number).decode
"""Decodes any JSON value. Raises `ValueError` or `RecursionError`."""

decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=_number).decode
"""The same for an object: anything else raises `ValueError` at once."""

_canonical = msgspec.json.Encoder(order="deterministic").encode


def digest(payload: dict[str, Any], *, without: str) -> int:
    """Equal for payloads of equal content, whatever the order of their members; the member ``without`` does not count.

    It is stored and compared by later releases, so nothing goes into it but the payload.
    """
    if without in payload:
        payload = payload.copy()  # which takes a tenth of the time of going through thousands of members
        del payload[without]
    return crc32(_canonical(payload))
