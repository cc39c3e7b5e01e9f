"""The events as they were read, and the violations found in them, with the context that an engineer needs to find the cause.

Does not know what counts as a violation.
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
    """A broken guarantee: its column, a description, when it happened (seconds of the ledger), and the events around it."""

    column: str
    text: str
    at: float
    around: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Findings:
    """``counts`` is how much was checked, to distinguish no violations from no test."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def column(self, name: str) -> int:
        return sum(each.column == name for each in self.violations)


class Audit:
    """Collects findings on a list of events. ``of`` has, for each charger, the indexes of its events."""

    def __init__(self, events: Iterable[bytes], seen_at: Iterable[float] = ()) -> None:
        """``seen_at`` is the time at which each event was read."""
        self.events: list[dict[str, Any]] = [msgspec.json.decode(each) for each in events]
        self.seen_at = list(seen_at) or [0.0] * len(self.events)
        self.of: dict[str, list[int]] = defaultdict(list)
        self.findings = Findings()
        for index, event in enumerate(self.events):
            self.of[event["data"]["charger"]].append(index)

    def violation(self, column: str, text: str, at: float, *indexes: int | None) -> None:
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
        content = canonical(event["data"] if event.get("action") is None else event["payload"])[:120]
        return (
            f"  {'>' if marked else ' '} [{index}] seq {event['seq']} seen {self.seen_at[index]:.2f}s stamped {event['time'][11:23]} "
            f"{event['event']} message {event.get('message_id')} {content}"
        )
