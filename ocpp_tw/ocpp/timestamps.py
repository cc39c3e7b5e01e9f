"""Timestamps as chargers write them, read as ISO 8601 in UTC.

Knows no message. What is a proper timestamp already is left alone, whatever its zone; so is what cannot be told for sure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_PROPER = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_LOOSE = re.compile(
    r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})(?: *[Tt] *| +)"
    r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]{1,12}))?)? *(Z|z|UTC|GMT|[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
)
_EPOCH = re.compile(r"[0-9]{10}|[0-9]{13}")

LONGEST = 64
"""Characters of a text that may be a timestamp."""


def utc(value: object, zone: tzinfo = UTC) -> str | None:
    """The moment that is meant, in UTC; None when nothing is to be put right, or nothing can be. ``zone`` is that of a time without one."""
    if isinstance(value, str):
        text = value.strip()
        if len(value) > LONGEST or _PROPER.fullmatch(value):
            return None
        if _PROPER.fullmatch(text):
            return text
        return _since_1970(int(text)) if _EPOCH.fullmatch(text) else _loose(text, zone)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_1970(value)
    return None


def moment(text: str) -> datetime | None:
    """The moment that ISO 8601 (or RFC 3339, which allows t and z as well) names, UTC where it names no zone; None when it is none."""
    try:
        time = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _since_1970(value: float) -> str | None:
    """Seconds or milliseconds, told apart by their size: ten digits are seconds from 2001 to 2286. Less is a clock that was never set."""
    if 10**9 <= value < 10**10:
        value = value * 1000
    if not 10**12 <= value < 10**13:
        return None
    seconds, milliseconds = divmod(round(value), 1000)
    return _text(datetime.fromtimestamp(seconds, UTC), f"{milliseconds:03d}" if milliseconds else None)


def _loose(text: str, zone: tzinfo) -> str | None:
    match = _LOOSE.fullmatch(text)
    if not match:
        return None
    year, _, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        there = zone if offset is None else _zone(offset)
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=there)
        return _text(moment.astimezone(UTC), fraction)
    except (ValueError, OverflowError):  # the 31st of February; an offset beyond the first or the last year
        return None


def _zone(offset: str) -> tzinfo:
    """Of ``Z``, ``+03``, ``+3``, ``+0300`` or ``+03:00``. Raises `ValueError`."""
    if offset[0] not in "+-":
        return UTC
    digits = offset[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    if minutes > 59:
        raise ValueError(offset)
    away = timedelta(hours=hours, minutes=minutes)
    return timezone(-away if offset[0] == "-" else away)


def _text(moment: datetime, fraction: str | None) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + (f".{fraction}Z" if fraction else "Z")


def zone(text: str) -> tzinfo:
    """The zone that a setting names: ``UTC``, ``+03:00`` or ``Europe/Amsterdam``. Raises `ValueError`."""
    if re.fullmatch(r"Z|UTC|[+-][0-9]{2}:[0-9]{2}", text):
        return _zone(text)
    from zoneinfo import ZoneInfo  # not before one is named: it reads the system's files

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(text) from None
