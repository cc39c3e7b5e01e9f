"""One random input after another by a seed, given to a harness' gateway where such things come in: messages, commands, bytes of both ports.

Knows what is random of each, and no more.
"""

from __future__ import annotations

from functools import partial
from random import Random

from fuzz import doors, mutations, on_the_wire
from fuzz.harness import Finding, Harness

CUTS = (8192, 8192, 8192, 65536, 100, 7)
"""Sizes of the pieces in which bytes come."""

PIECES = 50
"""How many pieces there are at most, or they would take most of the time."""


class Inputs:
    """``latest`` is the input that was tried last."""

    latest = b""

    def __init__(self, harness: Harness, seed: int) -> None:
        self._harness = harness
        self._random = Random(seed)
        self._operators, self._chargers = doors.operators(harness), doors.chargers(harness)

    def next(self) -> float:
        """Try another one; the time that the gateway took for it, and for what followed."""
        random, harness = self._random, self._harness
        ocpp, kind = random.choice(list(mutations.VERSIONS)), random.randrange(20)
        answer = partial(mutations.answer, random, ocpp)
        match kind:
            case 0 | 1:
                made = mutations.element(random, ocpp)
            case 2 | 3:
                made = on_the_wire.requests(random, ocpp)
            case 4 | 5:
                made = on_the_wire.charger(random, ocpp)
            case _:
                made = mutations.frame(random, ocpp)
        self.latest = text = made[: harness.longest]
        cut = max(random.choice(CUTS), len(text) // PIECES)
        begun = harness.now()
        match kind:
            case 0 | 1:
                harness.command(ocpp, text, answer)
            case 2 | 3:
                self._operators(text, cut)
                harness.answer_all(answer)
            case 4 | 5:
                self._chargers(text, cut)
            case _:
                harness.send(ocpp, text)
                harness.answer_all(answer)
        took = harness.now() - begun
        if random.random() < 0.001:
            harness.charger(ocpp).disconnect()
        if harness.errors:
            raise Finding(str(harness.errors))
        return took
