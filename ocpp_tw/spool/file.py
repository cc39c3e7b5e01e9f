"""The spool's file: rows are appended, read in order and deleted; an append returns when the row is synced to the disk.

It blocks, and so is used in a thread. Knows neither what a group says nor who reads it.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .database import (
    PAGE_SIZE,
    Connect,
    Damaged,
    connect,
    files_of,
    in_transaction,
    insert,
    is_damage,
    is_forbidden,
    make_private,
    next_id,
    open_database,
)
from .renewal import Damage, intact_rows, put_aside, rebuild
from .rows import FieldUpdate, Row, UpdatesOf, is_intact
from .salvage import log_is_sound

SHRINK_ABOVE = 16 << 20
"""Bytes of an empty file; one that is larger gives its space back."""

MAX_READ_BYTES = 8 << 20
"""Most bytes that one read gives, unless a single row has more."""


class SpoolUnusable(Exception):
    """The directory cannot hold a spool; the text says why and what to do."""


class SpoolFile:
    """``updates_of`` decodes the table updates that a group makes. ``limit`` is in bytes; ``connect`` is how SQLite opens a file.

    Every method but `open` may raise `sqlite3.Error`; nothing of what it was asked is done then.
    ``path`` is the file's; ``trouble`` is why it could not be opened; "" when it is open. Until it can be, its rows are read without SQLite (`salvage`).
    """

    def __init__(self, directory: Path, updates_of: UpdatesOf, limit: int, connect: Connect = connect) -> None:
        self.trouble = ""
        self._directory = directory
        self._updates_of = updates_of
        self._limit = limit
        self._connect = connect
        self.path = directory / "spool.db"
        self._fresh = directory / "fresh.db"
        self._lock: IO[bytes] | None = None
        self._db: sqlite3.Connection | None = None
        self._salvaged: list[Row] = []
        self._last = 0  # the latest id given: ids count up, also when the file is begun anew, since readers remember how far they are

    def open(self) -> tuple[int, int, Damage | None]:
        """How many groups and events are in it, and the damage if there is any. Raises `SpoolUnusable`."""
        self._take_lock()
        if self._fresh.exists() and not self.path.exists():
            self._fresh.rename(self.path)  # a renewal was cut short before its last step
        try:
            damage = None if self._open_database() else self.renew()
        except sqlite3.DatabaseError as why:
            if is_forbidden(why):
                raise SpoolUnusable(f"{self.path} cannot be opened: {why}; see that it can be read and written to") from None
            # The disk is full, say. SQLite would have to write to read; the rows are read without it until there is room.
            self.trouble = str(why)
            self._salvaged, _ = intact_rows(self.path)
            return len(self._salvaged), sum([each.events for each in self._salvaged]), None
        return *self.count(), damage

    def _take_lock(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self._directory / "lock").open("ab")
            make_private(self._directory)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolUnusable(f"{self._directory} is the spool of another gateway that runs; give each its own") from None
        except OSError as why:
            raise SpoolUnusable(f"{self._directory} cannot be used: {why.strerror}; name a directory that can be written to") from None

    def _open_database(self) -> bool:
        """Open the file; whether it is sound."""
        if not log_is_sound(self.path, PAGE_SIZE):
            return False
        try:
            self._db = db = self._database(self.path)
            return bool(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except UnicodeDecodeError:  # SQLite's message about the damage may quote it
            return False
        except sqlite3.DatabaseError as why:
            if not is_damage(why):
                raise
            return False

    def _database(self, path: Path) -> sqlite3.Connection:
        return open_database(path, self._limit, self._connect)

    def _opened(self) -> sqlite3.Connection:
        """The connection to the file, which is opened now if it could not be before."""
        if self.trouble:
            if not self._open_database():
                self.renew()
            self.trouble = ""
            self._salvaged = []
        assert self._db is not None
        return self._db

    def renew(self) -> Damage:
        """Put the file aside, and begin a new one with every row that can be read and is intact."""
        saved, lost = rebuild(self.path, self._fresh, self._database, self._updates_of)
        self._close_database()
        aside = put_aside(self.path)
        self._fresh.rename(self.path)
        self._db = self._database(self.path)
        return Damage(saved, lost, aside)

    def count(self) -> tuple[int, int]:
        """How many groups and events are in it."""
        groups, events = self._opened().execute("SELECT count(*), coalesce(sum(events), 0) FROM groups").fetchone()
        return groups, events

    def append(self, incarnation: str, number: int, events: int, arguments: int, data: bytes) -> int:
        """Add a group; its id. When this returns it is on the disk."""
        db = self._opened()

        def work() -> int:
            id = max(next_id(db), self._last + 1)
            insert(db, id, (incarnation, number, events, arguments, data), self._updates_of(events, arguments, data))
            return id

        self._last = in_transaction(db, work)
        return self._last

    def read(self, after: int, max_events: int) -> list[Row]:
        """The groups behind that id, of one incarnation, with `MAX_READ_BYTES` and that many events together (or one). Raises `Damaged`."""
        rows: list[Row] = []
        events = size = 0
        for row in self._behind(after):
            events, size = events + row.events, size + len(row.data)
            if rows and (row.incarnation != rows[0].incarnation or events > max_events or size > MAX_READ_BYTES):
                break
            rows.append(row)
        return rows

    def _behind(self, after: int) -> Iterator[Row]:
        try:
            db = self._opened()
        except sqlite3.DatabaseError:
            yield from (each for each in self._salvaged if each.id > after)
            return
        for id, *values in db.execute("SELECT * FROM groups WHERE id > ? ORDER BY id", (after,)):
            if not is_intact(id, values):
                raise Damaged(f"group {id} is not what was written")
            yield Row(id, *values[:5])

    def delete(self, upto: int) -> None:
        """Delete the groups up to that id: Redis has them."""
        db = self._opened()

        def work() -> None:
            db.execute("DELETE FROM groups WHERE id <= ?", (upto,))
            db.execute("DELETE FROM kept WHERE row <= ?", (upto,))

        in_transaction(db, work)
        if not db.execute("SELECT 1 FROM groups LIMIT 1").fetchone() and self.path.stat().st_size > SHRINK_ABOVE:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clear(self, upto: int) -> None:
        """`delete` when nothing is behind that id; where there is no room even for that, the file itself is deleted."""
        try:
            self.delete(upto)
        except sqlite3.DatabaseError as why:
            if any(True for _ in self.read(upto, 1)):
                raise
            self._close_database()
            for part in files_of(self.path):
                part.unlink(missing_ok=True)
            self._last = max(self._last, upto)
            self.trouble, self._salvaged = str(why), []

    def pending(self, table: bytes) -> list[FieldUpdate]:
        """What the groups will do to the table, in order."""
        try:
            return list(self._opened().execute("SELECT name, value FROM kept WHERE shelf = ? ORDER BY rowid", (table,)))
        except sqlite3.DatabaseError:
            updates = (each for row in self._salvaged for each in self._updates_of(row.events, row.arguments, row.data))
            return [(name, value) for key, name, value in updates if key == table]

    def reserve(self) -> tuple[int, int] | None:
        """The transaction ids put by: the first, and how many."""
        try:
            found: tuple[int, int] | None = self._opened().execute("SELECT first, count FROM reserve").fetchone()
        except sqlite3.DatabaseError:
            return None
        return found

    def put_by(self, ids: tuple[int, int] | None) -> None:
        """Put ids by in place of those that are; None: those are in use from now on."""
        db = self._opened()

        def work() -> None:
            db.execute("DELETE FROM reserve")
            if ids is not None:
                db.execute("INSERT INTO reserve VALUES (?, ?)", ids)

        in_transaction(db, work)

    def close(self) -> None:
        """Close it; another process may have it."""
        self._close_database()
        if self._lock is not None:
            self._lock.close()

    def _close_database(self) -> None:
        if self._db is not None:
            self._db.close()
