"""The spool's file: groups of entries in SQLite, each synced to the disk before anybody is told that it is there.

It blocks, and so is used in a thread. Knows neither what a group says nor who reads it.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from .salvage import log_is_sound, salvaged

PAGE = 4096
"""Bytes of a page of the file."""

SHRINK = 16 << 20
"""An empty file that is larger than this gives its space back."""

DISTRUST = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
"""Errors after which nothing may be written to the file any more: after a failed fsync the kernel forgets what was not written."""

FORBIDDEN = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
NO_ROOM = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_TRUNCATE)
NOT_DAMAGE = (*FORBIDDEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
"""Errors that say nothing against what is in the file."""

_SCHEMA = """
CREATE TABLE groups (id INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT, number INTEGER, events INTEGER, arguments INTEGER, data BLOB, sum INTEGER);
CREATE TABLE kept (row INTEGER, shelf BLOB, name BLOB, value BLOB);
CREATE INDEX kept_by_shelf ON kept (shelf);
CREATE INDEX kept_by_row ON kept (row);
CREATE TABLE reserve (first INTEGER, count INTEGER);
"""


_NEXT = """
SELECT 1 + max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'groups'), 0), coalesce((SELECT max(id) FROM groups), 0))
"""


class Row(NamedTuple):
    """One group as it lies in the file; ``id`` counts up over the life of the file."""

    id: int
    boot: str
    number: int
    events: int
    arguments: int
    data: bytes


Kept = tuple[bytes, bytes, bytes | None]
"""A shelf's key, a name on it, and the value that is there now; None: it was taken off."""


class SpoolUnusable(Exception):
    """The directory cannot hold a spool; the text says why and what to do."""


class Damaged(sqlite3.DatabaseError):
    """A group is not what was written."""


class Damage(NamedTuple):
    """What was wrong with a file: how many groups could be saved, which ids could not, and where the damaged file is now."""

    saved: int
    lost: list[int]
    aside: Path


def parts(path: Path) -> list[Path]:
    """The files that are one database, the one that names it last."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "")]


def checksum(id: int, boot: str, number: int, data: bytes) -> int:
    """What tells a damaged group, be it only its place among the others."""
    return zlib.crc32(data, zlib.crc32(f"{id} {boot} {number}".encode()))


class SpoolFile:
    """``keeps`` tells what a group leaves on shelves, from its numbers of events and arguments and its data. ``limit`` is in bytes.

    Every method but `open` may raise `sqlite3.Error`; nothing of what it was asked is done then.
    """

    def __init__(self, directory: Path, keeps: Callable[[int, int, bytes], Iterable[Kept]], limit: int) -> None:
        self._directory = directory
        self._keeps = keeps
        self._limit = limit
        self._path = directory / "spool.db"
        self._lock: IO[bytes] | None = None
        self._db: sqlite3.Connection
        self._rescued: list[Row] = []
        self._last = 0  # the latest id given: ids count up, also when the file is begun anew, since readers remember how far they are
        self.trouble = ""
        """Why the file could not be opened; "" when it is open."""

    def open(self) -> tuple[int, int, Damage | None]:
        """How many groups and events are in it, and the damage if there is any. Raises `Unusable`."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = (self._directory / "lock").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SpoolUnusable(f"{self._directory} is the spool of another gateway that runs; give each its own") from None
        except OSError as why:
            raise SpoolUnusable(f"{self._directory} cannot be used: {why.strerror}; name a directory that can be written to") from None
        fresh = self._path.with_name("fresh.db")
        if fresh.exists() and not self._path.exists():
            fresh.rename(self._path)  # a renewal came to its end but for this
        try:
            damage = None if self._opens() else self.renew()
        except sqlite3.DatabaseError as why:
            if why.sqlite_errorcode & 0xFF in FORBIDDEN:
                raise SpoolUnusable(f"{self._path} cannot be opened: {why}; see that it can be read and written to") from None
            self._do_without(why)
            return len(self._rescued), sum([each.events for each in self._rescued]), None
        return *self.count(), damage

    def _do_without(self, why: sqlite3.DatabaseError) -> None:
        """The disk is full, say. What is in the file can be read without SQLite, which would have to write; it is opened when there is room."""
        self.trouble = str(why)
        found = {id: values for id, values in salvaged(self._path, PAGE) if _sound(id, values)}
        self._rescued = [Row(id, *values[:5]) for id, values in sorted(found.items())]

    def _use(self) -> sqlite3.Connection:
        """The file's connection; it is opened now if it could not be before."""
        if self.trouble:
            if not self._opens():
                self.renew()
            self.trouble = ""
            self._rescued = []
        return self._db

    def _opens(self) -> bool:
        """Whether it is a sound file."""
        if not log_is_sound(self._path, PAGE):
            return False
        try:
            self._db = self._connected(self._path)
            return bool(self._db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except UnicodeDecodeError:  # what SQLite says of the damage may quote it
            return False
        except sqlite3.DatabaseError as why:
            if why.sqlite_errorcode & 0xFF in NOT_DAMAGE or why.sqlite_errorcode in NO_ROOM:
                raise
            return False

    def count(self) -> tuple[int, int]:
        """How many groups and events are in it."""
        groups, events = self._use().execute("SELECT count(*), coalesce(sum(events), 0) FROM groups").fetchone()
        return groups, events

    def _connected(self, path: Path) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.text_factory = lambda raw: raw.decode(errors="replace")
        try:
            db.execute(f"PRAGMA page_size={PAGE}")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA secure_delete=ON")  # what is forgotten cannot come back when the file is salvaged
            db.execute("PRAGMA wal_autocheckpoint=250")
            db.execute("PRAGMA journal_size_limit=1048576")
            db.execute(f"PRAGMA max_page_count={max(1, self._limit // PAGE)}")
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
            for table in ("groups", "kept", "reserve"):
                db.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  # the names are these three
        except BaseException:
            db.close()
            raise
        return db

    def renew(self) -> Damage:
        """Put the file aside and begin a new one with all groups that can be read, checked by their sums."""
        rows = list(salvaged(self._path, PAGE))
        found = {id: values for id, values in rows if _sound(id, values)}
        fresh = self._path.with_name("fresh.db")
        for each in self._directory.glob("fresh.db*"):
            each.unlink()
        new = self._connected(fresh)
        try:
            _all_or_nothing(new, lambda: [self._insert(new, tuple(values[:5]), id) for id, values in sorted(found.items())])
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            new.close()
        if hasattr(self, "_db"):
            self._db.close()
        stamp, n = time.strftime("%Y%m%dT%H%M%S", time.gmtime()), 0
        while (aside := self._path.with_name(f"damaged-{stamp}-{n}.db")).exists():
            n += 1
        for part, name in zip(parts(self._path), parts(aside), strict=True):
            if part.exists():
                part.rename(name)
        fresh.rename(self._path)
        self._db = self._connected(self._path)
        between = range(min(found), max(found) + 1) if found else ()
        return Damage(len(found), sorted({*between, *(id for id, _ in rows)} - set(found)), aside)

    def append(self, boot: str, number: int, events: int, arguments: int, data: bytes) -> int:
        """Add a group; its id. When this returns it is on the disk."""
        db = self._use()
        self._last = _all_or_nothing(db, lambda: self._insert(db, (boot, number, events, arguments, data)))
        return self._last

    def _insert(self, db: sqlite3.Connection, group: tuple[Any, ...], id: int | None = None) -> int:
        boot, number, events, arguments, data = group
        place: int = max(db.execute(_NEXT).fetchone()[0], self._last + 1) if id is None else id
        db.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?)", (place, *group, checksum(place, boot, number, data)))
        db.executemany("INSERT INTO kept VALUES (?, ?, ?, ?)", [(place, *each) for each in self._keeps(events, arguments, data)])
        return place

    def read(self, after: int, most: int) -> list[Row]:
        """The groups behind that id, of one run of a gateway, with ``most`` events and 8 MiB together (or one group). Raises `Damaged`."""
        rows: list[Row] = []
        events = size = 0
        for row in self._behind(after):
            events, size = events + row.events, size + len(row.data)
            if rows and (row.boot != rows[0].boot or events > most or size > 8 << 20):
                break
            rows.append(row)
        return rows

    def _behind(self, after: int) -> Iterator[Row]:
        try:
            db = self._use()
        except sqlite3.DatabaseError:
            yield from (each for each in self._rescued if each.id > after)
            return
        for id, *values in db.execute("SELECT * FROM groups WHERE id > ? ORDER BY id", (after,)):
            if not _sound(id, values):
                raise Damaged(f"group {id} is not what was written")
            yield Row(id, *values[:5])

    def forget(self, upto: int) -> None:
        """Remove the groups up to that id: they are where they belong."""
        db = self._use()

        def work() -> None:
            db.execute("DELETE FROM groups WHERE id <= ?", (upto,))
            db.execute("DELETE FROM kept WHERE row <= ?", (upto,))

        _all_or_nothing(db, work)
        if not db.execute("SELECT 1 FROM groups LIMIT 1").fetchone() and self._path.stat().st_size > SHRINK:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clear(self, upto: int) -> None:
        """The same when nothing is behind that id; where there is no room even for that, the file itself goes."""
        try:
            self.forget(upto)
        except sqlite3.DatabaseError as why:
            if any(True for _ in self.read(upto, 1)):
                raise
            if hasattr(self, "_db"):
                self._db.close()
            for part in parts(self._path):
                part.unlink(missing_ok=True)
            self._last = max(self._last, upto)
            self.trouble, self._rescued = str(why), []

    def kept(self, shelf: bytes) -> dict[bytes, bytes | None]:
        """What the groups will have done to the shelf."""
        try:
            return dict(self._use().execute("SELECT name, value FROM kept WHERE shelf = ? ORDER BY rowid", (shelf,)))
        except sqlite3.DatabaseError:
            kept = (found for row in self._rescued for found in self._keeps(row.events, row.arguments, row.data))
            return {name: value for key, name, value in kept if key == shelf}

    def reserve(self) -> tuple[int, int] | None:
        """The ids put by: the first, and how many."""
        try:
            found: tuple[int, int] | None = self._use().execute("SELECT first, count FROM reserve").fetchone()
        except sqlite3.DatabaseError:
            return None
        return found

    def put_by(self, ids: tuple[int, int] | None) -> None:
        """Put ids by in place of those that are; None: they are being used."""
        db = self._use()

        def work() -> None:
            db.execute("DELETE FROM reserve")
            if ids is not None:
                db.execute("INSERT INTO reserve VALUES (?, ?)", ids)

        _all_or_nothing(db, work)

    def close(self) -> None:
        """Let another process have it."""
        if hasattr(self, "_db"):
            self._db.close()
        if self._lock is not None:
            self._lock.close()


def _all_or_nothing(db: sqlite3.Connection, work: Callable[[], Any]) -> Any:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def _sound(id: int, values: Any) -> bool:
    boot, number, events, arguments, data, sum = values
    kinds = isinstance(boot, str) and isinstance(data, bytes) and all(isinstance(each, int) for each in (number, events, arguments, sum))
    return kinds and checksum(id, boot, number, data) == sum
