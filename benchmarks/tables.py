"""Figures as Markdown tables that are also readable in a terminal, and a description of the machine."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ocpp_tw.ocpp.compiled import IS_USED, WHY_NOT


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to equal width, all but the first aligned right."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join([first.strip().ljust(widths[0]), *others])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(header), f"| {' | '.join(rule)} |", *map(line, rows)])


def number(value: float | None) -> str:
    """Three significant digits; a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine() -> str:
    """The machine and the versions of the packages, in one paragraph."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    packages = ("Twisted", "autobahn", "txredisapi", "msgspec", "jsonschema-rs", "websockets", "ocpp", "valkey", "uvloop", "libvalkey")
    versions = []
    for name in packages:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"no {name}")
    built = "compiled modules" if IS_USED else f"no compiled modules ({WHY_NOT})"
    load = Path("/proc/loadavg").read_text().split()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {len(os.sched_getaffinity(0))} cores of {model[1] if model else platform.machine()}, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}, {', '.join(versions)}; {built}; load before the run {load}."
    )


def write(path: Path, text: str, name: str = "bench") -> None:
    """Replace the last run's result in the document, between the markers of that name."""
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- {name} end -->)", re.DOTALL)
    before = path.read_text()
    if not marked.search(before):
        raise SystemExit(f"{path} has no place for the result: a line <!-- {name} --> and a line <!-- {name} end -->")
    path.write_text(marked.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", before))
