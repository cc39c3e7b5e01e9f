"""What a fault is, and the table of all faults, which the modules that implement them fill.

Knows none of them. Numbers are those of FAULTS.md. Faults of one lane exclude each other; those of different lanes overlap.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.system_under_test import SystemUnderTest

Run = Callable[["SystemUnderTest", float, random.Random], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """``weight`` is its share among the faults of its lane, ``seconds`` the range of its duration; ``obstacle`` says why it cannot be injected, or ""."""

    name: str
    number: str
    how: str
    lane: str
    weight: float
    seconds: tuple[float, float]
    run: Run
    obstacle: Callable[[SystemUnderTest], str]


FAULTS: dict[str, Fault] = {}

DAMAGE = "damage"
"""The lane of faults after which events may be missing."""

LANES = {"valkey": 0.20, "redis connection": 0.15, "gateway": 0.08, "backend": 0.15, "chargers": 0.37, "operators": 0.03, "clock": 0.02}
"""The share of each lane among all faults; the share of a lane that is not possible goes to the others."""


def no_obstacle(system: SystemUnderTest) -> str:
    """The fault can always be injected."""
    return ""


def fault(
    name: str,
    number: str,
    how: str,
    lane: str,
    weight: float = 1,
    seconds: tuple[float, float] = (0.1, 2),
    obstacle: Callable[[SystemUnderTest], str] = no_obstacle,
) -> Callable[[Run], Run]:
    """Enter the decorated function into the table."""

    def enter(run: Run) -> Run:
        FAULTS[name] = Fault(name, number, how, lane, weight, seconds, run, obstacle)
        return run

    return enter
