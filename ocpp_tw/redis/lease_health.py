"""Whether the leases in Redis tell which gateways live: they do not while Redis takes no writes, since then nobody's can be renewed.

Knows no connection, and not how a lease is renewed: it is told what becomes of this gateway's own, and for how long Redis has not answered.
"""

from __future__ import annotations

from collections.abc import Callable

LATE_AFTER = 6.0
"""Seconds without a renewal after which something is wrong with Redis: two renewals are missing, and no other lease has expired for that yet."""

SILENT_AFTER = 1.2
"""Seconds without an answer to anything after which Redis does not answer: sooner than any question is given up, and it is asked something
every second."""

SETTLED_AFTER = 5.0
"""Seconds after an outage in which other gateways may not have renewed their leases yet: they try once a second."""


class LeaseHealth:
    """One for a gateway. ``seconds`` is the time of its reactor, ``silence`` for how many of them Redis has not answered what it was asked."""

    def __init__(self, seconds: Callable[[], float], silence: Callable[[], float] = lambda: 0.0) -> None:
        self._seconds = seconds
        self._silence = silence
        self._renewed: float | None = None
        self._refused = ""
        self._settled_at = seconds()

    @property
    def outage(self) -> str:
        """Why this gateway's lease cannot be renewed; "" if it can."""
        if self.refuses:
            return self._refused
        late = self._renewed is not None and self._seconds() - self._renewed > LATE_AFTER
        return "it does not answer" if late or self.silent else ""

    @property
    def refuses(self) -> str:
        """Why Redis, which answers, takes no writes; "" if it takes them, or does not answer."""
        return "" if self.silent else self._refused

    @property
    def trouble(self) -> str:
        """Why leases do not tell which gateways live; "" if they do."""
        if self.refuses:
            return f"Redis takes no writes: {self._refused}"
        if self.outage:
            return "Redis does not answer"
        return "Redis is back only just now, and other gateways may not know it yet" if self._seconds() < self._settled_at else ""

    @property
    def silent(self) -> bool:
        """Whether Redis has not answered anything for some time."""
        return self._silence() > SILENT_AFTER

    def renewed(self, *, kept: bool) -> None:
        """The lease was renewed; not ``kept``: it had expired or was lost, as others' may have been."""
        now = self._seconds()
        if self.outage or not kept:
            self._settled_at = now + SETTLED_AFTER
        self._renewed, self._refused = now, ""

    def refused(self, why: str) -> None:
        """Redis has refused to renew it."""
        self._refused = why
