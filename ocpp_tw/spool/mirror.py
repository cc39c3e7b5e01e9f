"""What the fleet's memory has of this gateway's chargers, once more on the disk: for the ledgers of a gateway that starts without a Redis.

It is not synced: a crash of the process loses nothing of it, a power cut may. A damaged file is begun anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from .file import Kept


class Mirror:
    """It blocks, and so is used in a thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "mirror.db"
        self._db: sqlite3.Connection

    def open(self) -> None:
        """Open it; whatever is the matter with an old one."""
        try:
            self._connect()
        except sqlite3.DatabaseError:
            self._begin_anew()

    def _connect(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS kept (shelf BLOB, name BLOB, value BLOB, PRIMARY KEY (shelf, name)) WITHOUT ROWID")

    def _begin_anew(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._connect()

    def note(self, kept: Iterable[Kept]) -> None:
        """These are so now. What cannot be noted is let go: the fleet's memory has it."""
        try:
            self._db.execute("BEGIN")
            for shelf, name, value in kept:
                if value is None:
                    self._db.execute("DELETE FROM kept WHERE shelf = ? AND name = ?", (shelf, name))
                else:
                    self._db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (shelf, name, value))
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as why:
            self._recover(why)

    def kept(self, shelf: bytes) -> dict[bytes, bytes]:
        """All that is on the shelf."""
        try:
            return dict(self._db.execute("SELECT name, value FROM kept WHERE shelf = ?", (shelf,)))
        except sqlite3.DatabaseError as why:
            self._recover(why)
            return {}

    def close(self) -> None:
        """Leave it."""
        if hasattr(self, "_db"):
            self._db.close()

    def _recover(self, why: sqlite3.DatabaseError) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        if why.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._begin_anew()
