"""A damaged spool file is replaced: its intact rows go to a new file, and the damaged one is put aside for a person to look at.

Knows no connection to the file in use; `SpoolFile` closes that one in between.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .database import PAGE_SIZE, files_of, in_transaction, insert
from .rows import Row, UpdatesOf, is_intact
from .salvage import salvaged


class Damage(NamedTuple):
    """What was wrong with a file: how many groups were saved, which ids were lost, and where the damaged file is now."""

    saved: int
    lost: list[int]
    aside: Path


def intact_rows(path: Path) -> tuple[list[Row], list[int]]:
    """The intact rows of a file in their order, read without SQLite; and the ids of all that were found, damaged ones too."""
    rows = list(salvaged(path, PAGE_SIZE))
    found = {id: values for id, values in rows if is_intact(id, values)}
    return [Row(id, *values[:5]) for id, values in sorted(found.items())], [id for id, _ in rows]


def rebuild(path: Path, fresh: Path, open_new: Callable[[Path], sqlite3.Connection], updates_of: UpdatesOf) -> tuple[int, list[int]]:
    """Write the intact rows of ``path`` to a new file; how many there are, and the ids of those that are lost."""
    rows, seen = intact_rows(path)
    for each in fresh.parent.glob(f"{fresh.name}*"):
        each.unlink()
    db = open_new(fresh)

    def insert_all() -> None:
        for row in rows:
            insert(db, row.id, row[1:], updates_of(*row[3:]))

    try:
        in_transaction(db, insert_all)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()
    ids = {row.id for row in rows}
    between = range(rows[0].id, rows[-1].id + 1) if rows else ()
    return len(rows), sorted({*between, *seen} - ids)


def put_aside(path: Path) -> Path:
    """Rename the files of the database; their new name."""
    stamp, n = time.strftime("%Y%m%dT%H%M%S", time.gmtime()), 0
    while (aside := path.with_name(f"damaged-{stamp}-{n}.db")).exists():
        n += 1
    for part, name in zip(files_of(path), files_of(aside), strict=True):
        if part.exists():
            part.rename(name)
    return aside
