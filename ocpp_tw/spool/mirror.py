"""A copy on the disk of what Redis has in the tables of this gateway's chargers, for a gateway that starts without a Redis.

Not synced: a crash of the process loses nothing of it, a power cut may. A damaged file is begun anew; what a full disk does not take stays
in memory until it does.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .changes import Changes, decode, encode
from .database import Connect, connect, files_of

MAX_UNWRITTEN = 100_000
"""Most tables whose changes are kept in memory while the disk takes none; beyond that the oldest are dropped."""

EMPTY = encode({})


class Mirror:
    """It blocks, and so is used in a thread.

    The file has a table as it was read as a whole in one row of ``whole``, and what was set or deleted (null) after that in ``kept``.
    """

    def __init__(self, directory: Path, connect: Connect = connect) -> None:
        self._path = directory / "mirror.db"
        self._connect = connect
        self._db: sqlite3.Connection | None = None
        self._unwritten = Changes()

    @property
    def is_behind(self) -> bool:
        """Whether there are changes that the disk has not taken."""
        return bool(self._unwritten)

    def apply(self, changes: Changes) -> None:
        """Carry out the changes, and those that the disk has not taken before."""
        changes.resolve(self.table)
        self._unwritten.add(changes)
        try:
            db = self._opened()
            # One statement for all of a kind, in the order of the file: each of its pages is then written once.
            whole = sorted(self._unwritten.contents.items())
            last = sorted((table, name, value) for table, fields in self._unwritten.fields.items() for name, value in fields.items())
            deleted = [(table, name) for table, name, value in last if value is None]
            db.execute("BEGIN")
            db.executemany("DELETE FROM kept WHERE shelf = ?", [(table,) for table, _ in whole])
            db.executemany("DELETE FROM whole WHERE shelf = ?", [(table,) for table, content in whole if content == EMPTY])
            db.executemany("INSERT OR REPLACE INTO whole VALUES (?, ?)", [each for each in whole if each[1] != EMPTY])
            db.executemany("DELETE FROM kept WHERE shelf = ? AND name = ?", deleted)
            # or what was deleted would be there again as it was read before
            db.executemany("INSERT INTO kept SELECT shelf, ?2, NULL FROM whole WHERE shelf = ?1", deleted)
            db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", [each for each in last if each[2] is not None])
            db.execute("COMMIT")
            self._unwritten = Changes()
        except sqlite3.DatabaseError as why:
            self._unwritten.drop(MAX_UNWRITTEN)
            self._recover(why)

    def table(self, key: bytes) -> dict[bytes, bytes]:
        """The fields of the table of that key."""
        found: dict[bytes, bytes] = {}
        try:
            db = self._opened()
            for (content,) in db.execute("SELECT content FROM whole WHERE shelf = ?", (key,)):
                found = decode(content)
            found |= dict(db.execute("SELECT name, value FROM kept WHERE shelf = ?", (key,)))
        except sqlite3.DatabaseError as why:
            self._recover(why)
        return self._unwritten.applied(key, found)

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
                db.execute("CREATE TABLE IF NOT EXISTS whole (shelf BLOB PRIMARY KEY, content BLOB) WITHOUT ROWID")
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
