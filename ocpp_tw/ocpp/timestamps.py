"""Timestamps in the notations of real chargers, as ISO 8601 in UTC.

Knows no messages. A complete timestamp is left alone, whatever its zone; so is an ambiguous one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_COMPLETE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_LOOSE = re.compile(
    r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})(?: *[Tt] *| +)"
    r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]{1,12}))?)? *(Z|z|UTC|GMT|[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
)
_EPOCH = re.compile(r"[0-9]{10}|[0-9]{13}")

MAX_LENGTH = 64
"""Longest text that is read as a timestamp, in characters; a longer one is none."""


def to_utc(value: object, zone: tzinfo = UTC) -> str | None:
    """The timestamp in UTC; None if it is complete already, or unreadable. ``zone`` applies to a time without one."""
    if isinstance(value, str):
        text = value.strip()
        if len(value) > MAX_LENGTH or _COMPLETE.fullmatch(value):
            return None
        if _COMPLETE.fullmatch(text):
            return text
        return _since_1970(int(text)) if _EPOCH.fullmatch(text) else _loose(text, zone)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _since_1970(value)
    return None


def parse_timestamp(text: str) -> datetime | None:
    """A timestamp of ISO 8601 (or RFC 3339, which allows t and z too), in UTC if it names no zone; None if it is not one."""
    if len(text) > MAX_LENGTH:  # Python would ignore any number of digits of a second's fraction
        return None
    try:
        time = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def is_earlier(one: str | None, other: str | None) -> bool:
    """Whether one time is before another; nothing is where either is missing or cannot be read."""
    if one == other or not one or not other:
        return False
    first, second = parse_timestamp(one), parse_timestamp(other)
    return first is not None and second is not None and first < second


def _since_1970(value: float) -> str | None:
    """From seconds or milliseconds, by magnitude: ten digits are seconds from 2001 to 2286. Fewer are a clock that was never set."""
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
        time_zone = zone if offset is None else _offset(offset)
        time = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=time_zone)
        return _text(time.astimezone(UTC), fraction)
    except (ValueError, OverflowError):  # the 31st of February; an offset beyond the first or the last year
        return None


def _offset(offset: str) -> tzinfo:
    """From ``Z``, ``+03``, ``+3``, ``+0300`` or ``+03:00``. Raises `ValueError`."""
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


def parse_zone(text: str) -> tzinfo:
    """The time zone that a setting names: ``UTC``, ``+03:00`` or ``Europe/Amsterdam``. Raises `ValueError`."""
    if re.fullmatch(r"Z|UTC|[+-][0-9]{2}:[0-9]{2}", text):
        return _offset(text)
    from zoneinfo import ZoneInfo  # imported only when a zone is named: it reads the system's files

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(text) from None
