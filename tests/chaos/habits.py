"""How makes of chargers differ where OCPP leaves them the choice (FIELD, "Seen on the wire").

Knows no charger.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """How a make of charger behaves where OCPP leaves it the choice (FIELD, "Seen on the wire")."""

    version: str = "1.6"
    same_id: bool = False
    """It sends a message again under the id that it had, not under a new one."""
    counts: bool = False
    """It numbers its messages from 1 on each connection."""
    hangs_up: bool = False
    """A message that is not answered makes it connect anew, not just send again."""
    patience: float = 3.0
    """Seconds that it waits for an answer."""


def habits(number: int, rng: random.Random, patience: float) -> Habits:
    """A fleet has all sorts."""
    return Habits(
        version="2.0.1" if number % 4 == 3 else "1.6",
        same_id=number % 3 == 1,
        counts=number % 5 == 4,
        hangs_up=number % 2 == 1,
        patience=patience * rng.uniform(0.7, 1.3),
    )
