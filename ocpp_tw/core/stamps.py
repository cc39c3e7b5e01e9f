"""The time and the id of each event.

Knows wall-clock time only; nothing is ever scheduled by it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from time import gmtime, strftime, time

LAST = tuple(f"{number:02x}" for number in range(256))
"""The last two digits of an id: joining two strings is cheaper than formatting a number."""


class Stamps:
    """``clock`` tells Unix time in seconds. Ids begin with the time the process started, so that they sort by it.

    ``unix()`` is that time. ``id()`` is a unique id of 20 to 36 characters.
    """

    __slots__ = ("_clock", "_from", "_second", "_start", "_text", "_until", "id", "unix")

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = self.unix = clock
        self._second = -1
        self._from = self._until = 0.0
        self._start = self._text = ""
        self.id: Callable[[], str] = partial(next, _ids(f"{int(clock() * 1000):011x}-{secrets.token_hex(4)}-"))

    def now(self) -> str:
        """The time, UTC, as ISO 8601 with milliseconds and Z."""
        now = self._clock()
        if not self._from <= now < self._until:  # the events of a millisecond share its text, those of a second its beginning
            second = int(now)
            if second != self._second:
                self._second, self._start = second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))
            part = int((now - second) * 1000)
            self._from, self._until = now, second + (part + 1) / 1000
            self._text = f"{self._start}.{part:03d}Z"
        return self._text


def _ids(prefix: str) -> Iterator[str]:
    for page in count():
        start = f"{prefix}{page:04x}"
        for last in LAST:
            yield start + last
