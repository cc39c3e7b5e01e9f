"""The SQLite database of the spool: how it is opened, what its errors mean, and how a row gets into it.

Knows neither when rows are written nor who reads them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .rows import TableUpdate, checksum

PAGE_SIZE = 4096
"""Bytes of a page of the file."""

DISTRUST = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
"""Errors after which nothing may be written to the file any more: after a failed fsync the kernel forgets what was not written."""

FORBIDDEN = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
NO_ROOM = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_TRUNCATE)
NOT_DAMAGE = (*FORBIDDEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)
"""Errors that say nothing against what is in the file."""

FILES = ("lock", "*.db", "*.db-wal", "*.db-shm", "mirror.log", "mirror.old")
"""The files of a spool."""

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

Connect = Callable[[Path], sqlite3.Connection]
"""How a database is connected to; a test injects faults here."""


class Damaged(sqlite3.DatabaseError):
    """A row is not what was written."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that another thread may use, with transactions as they are asked for. A new file is this user's only."""
    with suppress(OSError):  # SQLite says better what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # the files beside it get its mode
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def make_private(directory: Path) -> None:
    """Let nobody but its owner into the directory and its files, which have tags and chargers' keys; somebody else's stays as it is."""
    for each in (directory, *(file for pattern in FILES for file in directory.glob(pattern))):
        with suppress(OSError):
            each.chmod(0o700 if each is directory else 0o600)


def open_database(path: Path, limit: int, connect: Connect) -> sqlite3.Connection:
    """Open the spool's database, made if need be; ``limit`` is in bytes. A commit returns when it is synced."""
    db = connect(path)
    db.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        db.execute(f"PRAGMA page_size={PAGE_SIZE}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA secure_delete=ON")  # a deleted row cannot come back when the file is salvaged
        db.execute("PRAGMA wal_autocheckpoint=250")
        db.execute("PRAGMA journal_size_limit=1048576")
        db.execute(f"PRAGMA max_page_count={max(1, limit // PAGE_SIZE)}")
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        for table in ("groups", "kept", "reserve"):
            db.execute(f"SELECT * FROM {table} LIMIT 0")  # noqa: S608  # the names are these three
    except BaseException:
        db.close()
        raise
    return db


def files_of(path: Path) -> list[Path]:
    """The files that are one database, the one that names it last."""
    return [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "")]


def in_transaction(db: sqlite3.Connection, work: Callable[[], Any]) -> Any:
    """Do the work, all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return result


def next_id(db: sqlite3.Connection) -> int:
    """One more than any id that was given in this file."""
    id: int = db.execute(_NEXT).fetchone()[0]
    return id


def insert(db: sqlite3.Connection, id: int, group: tuple[Any, ...], updates: Iterable[TableUpdate]) -> None:
    """Add a row with its checksum, and the table updates that it makes."""
    incarnation, number, _, _, data = group
    db.execute("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?)", (id, *group, checksum(id, incarnation, number, data)))
    db.executemany("INSERT INTO kept VALUES (?, ?, ?, ?)", [(id, *each) for each in updates])


def cannot_be_trusted(why: sqlite3.Error) -> bool:
    """Whether nothing may be written to the file any more."""
    code = getattr(why, "sqlite_errorcode", 0)
    return isinstance(why, Damaged) or code in DISTRUST or code & 0xFF in DISTRUST


def is_damage(why: sqlite3.DatabaseError) -> bool:
    """Whether an error at opening is about what is in the file: not about permissions or room."""
    return why.sqlite_errorcode & 0xFF not in NOT_DAMAGE and why.sqlite_errorcode not in NO_ROOM


def is_forbidden(why: sqlite3.DatabaseError) -> bool:
    """Whether the file may not be opened or written."""
    return why.sqlite_errorcode & 0xFF in FORBIDDEN
