"""How chargers in the field take a change of their security otherwise than OCPP says: for tests of what a gateway makes of it.

Only words; what they do is in `security_changes`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

NO_ANSWER = "NoAnswer"
"""Instead of an answer: the connection is lost before it."""


class Effect(Enum):
    """When a change takes effect."""

    AT_ONCE = auto()  # the charger reconnects as soon as it has answered
    NEXT_CONNECTION = auto()  # whenever it connects again
    AFTER_REBOOT = auto()
    NEVER = auto()


class Quirk(NamedTuple):
    """A charger's fault: the status that it answers instead of Accepted, and when the change takes effect (None: as the answer promises).

    A value that the charger cannot use is rejected all the same.
    """

    answer: str = "Accepted"
    effect: Effect | None = None
