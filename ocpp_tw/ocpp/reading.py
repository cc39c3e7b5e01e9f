"""Reading members of a payload that may be there or not, and may be anything: what is not of its type is not there.

Knows no message.
"""

from __future__ import annotations

from typing import Any

from .frames import Payload


def text(payload: Payload, member: str) -> str | None:
    value = payload.get(member)
    return value if isinstance(value, str) else None


def number(payload: Payload, member: str) -> int | None:
    value = payload.get(member)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def listed(payload: Payload, member: str) -> list[dict[str, Any]]:
    value = payload.get(member)
    return value if isinstance(value, list) else []


def inner(payload: Payload, member: str) -> Payload:
    """An object inside; an empty one when there is none."""
    value = payload.get(member)
    return value if isinstance(value, dict) else {}
