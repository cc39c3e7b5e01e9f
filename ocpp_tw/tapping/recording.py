"""A recording: the frames of chargers as the tap tells them, JSON lines, put in order for being played again.

Knows no connection.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

OF_2X = frozenset({"TransactionEvent", "NotifyReport", "NotifyEvent", "ReportChargingProfiles", "SecurityEventNotification"})
"""Actions by which a charger of 2.x is known, and by what it says in its BootNotification."""


class WrongFile(Exception):
    """The file is no recording; the text says why."""


@dataclass(slots=True)
class Sent:
    """A frame that a charger sent; ``at`` is Unix time, ``answer`` the frame it was answered with, None if that is not in the recording."""

    at: float
    frame: list[Any]
    answer: list[Any] | None = None

    @property
    def action(self) -> str:
        return str(self.frame[2])


@dataclass(slots=True)
class Charger:
    """What one charger sent, and what it answered to CALLs: by action, in their order."""

    id: str
    sent: list[Sent] = field(default_factory=list)
    answers: dict[str, list[list[Any]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def version(self) -> str:
        """The version of OCPP that it seems to speak."""
        for each in self.sent:
            boot = each.action == "BootNotification" and isinstance(each.frame[3], dict) and "chargingStation" in each.frame[3]
            if boot or each.action in OF_2X:
                return "2.1" if each.frame[0] == 6 else "2.0.1"
        return "1.6"


def read(lines: Iterable[str]) -> list[Charger]:
    """The chargers of a recording. Raises `WrongFile`."""
    told = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            each = json.loads(line)
            told.append((datetime.fromisoformat(each["time"]).timestamp(), str(each["charger"]), each["direction"] == "in", each["frame"]))
        except (ValueError, KeyError, TypeError):
            raise WrongFile(f"line {number} is no frame as /api/fleet/chargers/ID/frames tells them") from None
    told.sort(key=lambda each: each[0])  # stable: frames of the same moment stay as they are
    chargers: dict[str, Charger] = {}
    waiting: dict[tuple[str, bool, str], Any] = {}
    for at, id, inward, frame in told:
        charger = chargers.setdefault(id, Charger(id))
        if not isinstance(frame, list) or len(frame) < 3:
            continue
        kind = frame[0]
        key = (id, inward, str(frame[1]))
        if kind in (2, 6) and len(frame) > 3:
            if inward:
                charger.sent.append(Sent(at, frame))
            if kind == 2:
                waiting[key] = charger.sent[-1] if inward else frame
        elif kind in (3, 4):
            call = waiting.pop((id, not inward, str(frame[1])), None)
            if isinstance(call, Sent):
                call.answer = frame
            elif call is not None:
                charger.answers[str(call[2])].append(frame)
    return [charger for charger in chargers.values() if charger.sent]
