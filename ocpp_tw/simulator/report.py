"""The counters of a run (messages, errors, transactions, latencies), and their summary for people and for programs.

Knows neither chargers nor connections; they call it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import Any

QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))


@dataclass(slots=True)
class Tally:
    """The counters of a run, of one charger or of many. Latencies in real seconds, energy in Wh."""

    chargers: int = 0
    connections: int = 0
    lost: int = 0  # connections that broke
    refused: int = 0  # connections that could not be opened
    sent: int = 0
    received: int = 0
    commands: int = 0
    malformed: int = 0
    strays: int = 0  # answers after the timeout, or to no CALL
    undelivered: int = 0
    started: int = 0
    stopped: int = 0
    energy: float = 0.0
    timeouts: Counter[str] = field(default_factory=Counter)
    callerrors: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)  # statuses other than Accepted
    latencies: dict[str, array[float]] = field(default_factory=dict)

    def answered(self, action: str, seconds: float) -> None:
        """A CALL was answered, whether with a CALLRESULT or a CALLERROR."""
        try:
            self.latencies[action].append(seconds)
        except KeyError:
            self.latencies[action] = array("d", (seconds,))

    def refused_call(self, action: str, code: str, description: str) -> None:
        """A CALL was answered with a CALLERROR."""
        self.callerrors[f"{action}: {code}"] += 1

    def timed_out(self, action: str) -> None:
        """A CALL got no answer before its timeout."""
        self.timeouts[action] += 1

    def tag_status(self, status: str) -> None:
        """The central system gave a tag this status."""
        if status != "Accepted":
            self.tags[status] += 1

    @property
    def errors(self) -> int:
        """The number of events that make a run fail."""
        return self.callerrors.total() + self.timeouts.total() + self.refused + self.malformed + self.undelivered

    def summary(self, seconds: float) -> dict[str, Any]:
        """The counters as JSON-ready values; ``seconds`` is the duration of the run. Latencies in ms, energy in kWh."""
        every = array("d")
        for each in self.latencies.values():
            every.extend(each)
        return {
            "seconds": round(seconds, 3),
            "chargers": self.chargers,
            "connections": self.connections,
            "lost": self.lost,
            "sent": self.sent,
            "received": self.received,
            "commands": self.commands,
            "errors": {
                "total": self.errors,
                "callerrors": dict(self.callerrors),
                "timeouts": dict(self.timeouts),
                "refused_connections": self.refused,
                "malformed": self.malformed,
                "undelivered": self.undelivered,
            },
            "stray_answers": self.strays,
            "tags_not_accepted": dict(self.tags),
            "transactions": {"started": self.started, "stopped": self.stopped},
            "kwh": round(self.energy / 1000, 3),
            "latency_ms": {"all": spread(every)} | {action: spread(self.latencies[action]) for action in sorted(self.latencies)},
        }


def spread(seconds: array[float]) -> dict[str, float]:
    """The number of latencies, and their percentiles in ms (nearest rank)."""
    ordered = sorted(seconds)
    ranks = {name: ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else 0.0 for name, part in QUANTILES}
    return {"count": len(ordered)} | {name: round(value * 1000, 3) for name, value in ranks.items()}


def lines(summary: dict[str, Any]) -> list[str]:
    """The summary as lines of text."""
    errors, transactions = summary["errors"], summary["transactions"]
    text = [
        f"chargers      {summary['chargers']}, {summary['connections']} connections in {summary['seconds']:.1f} s"
        + (f", {summary['lost']} lost" if summary["lost"] else ""),
        f"messages      {summary['sent']} sent, {summary['received']} received"
        + (f", {summary['commands']} of them commands" if summary["commands"] else ""),
        f"transactions  {transactions['started']} started, {transactions['stopped']} stopped, {summary['kwh']:.2f} kWh",
        f"errors        {_errors(errors)}",
    ]
    if summary["tags_not_accepted"]:
        text.append("tags          " + ", ".join(f"{count} {status}" for status, count in summary["tags_not_accepted"].items()))
    if summary["latency_ms"]["all"]["count"]:
        text.append(f"{'latency, ms':<30}{'count':>9}" + "".join(f"{name:>10}" for name, _ in QUANTILES))
        for action, row in summary["latency_ms"].items():
            text.append(f"  {action:<28}{row['count']:>9}" + "".join(f"{row[name]:>10.1f}" for name, _ in QUANTILES))
    return text


def _errors(errors: dict[str, Any]) -> str:
    if not errors["total"]:
        return "none"
    parts = [f"{count} CALLERROR {what}" for what, count in errors["callerrors"].items()]
    parts += [f"{count} unanswered {action}" for action, count in errors["timeouts"].items()]
    rest = (("refused_connections", "connections refused"), ("malformed", "unreadable"), ("undelivered", "undelivered"))
    parts += [f"{errors[name]} {words}" for name, words in rest if errors[name]]
    return f"{errors['total']}: " + ", ".join(parts)
