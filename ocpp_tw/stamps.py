"""What events are stamped with: the time and an id.

Knows wall-clock time only; nothing is ever scheduled by it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from time import gmtime, strftime, time


class Stamps:
    """``clock`` tells Unix time in seconds. Ids begin with the time the process started, so that they sort by it."""

    __slots__ = ("_clock", "_count", "_prefix", "_second", "_text", "unix")

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = self.unix = clock
        self._second = -1
        self._text = ""
        self._count = 0
        self._prefix = f"{int(clock() * 1000):011x}-{secrets.token_hex(4)}-"

    def now(self) -> str:
        """The time, UTC, as ISO 8601 with milliseconds and Z."""
        now = self._clock()
        second = int(now)
        if second != self._second:  # most events of a second share its text
            self._second, self._text = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
        return f"{self._text}.{int((now - second) * 1000):03d}Z"

    def seconds(self) -> float:
        """The time, as Unix time."""
        return self._clock()

    def id(self) -> str:
        """An id that nobody else ever gives, 20 to 36 characters."""
        self._count += 1
        return f"{self._prefix}{self._count:06x}"
