"""Security events: delivered one after another, each until it is answered, over any number of connections (A04.FR.02).

Knows the message, but not when anything is an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..facts import Fact, Other, Verdict
from ..ocpp.frames import Payload
from .errors import Unanswered
from .simulated_clock import SimulatedClock, Timers

MAX_EVENTS = 100
"""Most events that wait; one more is forgotten."""

RETRY_INTERVAL = 60.0
"""Simulated seconds until an event that was not answered is sent again on the same connection."""


class EventSource(Protocol):
    """The charger as its events see it."""

    clock: SimulatedClock
    timers: Timers

    @property
    def ready(self) -> bool:
        """Whether the charger is connected and accepted, so that it may send anything."""

    def send_fact(
        self,
        fact: Fact,
        then: Callable[[Verdict], object] | None = None,
        otherwise: Callable[[Exception], object] | None = None,
    ) -> None:
        """Send a fact as a CALL; ``otherwise`` gets `Unanswered` or `Refusal`."""


class SecurityEvents:
    """The security events of one charger."""

    __slots__ = ("_in_flight", "_source", "_waiting")

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._waiting: deque[Payload] = deque()
        self._in_flight = False

    def report(self, type: str, info: str = "", once: bool = False) -> None:
        """Deliver an event, now or as soon as the charger is connected and accepted; ``once``: unless its like is waiting already."""
        if len(self._waiting) < MAX_EVENTS and not (once and any(each["type"] == type for each in self._waiting)):
            more = {"techInfo": info[:255]} if info else {}
            self._waiting.append({"type": type, "timestamp": self._source.clock.timestamp()} | more)
            self.deliver()

    def deliver(self) -> None:
        """Send the next, if the charger may send anything."""
        if self._waiting and not self._in_flight and self._source.ready:
            self._in_flight = True
            event = Other("SecurityEventNotification", self._waiting[0])
            self._source.send_fact(event, lambda _: self._delivered(), self._not_delivered)

    def _delivered(self) -> None:
        self._in_flight = False
        self._waiting.popleft()
        self.deliver()

    def _not_delivered(self, error: Exception) -> None:
        if not isinstance(error, Unanswered):
            self._delivered()  # the central system has it, and does not want it
            return
        self._in_flight = False
        if self._source.ready:  # otherwise the next connection begins with it
            self._source.timers.set("security event", RETRY_INTERVAL, self.deliver)
