"""What a fault is, and the table of all of them, which the modules that do them fill.

Knows none of them. Numbers are those of FAULTS.md. Faults of one lane exclude each other; those of different lanes overlap.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.house import House

Run = Callable[["House", float, random.Random], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """``weight`` is its share among the faults of its lane, ``seconds`` the range of how long it holds; ``needs`` says why it cannot be."""

    name: str
    number: str
    how: str
    lane: str
    weight: float
    seconds: tuple[float, float]
    run: Run
    needs: Callable[[House], str]


FAULTS: dict[str, Fault] = {}

DAMAGE = "damage"
"""The lane of faults after which something may be missing."""

LANES = {"valkey": 0.20, "redis line": 0.15, "gateway": 0.08, "backend": 0.15, "chargers": 0.40, "clock": 0.02}
"""The share that each lane has of all faults; that of a lane that cannot be goes to the others."""


def nothing(house: House) -> str:
    """It needs nothing."""
    return ""


def fault(
    name: str,
    number: str,
    how: str,
    lane: str,
    weight: float = 1,
    seconds: tuple[float, float] = (0.1, 2),
    needs: Callable[[House], str] = nothing,
) -> Callable[[Run], Run]:
    """Enter the function into the table."""

    def enter(run: Run) -> Run:
        FAULTS[name] = Fault(name, number, how, lane, weight, seconds, run, needs)
        return run

    return enter
