"""A disk under SQLite that a test can make fail."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any


class FaultyDisk:
    """`connect` is what a spool takes as its own. While it is ``full`` no statement works; ``lose_sync``: the next commit is not synced."""

    def __init__(self) -> None:
        self.full = False
        self.lose_sync = False

    def connect(self, path: Path) -> sqlite3.Connection:
        if self.full:
            raise fault("database or disk is full", sqlite3.SQLITE_FULL)
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
                if disk.full:
                    raise fault("database or disk is full", sqlite3.SQLITE_FULL)
                if disk.lose_sync and statement == "COMMIT":
                    disk.lose_sync = False
                    raise fault("disk I/O error", sqlite3.SQLITE_IOERR_FSYNC)
                return super().execute(statement, *args)

        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)


def fault(text: str, code: int) -> sqlite3.OperationalError:
    """An error as SQLite raises it."""
    why = sqlite3.OperationalError(text)
    why.sqlite_errorcode = code
    return why
