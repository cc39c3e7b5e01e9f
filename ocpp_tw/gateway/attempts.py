"""How long somebody who has failed to authenticate is told to wait: longer with each failure, for each identity and for each address.

Whoever has the right password is let in all the same, so that nobody can lock a charger out by failing in its name. Each process counts for
itself. Knows no password.
"""

from __future__ import annotations

from typing import NamedTuple

from ..networks import network

FREE = 5
"""Failures in a row without a wait; after that it is two seconds, then four, and so on."""

MAX_WAIT = 300.0
"""Longest wait, in seconds."""

FORGOTTEN_AFTER = 3600.0
"""Seconds after the last failure at which all are forgotten."""

MAX_NAMES = 10_000
"""Most identities and addresses that are remembered; then the one that failed longest ago is forgotten."""


class Failures(NamedTuple):
    """How many in a row, when the last was, and until when no further one is answered 401."""

    number: int
    last: float
    until: float


class Attempts:
    """One for a gateway. Times are seconds of any clock that does not run backwards."""

    def __init__(self) -> None:
        self._failures: dict[str, Failures] = {}

    def failed(self, identity: str, address: str, now: float) -> float:
        """Somebody has failed; the seconds that they are to wait, 0 if they may try again at once."""
        return max(self._count(f"identity {identity}", now), self._count(f"address {network(address)}", now))

    def succeeded(self, identity: str) -> None:
        """The charger is in: what others did in its name is forgotten."""
        self._failures.pop(f"identity {identity}", None)

    def _count(self, name: str, now: float) -> float:
        before = self._failures.pop(name, None)
        if before is None or now - before.last > FORGOTTEN_AFTER:
            before = Failures(0, now, 0.0)
        if len(self._failures) >= MAX_NAMES:
            del self._failures[next(iter(self._failures))]
        if now < before.until:  # one that does not wait is not made to wait longer by that
            self._failures[name] = before._replace(last=now)
            return before.until - now
        number = before.number + 1
        wait = min(MAX_WAIT, 2.0 ** min(number - FREE, 30)) if number > FREE else 0.0
        self._failures[name] = Failures(number, now, now + wait)
        return 0.0
