"""What is told of a run: the table of faults, the violations, and, after a failure, everything that was recorded.

Knows nothing of how any of it came about.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from chaos.evidence import COLUMNS, Findings
from chaos.faults import FAULTS
from chaos.house import House
from chaos.schedule import Schedule

ROOT = Path(__file__).parents[2]


def rows(house: House, schedule: Schedule, findings: Findings) -> list[tuple[str, str, str, str, str]]:
    """Fault, number, how, how often, what was found while it held or soon after."""
    blamed: dict[str, Counter[str]] = {}
    for violation in findings.violations:
        for planned in schedule.during(violation.at):
            blamed.setdefault(planned.fault.name, Counter())[violation.column] += 1
    often = Counter(planned.fault.name for planned in schedule.all if planned.healed)
    table = []
    for each in FAULTS.values():
        skipped = each.needs(house)
        found = ", ".join(f"{number} {column}" for column, number in blamed.get(each.name, Counter()).items()) or "nothing"
        if not often[each.name]:
            found = f"not injected: {skipped or 'not asked for'}"
        table.append((each.name, each.number, each.how, str(often[each.name]), found))
    return table


def totals(plan: str, schedule: Schedule, findings: Findings) -> str:
    """One line that says it all."""
    injected = sum(bool(each.healed) for each in schedule.all)
    counts = findings.counts
    checked = (
        f"{counts['messages']} messages ({counts['acknowledged']} acknowledged, sent again {counts['sent again']} times), "
        f"{counts['events']} events, {counts['commands']} commands ({counts['executed']} executed)"
    )
    return f"{plan}: {injected} faults; {checked}. " + ", ".join(f"{each} {findings.column(each)}" for each in COLUMNS) + "."


def markdown(table: list[tuple[str, str, str, str, str]], *below: str) -> str:
    """The table as it stands in docs/operations.md, with lines below it."""
    lines = ["| fault | number | injected by | times | found |", "| --- | --- | --- | --- | --- |"]
    lines += ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([*lines, *(f"\n{line}" for line in below)])


def into(document: Path, text: str) -> None:
    """Put it between the document's markers."""
    old = document.read_text()
    new, number = re.subn(r"(<!-- chaos -->\n).*?(<!-- chaos end -->)", lambda match: f"{match[1]}{text}\n{match[2]}", old, flags=re.DOTALL)
    assert number == 1, f"{document} has no place for it, between <!-- chaos --> and <!-- chaos end -->"
    document.write_text(new)


def plain(table: list[tuple[str, str, str, str, str]]) -> str:
    """The table for a terminal, without what was not asked for."""
    table = [row for row in table if not row[4].endswith("not asked for")]
    head = ("fault", "number", "injected by", "times", "found")
    widths = [max(len(row[place]) for row in (head, *table)) for place in range(5)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *table))


def violations(schedule: Schedule, findings: Findings, most: int = 20) -> str:
    """Each violation with what was said before and after it, and the faults that held then."""
    told = []
    for number, each in enumerate(findings.violations[:most], 1):
        faults = [f"    {planned}" for planned in schedule.during(each.at)]
        told.append("\n".join([f"{number}. {each.column} at {each.at:.2f} s: {each.text}", *each.around, "  faults about then:", *faults]))
    if len(findings.violations) > most:
        told.append(f"… and {len(findings.violations) - most} more")
    return "\n\n".join(told)


def dump(where: Path, house: House, schedule: Schedule, findings: Findings, line: str) -> None:
    """Everything that was recorded, for whoever looks for the cause."""
    where.mkdir(parents=True, exist_ok=True)
    (where / "summary.txt").write_text(line + "\n\n" + violations(schedule, findings, most=10_000) + "\n")
    (where / "schedule.txt").write_text("\n".join(map(str, schedule.all)) + "\n")
    with (where / "events.jsonl").open("wb") as file:
        file.writelines(each + b"\n" for each in house.reader.events)
    ledger = house.ledger
    for name, things in (
        ("messages", ledger.messages),
        ("executions", ledger.executions),
        ("pushes", ledger.pushes),
        ("asked", ledger.asked),
    ):
        with (where / f"{name}.jsonl").open("w") as file:
            file.writelines(json.dumps(asdict(each)) + "\n" for each in things)
    shutil.copy(house.gateway.log, where / "gateway.log")
    shutil.copy(house.valkey.directory / "log", where / "valkey.log")
