"""What an attack may cost, and what it has cost too much.

Each goal has a margin, since the machine is shared: within the goal it is held, within the margin nearly, beyond it missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hostile.attack import Attack
from hostile.trial import Figures

HELD, NEARLY, MISSED = "held", "nearly", "**missed**"

MEMORY_MARGIN = 5.0
"""MB beyond the goal that are not counted: an allocator's own, and the garbage of usual work."""

LEFT = 5.0
"""MB by which the gateway may have grown some seconds after the attack."""

SLOWER, SLOW = 2.0, 20.0
"""The innocent's p99 may be so many times what it was, or so many ms."""

STANDSTILL = 50.0
"""The longest that the innocent may wait for one answer, in ms, or as long as it did before."""

LOG = 100.0
"""kB of log that one address may cause in a minute, and so in a trial."""

TIME_MARGIN = 4.0
"""Factor by which times may exceed their goal without being missed: two busy cores cost as much by themselves."""


class Finding(NamedTuple):
    """A figure beyond its goal."""

    text: str
    missed: bool


def findings(attack: Attack, figures: Figures, margin: float = TIME_MARGIN) -> Iterator[Finding]:
    """Everything that is beyond its goal; ``margin`` is another than `TIME_MARGIN` on a machine that does much else."""

    def limited(what: str, value: float, goal: float, limit: float, unit: str) -> Iterator[Finding]:
        if value > goal:
            yield Finding(f"{what} {value:,.{0 if value >= 100 else 1}f} {unit} (goal {goal:.3g})", value > limit)

    yield from limited("memory +", figures.peak, attack.memory, attack.memory + MEMORY_MARGIN, "MB")
    yield from limited("left +", figures.left, LEFT, LEFT + MEMORY_MARGIN, "MB")
    p99, longest = max(SLOW, SLOWER * figures.p99_before), max(STANDSTILL, figures.longest_before)
    yield from limited("p99", figures.p99, p99, margin * p99, "ms")
    yield from limited("longest", figures.longest, longest, margin * longest, "ms")
    yield from limited("log", figures.log, LOG, LOG, "kB")
    yield from limited("left in Redis", figures.redis, attack.redis, 1.5 * attack.redis, "MB")
    if attack.events is not None:
        yield from limited("events", figures.events_size / 1000, attack.events, 1.5 * attack.events, "MB")
    if figures.failures:
        yield Finding(f"{len(figures.failures)} x not served, such as: {figures.failures[0]}", True)
    if figures.lost:
        yield Finding(f"{figures.lost} acknowledged messages are no events", True)
    if figures.tracebacks:
        yield Finding(f"{figures.tracebacks} tracebacks", True)
    if figures.unprintable:
        yield Finding(f"{figures.unprintable} lines of the log have control characters", True)
    if figures.died:
        yield Finding("the gateway died", True)


def verdict(found: list[Finding]) -> str:
    if any(each.missed for each in found):
        return MISSED
    return NEARLY if found else HELD
