"""Log lines about a backend or a plugin that does something wrong: no more than somebody would read, however many messages chargers send.

Knows nothing of what is wrong. The next line counts those that were left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .core.rate_limit import Rate, RateLimit
from .log import Logger

log = Logger()

RATE = Rate(50, 0.2)
"""Lines of one who complains: with 500 bytes each, 31 kB in the first minute and 6 kB in each further one."""


class Complaints:
    """One for each part that complains. ``seconds`` is the clock."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._limit = RateLimit(RATE, seconds())

    def warn(self, text: str, **fields: str) -> None:
        """Log the line, unless there are too many."""
        left_out = self._limit.next(self._seconds())
        if left_out is not None:
            log.warn(text + " ({left_out} such lines before it were left out)" if left_out else text, left_out=left_out, **fields)
