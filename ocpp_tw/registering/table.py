"""Reads a CSV file with chargers to register, and finds all that is wrong with it before anything is sent.

Knows no HTTP. No error quotes a password.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from ..core import passwords
from ..core.passwords import Passwords
from ..operators.decision_reader import GENERATE, BadDecision, DecisionReader

COLUMNS = ("id", "password", "security_profile", "certificate", "boot_status", "version")

VERSIONS = ("1.6", "2.0.1", "2.1")
"""Those that a gateway may speak; whether this one does, it says itself."""

MAX_ID = 255
"""Longest identity, in characters, that any gateway takes (--max-identity)."""

MAX_ROWS = 1_000_000
"""Most chargers of a file; with more it is refused."""


class Row(NamedTuple):
    """One charger: the number of its line, its identity, what is to be decided, and whether the password was made here."""

    line: int
    id: str
    decision: dict[str, Any]
    generated: bool


class WrongFile(Exception):
    """The file cannot be used; ``faults`` has a text for each line that is wrong."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults[:3]))
        self.faults = faults


def read(file: Path) -> list[Row]:
    """The chargers in the file; passwords that are to be generated are generated here, so that a PUT may be repeated.

    Raises:
        WrongFile: any line is wrong.
    """
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongFile("it is not UTF-8") from None
    except OSError as why:
        raise WrongFile(f"it cannot be read: {why.strerror}") from None
    first = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first and "," not in first else ",", strict=True)
    rows: list[Row] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    try:
        names = [each.strip().lower() for each in next(lines, [])]
        _check_header(names)
        for number, cells in _filled(lines):
            try:
                row = _row(number, names, cells)
            except BadDecision as why:
                faults.append(f"line {number}: {why}")
                continue
            if row.id.casefold() in seen:
                faults.append(f"line {number}: {row.id} is in line {seen[row.id.casefold()]} already; 2.x tells no letter case apart")
            seen.setdefault(row.id.casefold(), number)
            rows.append(row)
            if len(rows) > MAX_ROWS:
                raise WrongFile(f"it has more than {MAX_ROWS} chargers")
    except csv.Error as why:
        faults.append(f"line {lines.line_num}: it is not CSV ({why})")
    if not rows and not faults:
        faults.append("it has no chargers")
    if faults:
        raise WrongFile(*faults)
    return rows


def _filled(lines: Any) -> Iterator[tuple[int, list[str]]]:
    for cells in lines:
        if any(each.strip() for each in cells):
            yield lines.line_num, [each.strip() for each in cells]


def _check_header(names: list[str]) -> None:
    unknown = [repr(each[:30]) for each in names if each not in COLUMNS]
    if unknown or "id" not in names:
        said = f"unknown columns: {', '.join(unknown)}" if unknown else "no column id"
        raise WrongFile(f"line 1 must name the columns: id, and any of {', '.join(COLUMNS[1:])} ({said})")
    if len(set(names)) < len(names):
        raise WrongFile("line 1 names a column twice")


def _row(number: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) != len(names):
        raise BadDecision(f"it has {len(cells)} cells, and line 1 has {len(names)}")
    said: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    id = said.pop("id", "")
    if not id or len(id) > MAX_ID or not id.isprintable() or "/" in id or id in (".", ".."):
        raise BadDecision(f"no charger can have this identity: it must be 1 to {MAX_ID} printable characters without /")
    if said.get("security_profile", "").isdecimal():
        said["security_profile"] = int(said["security_profile"])
    DecisionReader(VERSIONS, cast(Passwords, None)).check(json.dumps(said).encode())
    generated = said.get("password") == GENERATE
    if generated:
        said["password"] = passwords.generate()
    return Row(number, id, said, generated)
