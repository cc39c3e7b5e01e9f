"""Deferreds that wait for the same condition.

Knows nothing of the condition; its owner fires them when it is true.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Waiters:
    """The Deferreds that wait for one condition. Each may be cancelled."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []

    def add(self) -> Deferred[None]:
        """A Deferred that fires at the next `fire`."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def fire(self) -> None:
        """The condition is true: fire every Deferred that was not cancelled."""
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.called:
                each.callback(None)
