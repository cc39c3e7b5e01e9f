"""The schedule of faults: drawn from a seed before the run, so that a run can be repeated.

Knows nothing of what faults do.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from chaos.fault import LANES, Fault


@dataclass
class Planned:
    """A fault that is due at ``at`` seconds, or once the previous one in its lane is healed; ``begun`` and ``healed`` are the actual times."""

    at: float
    fault: Fault
    seconds: float
    seed: str
    begun: float = 0.0
    healed: float = 0.0

    def __str__(self) -> str:
        when = f"{self.begun:8.2f} to {self.healed:8.2f}" if self.healed else f"{self.begun:8.2f} to      end" if self.begun else " " * 20
        return f"due {self.at:8.2f}  was {when}  {self.fault.number:<4} {self.fault.name} ({self.seconds:.2f} s)"


@dataclass
class Schedule:
    """The faults of each lane, in order."""

    lanes: dict[str, list[Planned]] = field(default_factory=dict)

    @property
    def all(self) -> list[Planned]:
        return sorted((each for lane in self.lanes.values() for each in lane), key=lambda each: each.begun or each.at)

    def between(self, begin: float, end: float) -> list[Planned]:
        """Those that were active at any time in this interval."""
        return [each for each in self.all if each.begun and each.begun <= end and (not each.healed or each.healed >= begin)]

    def during(self, at: float) -> list[Planned]:
        """Those that were active at about this time, or some seconds before."""
        return self.between(at - 8.0, at + 0.5)


def draw(seed: int, count: int, duration: float, faults: Iterable[Fault]) -> Schedule:
    """``count`` faults over ``duration`` seconds."""
    rng = random.Random(f"{seed} schedule")
    choices: dict[str, list[Fault]] = {}
    for each in faults:
        choices.setdefault(each.lane, []).append(each)
    shares = LANES if len(choices) > 1 else dict.fromkeys(choices, 1.0)
    whole = sum(shares[lane] for lane in choices)
    schedule, left = Schedule(), count
    for place, (lane, kinds) in enumerate(choices.items()):
        share = left if place == len(choices) - 1 else round(count * shares[lane] / whole)
        left -= share
        # Each kind once, the rest at random, so that a short run omits as few kinds as possible.
        picked = [*kinds, *rng.choices(kinds, [each.weight for each in kinds], k=max(0, share - len(kinds)))] if share >= len(kinds) else (
            rng.sample(kinds, share)
        )  # fmt: skip
        rng.shuffle(picked)
        times = sorted(rng.uniform(0, duration) for _ in picked)
        schedule.lanes[lane] = [
            Planned(at, kind, rng.uniform(*kind.seconds), f"{seed} {lane} {number}")
            for number, (at, kind) in enumerate(zip(times, picked, strict=True))
        ]
    return schedule
