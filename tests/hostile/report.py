"""The figures of trials for people: a paragraph for each while they run, a table at the end.

Knows nothing of how they were measured.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from benchmarks import tables
from hostile.attack import Attack
from hostile.attacks import ATTACKS
from hostile.goals import MISSED, Finding, verdict
from hostile.trial import Figures

Results = dict[str, tuple[Figures, list[Finding]]]

HEAD = ("attack", "number", "what the attacker does", "memory + / left, MB", "p50, ms", "p99, ms", "longest, ms", "log, kB", "events", "events, MB", "Redis +, MB", "goals", "unbounded: MB, p99, kB")  # fmt: skip

UNBOUNDED: dict[str, list[float]] = json.loads((Path(__file__).parent / "unbounded.json").read_text())
"""What each attack cost before anything bounded it, on the same kind of machine: memory in MB, the innocent's p99 in ms, kB of log."""


def paragraph(attack: Attack, figures: Figures, found: list[Finding]) -> str:
    """Everything of one trial."""
    counts = ", ".join(f"{name} {number:,}" for name, number in figures.counts.items())
    lines = [
        f"{attack.name} ({attack.number}): {verdict(found).strip('*')}",
        f"    memory +{figures.peak:.1f}, left {figures.left:+.1f} MB; innocent p50 {figures.p50_before:.1f} -> {figures.p50:.1f}, "
        f"p99 {figures.p99_before:.1f} -> {figures.p99:.1f}, longest {figures.longest_before:.0f} -> {figures.longest:.0f} ms, "
        f"{figures.answers} answers; log {figures.log:,.1f} kB; {figures.events:,} events of {figures.events_size:,.0f} kB; "
        f"Redis {figures.redis:+.2f} MB; load {figures.load:.1f}",
        f"    the attacker: {counts or 'did nothing'}",
        *(f"    {'missed' if each.missed else 'nearly'}: {each.text}" for each in found),
    ]
    return "\n".join(lines)


def table(results: Results) -> str:
    """A row for each attack."""
    rows = []
    for name, (figures, found) in results.items():
        attack = ATTACKS[name]
        rows.append((
            name, attack.number, attack.how, f"{max(0.0, figures.peak):,.1f} / {max(0.0, figures.left):,.1f}",
            f"{tables.number(figures.p50_before)} → {tables.number(figures.p50)}", f"{tables.number(figures.p99_before)} → {tables.number(figures.p99)}",
            tables.number(figures.longest), tables.number(figures.log), f"{figures.events:,}", tables.number(figures.events_size / 1000),
            f"{max(0.0, figures.redis):.2f}", verdict(found), ", ".join(tables.number(each) for each in UNBOUNDED.get(name, ())),
        ))  # fmt: skip
    return tables.table(HEAD, rows)


def summary(results: Results) -> str:
    """How many held, and what was missed."""
    verdicts = Counter(verdict(found).strip("*") for _, found in results.values())
    lines = [", ".join(f"{number} {word}" for word, number in verdicts.most_common()) + f". {tables.machine()}"]
    missed = {name: [each.text for each in found if each.missed] for name, (_, found) in results.items() if verdict(found) == MISSED}
    lines += ["Missed:", *(f"- {name}: {'; '.join(texts)}" for name, texts in missed.items())] if missed else []
    return "\n".join([lines[0], *([""] if missed else []), *lines[1:]])
