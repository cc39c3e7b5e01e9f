"""What the fleet's memory has of this gateway's chargers, once more on the disk: for the ledgers of a gateway that starts without a Redis.

It is not synced: a crash of the process loses nothing of it, a power cut may. A damaged file is begun anew; what a full disk does not take is
kept in memory until it does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from .file import Kept, parts

MAX_OWED = 100_000
"""How much is kept in memory at most; beyond that the oldest is let go."""


class Mirror:
    """It blocks, and so is used in a thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "mirror.db"
        self._db: sqlite3.Connection | None = None
        self._owed: list[Kept] = []

    @property
    def owes(self) -> bool:
        """Whether there is something that the disk has not taken."""
        return bool(self._owed)

    def note(self, kept: Iterable[Kept]) -> None:
        """These are so now."""
        self._owed = [*self._owed[-MAX_OWED:], *kept] if self._owed else list(kept)
        try:
            db = self._opened()
            # One statement for all of a kind, in the order of the file: each of its pages is then written once.
            last = sorted({(shelf, name): value for shelf, name, value in self._owed}.items())
            db.execute("BEGIN")
            db.executemany("DELETE FROM kept WHERE shelf = ? AND name = ?", [each for each, value in last if value is None])
            db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", [(*each, value) for each, value in last if value is not None])
            db.execute("COMMIT")
            self._owed = []
        except sqlite3.DatabaseError as why:
            self._recover(why)

    def kept(self, shelf: bytes) -> dict[bytes, bytes]:
        """All that is on the shelf."""
        found: dict[bytes, bytes | None] = {}
        try:
            found = dict(self._opened().execute("SELECT name, value FROM kept WHERE shelf = ?", (shelf,)))
        except sqlite3.DatabaseError as why:
            self._recover(why)
        found |= {name: value for key, name, value in self._owed if key == shelf}
        return {name: value for name, value in found.items() if value is not None}

    def close(self) -> None:
        """Leave it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
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
        """A transaction that was cut short is taken back with the connection; a damaged file goes altogether."""
        self.close()
        if why.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            for part in parts(self._path):
                part.unlink(missing_ok=True)
