"""The events as they were read, and what is found wrong with them: told so that an engineer finds the cause.

Knows not what is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chaos.ledger import canonical

COLUMNS = (
    "lost",
    "two ids for one message",
    "inversions",
    "gaps",
    "phantoms",
    "commands without exactly one result",
    "commands executed twice",
    "other",
)


@dataclass(slots=True)
class Violation:
    """What must not be, when (seconds of the ledger), and all that an engineer needs to find out why."""

    column: str
    text: str
    at: float
    around: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """``counts`` tells how much was checked, so that a row of zeroes can be told from a test of nothing."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def column(self, name: str) -> int:
        return sum(each.column == name for each in self.violations)


class Evidence:
    """``of`` has, for each charger, the places of its events in the list."""

    def __init__(self, events: Iterable[bytes], came: Iterable[float] = ()) -> None:
        """``came`` has the time at which each event was seen."""
        self.events: list[dict[str, Any]] = [msgspec.json.decode(each) for each in events]
        self.came = list(came) or [0.0] * len(self.events)
        self.of: dict[str, list[int]] = defaultdict(list)
        self.findings = Findings()
        for index, event in enumerate(self.events):
            self.of[event["data"]["charger"]].append(index)

    def found(self, column: str, text: str, at: float, *indexes: int | None) -> None:
        marked = {each for each in indexes if each is not None}
        near: set[int] = set()
        for index in marked:
            mine = self.of[self.events[index]["data"]["charger"]]
            place = mine.index(index)
            near.update(mine[max(0, place - 3) : place + 4])
        around = [self._line(index, index in marked) for index in sorted(near)]
        self.findings.violations.append(Violation(column, text, at, around))

    def _line(self, index: int, marked: bool) -> str:
        event = self.events[index]
        said = canonical(event["data"] if event.get("action") is None else event["payload"])[:120]
        return (
            f"  {'>' if marked else ' '} [{index}] seq {event['seq']} seen {self.came[index]:.2f}s stamped {event['time'][11:23]} "
            f"{event['event']} message {event.get('message_id')} {said}"
        )
