"""How many messages and events there are: for each minute of the last hour, and lately.

Costs a message nothing: chargers and the outbox count anyway, and here is looked at what they have counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..gateway.charger import Charger
from ..interfaces import IEvents

INTERVAL = 10.0
"""Seconds between two looks; what is told of lately is of the last of them."""

MINUTES = 60


class Rate:
    """Of what has been counted so far by ``count``."""

    def __init__(self, count: Callable[[], int]) -> None:
        self.minutes: deque[float] = deque([0.0] * MINUTES, MINUTES)
        self.lately = 0.0
        self._count = count
        self._last = self._at_minute = 0

    def look(self, seconds: float, minute: float) -> None:
        """So many seconds have passed since the last look; ``minute``: so many since the last minute began, 0 if it goes on."""
        counted = self._count()
        self.lately = round(max(0, counted - self._last) / seconds, 2)
        self._last = max(counted, self._last)
        if minute:
            self.minutes.append(round(max(0, self._last - self._at_minute) / minute, 2))
            self._at_minute = self._last


class Rates:
    """One for the ``chargers`` of a gateway."""

    def __init__(self, clock: IReactorTime, chargers: Mapping[str, Charger], events: IEvents) -> None:
        self._clock = clock
        self._chargers = chargers
        self._events = events
        self._departed = 0
        self.messages = Rate(self._received)
        self.events = Rate(lambda: events.published)
        self._looked = self._minute = clock.seconds()
        self._timer = LoopingCall(self._look)
        self._timer.clock = clock

    def start(self) -> None:
        """Begin to look."""
        self._looked = self._minute = self._clock.seconds()
        self._timer.start(INTERVAL, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._timer.running:
            self._timer.stop()

    def departed(self, charger: Charger) -> None:
        """A connection has ended; what it has sent counts, whoever it was."""
        self._departed += charger.received

    def _received(self) -> int:
        return self._departed + sum([each.received for each in self._chargers.values()])

    def _look(self) -> None:
        now = self._clock.seconds()
        seconds, self._looked = max(0.001, now - self._looked), now
        minute = now - self._minute if now - self._minute > 60 - INTERVAL / 2 else 0.0
        if minute:
            self._minute = now
        self.messages.look(seconds, minute)
        self.events.look(seconds, minute)
