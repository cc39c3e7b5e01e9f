"""Lines for a terminal about frames and events, a CALL and its answer paired, with the latency of the answer.

Knows neither where they come from nor where the lines go. What chargers say cannot steer the terminal.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import datetime
from typing import Any

from ..words import shown

MAX_PAYLOAD = 4000
"""Longest payload of a line, in characters."""

MAX_PENDING = 1000
"""Most CALLs whose answers are waited for."""

DIM, RED, GREEN, CYAN, YELLOW, PLAIN = "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[33m", "\x1b[0m"


class Printer:
    """Makes the lines. ``colours``: for a terminal that shows them."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._calls: OrderedDict[tuple[str, str, str], tuple[datetime, str]] = OrderedDict()

    def frame(self, told: dict[str, Any]) -> str:
        """The line about a frame."""
        arrow = "→" if told["direction"] == "in" else "←"
        start = f"{self._in(DIM, told['time'][11:23])} {shown(told['charger'], 50)} {arrow} "
        frame = told["frame"]
        if frame is None:
            return start + self._in(RED, f"no frame, {told['length']} bytes: ") + shown(told["text"], MAX_PAYLOAD)
        kind, id = frame[0], str(frame[1])
        if kind in (2, 6):
            action = str(frame[2])
            if kind == 2:
                self._calls[told["charger"], told["direction"], id] = (datetime.fromisoformat(told["time"]), action)
                if len(self._calls) > MAX_PENDING:
                    self._calls.popitem(last=False)
            return f"{start}{self._in(CYAN, shown(action, 60))} {_json(frame[3] if len(frame) > 3 else None)}"
        asked = self._calls.pop((told["charger"], "out" if told["direction"] == "in" else "in", id), None)
        action = asked[1] if asked else told.get("action") or f"answer to {id}"
        latency = f" {(datetime.fromisoformat(told['time']) - asked[0]).total_seconds() * 1000:.1f} ms" if asked else ""
        if kind == 3:
            return f"{start}{self._in(GREEN, shown(action, 60))}{latency} {_json(frame[2])}"
        return f"{start}{self._in(RED, shown(action, 60))}{latency} {_json(frame[2:])}"

    def event(self, told: dict[str, Any]) -> str:
        """The line about an event."""
        number = "" if told.get("seq") is None else f" #{told['seq']}"
        start = f"{self._in(DIM, str(told['time'])[11:23])} {shown(str(told['data'].get('charger')), 50)} * "
        return f"{start}{self._in(YELLOW, shown(str(told['event']), 60))}{number} {_json(told['data'])}"

    def note(self, text: str) -> str:
        """A line about the stream itself."""
        return self._in(YELLOW, f"- {text}")

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self._colours else text


def _json(value: Any) -> str:
    return shown(json.dumps(value, ensure_ascii=False, separators=(",", ":")), MAX_PAYLOAD)
