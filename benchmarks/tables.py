"""Figures as Markdown that also reads well in a terminal, and what machine they are of."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

BETWEEN = re.compile(r"(<!-- bench -->\n).*?(<!-- bench end -->)", re.DOTALL)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, all but the first to the right."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join([first.strip().ljust(widths[0]), *others])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), f"| {' | '.join(rule)} |", *map(line, rows)])


def number(value: float | None) -> str:
    """Three digits that count; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine() -> str:
    """What was measured, and on what, in one paragraph."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    packages = ("Twisted", "autobahn", "txredisapi", "msgspec", "jsonschema-rs", "websockets", "ocpp", "valkey", "uvloop", "libvalkey")
    found = []
    for name in packages:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    load = Path("/proc/loadavg").read_text().split()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {len(os.sched_getaffinity(0))} cores of {model[1] if model else platform.machine()}, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, {', '.join(found)}; load before the run {load}."
    )


def write(path: Path, text: str) -> None:
    """Put the text where the document has the last run's."""
    before = path.read_text()
    if not BETWEEN.search(before):
        raise SystemExit(f"{path} has no place for it: a line <!-- bench --> and a line <!-- bench end -->")
    path.write_text(BETWEEN.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", before))
