"""How charger models differ where OCPP leaves them the choice (FIELD, "Seen on the wire").

Knows no charger.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

VISITS = frozenset({"unknown-stops", "odd-numbers", "large-messages", "hang-ups"})
"""What a run visits beside plain sessions: stops of unknown starts, seqNos that leave out or repeat, messages as long as may be, and HTTP
commands whose asker hangs up."""


@dataclass(frozen=True)
class Behaviour:
    """How a charger model behaves where OCPP leaves it the choice (FIELD, "Seen on the wire")."""

    version: str = "1.6"
    reuses_id: bool = False
    """It sends a message again under the same message id, not a new one."""
    counts_from_one: bool = False
    """It numbers its messages from 1 on each connection."""
    reconnects: bool = False
    """After an unanswered message it reconnects instead of only sending it again."""
    answer_timeout: float = 3.0
    """Seconds that it waits for an answer."""
    omits: frozenset[str] = frozenset()
    """Which of `VISITS` it leaves out."""


def draw_behaviour(number: int, rng: random.Random, answer_timeout: float, omits: frozenset[str] = frozenset()) -> Behaviour:
    """The behaviour of the charger with this number: a fleet has all kinds."""
    return Behaviour(
        version="2.0.1" if number % 4 == 3 else "1.6",
        reuses_id=number % 3 == 1,
        counts_from_one=number % 5 == 4,
        reconnects=number % 2 == 1,
        answer_timeout=answer_timeout * rng.uniform(0.7, 1.3),
        omits=omits,
    )
