"""How long it takes from a charger's CALL to its answer: of one CALL at a time, since two looks at a clock for each would cost too much.

With little to do that is every one; under load it is the next that comes after the one before was answered, which is none in particular.
Knows neither what a CALL says nor who looks at the times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..histogram import Histogram


class AnswerTimes:
    """One for a gateway. ``charger`` is the one whose CALL is timed, None while there is none: both are looked at for each message."""

    __slots__ = ("_clock", "_id", "_since", "charger", "took")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.took = Histogram()
        self.charger: Any = None
        self._clock = clock
        self._id: str | int = ""
        self._since = 0.0

    def begin(self, charger: Any, id: str | int) -> None:
        """Time this CALL."""
        self.charger, self._id, self._since = charger, id, self._clock()

    def answered(self, id: str | int) -> None:
        """A CALL of the ``charger`` has been answered."""
        if id == self._id:
            self.charger = None
            self.took.add(self._clock() - self._since)

    def forget(self) -> None:
        """The ``charger`` is gone: its CALL may never be answered."""
        self.charger = None
