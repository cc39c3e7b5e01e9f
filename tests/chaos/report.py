"""The report on a run: the table of faults, the violations, and, after a failure, everything that was recorded.

Knows nothing of how faults are injected and violations found.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from chaos.faults import FAULTS
from chaos.findings import COLUMNS, Findings
from chaos.schedule import Schedule
from chaos.system_under_test import SystemUnderTest

ROOT = Path(__file__).parents[2]


def rows(system: SystemUnderTest, schedule: Schedule, findings: Findings) -> list[tuple[str, str, str, str, str]]:
    """Fault, number, method, how often, and the violations found while it was active or soon after."""
    blamed: dict[str, Counter[str]] = {}
    for violation in findings.violations:
        for planned in schedule.during(violation.at):
            blamed.setdefault(planned.fault.name, Counter())[violation.column] += 1
    often = Counter(planned.fault.name for planned in schedule.all if planned.healed)
    table = []
    for each in FAULTS.values():
        skipped = each.obstacle(system)
        found = ", ".join(f"{number} {column}" for column, number in blamed.get(each.name, Counter()).items()) or "nothing"
        if not often[each.name]:
            found = f"not injected: {skipped or 'not selected'}"
        table.append((each.name, each.number, each.how, str(often[each.name]), found))
    return table


def totals(plan: str, schedule: Schedule, findings: Findings) -> str:
    """The totals in one line."""
    injected = sum(bool(each.healed) for each in schedule.all)
    counts = findings.counts
    checked = (
        f"{counts['messages']} messages ({counts['acknowledged']} acknowledged, sent again {counts['sent again']} times), "
        f"{counts['events']} events, {counts['commands']} commands ({counts['executed']} executed)"
    )
    return f"{plan}: {injected} faults; {checked}. " + ", ".join(f"{each} {findings.column(each)}" for each in COLUMNS) + "."


def markdown(table: list[tuple[str, str, str, str, str]], *below: str) -> str:
    """The table as in docs/operations.md, with lines below it."""
    lines = ["| fault | number | injected by | times | found |", "| --- | --- | --- | --- | --- |"]
    lines += ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([*lines, *(f"\n{line}" for line in below)])


def write_into(document: Path, text: str) -> None:
    """Write it between the document's markers."""
    old = document.read_text()
    new, number = re.subn(r"(<!-- chaos -->\n).*?(<!-- chaos end -->)", lambda match: f"{match[1]}{text}\n{match[2]}", old, flags=re.DOTALL)
    assert number == 1, f"{document} has no place for the table, between <!-- chaos --> and <!-- chaos end -->"
    document.write_text(new)


def plain(table: list[tuple[str, str, str, str, str]]) -> str:
    """The table for a terminal, without the faults that were not selected."""
    table = [row for row in table if not row[4].endswith("not selected")]
    head = ("fault", "number", "injected by", "times", "found")
    widths = [max(len(row[place]) for row in (head, *table)) for place in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *table))


def violations(schedule: Schedule, findings: Findings, most: int = 20) -> str:
    """Each violation with the events before and after it, and the faults active at the time."""
    paragraphs = []
    for number, each in enumerate(findings.violations[:most], 1):
        faults = [f"    {planned}" for planned in schedule.during(each.at)]
        heading = f"{number}. {each.column} at {each.at:.2f} s: {each.text}"
        paragraphs.append("\n".join([heading, *each.around, "  active faults:", *faults]))
    if len(findings.violations) > most:
        paragraphs.append(f"… and {len(findings.violations) - most} more")
    return "\n\n".join(paragraphs)


def dump(directory: Path, system: SystemUnderTest, schedule: Schedule, findings: Findings, line: str) -> None:
    """Write everything that was recorded to a directory, for finding the cause."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "summary.txt").write_text(line + "\n\n" + violations(schedule, findings, most=10_000) + "\n")
    (directory / "schedule.txt").write_text("\n".join(map(str, schedule.all)) + "\n")
    with (directory / "events.jsonl").open("wb") as file:
        file.writelines(each + b"\n" for each in system.reader.events)
    ledger = system.ledger
    for name, things in (
        ("messages", ledger.messages),
        ("executions", ledger.executions),
        ("pushes", ledger.pushes),
        ("backend_requests", ledger.backend_requests),
    ):
        with (directory / f"{name}.jsonl").open("w") as file:
            file.writelines(json.dumps(asdict(each)) + "\n" for each in things)
    shutil.copy(system.gateway.log, directory / "gateway.log")
    shutil.copy(system.valkey.directory / "log", directory / "valkey.log")
