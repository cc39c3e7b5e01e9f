"""A copy on the disk of what Redis has in the tables of this gateway's chargers, for a gateway that starts without a Redis.

Not synced: a crash of the process loses nothing of it, a power cut may. A damaged file is begun anew; what a full disk does not take stays
in memory until it does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from .database import Connect, connect, files_of
from .rows import TableUpdate

MAX_UNWRITTEN = 100_000
"""Most updates kept in memory while the disk takes none; beyond that the oldest are dropped."""


class Mirror:
    """It blocks, and so is used in a thread."""

    def __init__(self, directory: Path, connect: Connect = connect) -> None:
        self._path = directory / "mirror.db"
        self._connect = connect
        self._db: sqlite3.Connection | None = None
        self._unwritten: list[TableUpdate] = []

    @property
    def is_behind(self) -> bool:
        """Whether there are updates that the disk has not taken."""
        return bool(self._unwritten)

    def apply(self, updates: Iterable[TableUpdate]) -> None:
        """Carry out the updates, and those that the disk has not taken before."""
        self._unwritten = [*self._unwritten[-MAX_UNWRITTEN:], *updates] if self._unwritten else list(updates)
        try:
            db = self._opened()
            # One statement for all of a kind, in the order of the file: each of its pages is then written once.
            last = sorted({(table, name): value for table, name, value in self._unwritten}.items())
            db.execute("BEGIN")
            db.executemany("DELETE FROM kept WHERE shelf = ? AND name = ?", [each for each, value in last if value is None])
            db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", [(*each, value) for each, value in last if value is not None])
            db.execute("COMMIT")
            self._unwritten = []
        except sqlite3.DatabaseError as why:
            self._recover(why)

    def table(self, key: bytes) -> dict[bytes, bytes]:
        """The fields of the table of that key."""
        found: dict[bytes, bytes | None] = {}
        try:
            found = dict(self._opened().execute("SELECT name, value FROM kept WHERE shelf = ?", (key,)))
        except sqlite3.DatabaseError as why:
            self._recover(why)
        found |= {name: value for table, name, value in self._unwritten if table == key}
        return {name: value for name, value in found.items() if value is not None}

    def close(self) -> None:
        """Close the file; it is opened again when it is used again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            db = self._connect(self._path)
            try:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=OFF")
                db.execute("PRAGMA wal_autocheckpoint=64")
                db.execute("PRAGMA journal_size_limit=262144")
                db.execute("CREATE TABLE IF NOT EXISTS kept (shelf BLOB, name BLOB, value BLOB, PRIMARY KEY (shelf, name)) WITHOUT ROWID")
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _recover(self, why: sqlite3.DatabaseError) -> None:
        """Close the file, which rolls back a transaction that was cut short; delete it if it is damaged."""
        self.close()
        if why.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            for part in files_of(self._path):
                part.unlink(missing_ok=True)
