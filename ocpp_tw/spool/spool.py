"""The spool, from the reactor's thread: groups that wait on the disk for Redis, and the tables that a gateway knows without Redis.

Only this package uses sqlite3. Knows nothing of Redis but that groups are arguments for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .changes import Changes
from .database import Connect, cannot_be_trusted, connect, files_of
from .file import SpoolFile
from .journal import Journal
from .mirror import Mirror
from .renewal import Damage
from .rows import FieldUpdate, Row, TableUpdate, UpdatesOf
from .thread import SerialThread

T = TypeVar("T")


class Spool:
    """A spool in a directory; ``groups`` and ``events`` wait in it, ``trouble`` says why nothing can be added, "" while all is well.

    What it returns fails with `sqlite3.Error` when the disk is full or broken; nothing of what was asked is done then. ``updates_of``
    decodes the table updates of a group, ``limit`` is in bytes, ``connect`` is how SQLite opens a file.
    """

    _log = Logger()

    def __init__(self, directory: Path, reactor: Any, updates_of: UpdatesOf, limit: int, connect: Connect = connect) -> None:
        self.groups = self.events = 0
        self.trouble = ""
        self.directory = directory
        self._thread = SerialThread(reactor, "spool")
        self._file = SpoolFile(directory, updates_of, limit, connect)
        self._mirror = Mirror(directory, connect)
        self._journal = Journal(directory)
        self._unmirrored = Changes()

    async def open(self) -> None:
        """Open it. A damaged file is put aside, and a new one begun with all that can be read of it. Raises `SpoolUnusable`."""

        def work() -> tuple[int, int, Damage | None]:
            found = self._file.open()
            for updates in self._journal.records():
                changes = Changes()
                changes.update(updates)
                self._mirror.apply(changes)
            if not self._mirror.is_behind:
                self._journal.clear()
            return found

        self.groups, self.events, damage = await self._thread.run(work)
        self.trouble = self._file.trouble
        if damage:
            self._log_damage(damage)
        if self.trouble:
            self._log.error("the spool {directory} takes no events: {why}", directory=str(self.directory), why=self.trouble)
        if self.groups:
            self._log.info("{events} events wait in the spool {directory}", events=self.events, directory=str(self.directory))

    def size(self) -> int:
        """Bytes of the file with what waits, and of those beside it that belong to it, as the disk has them now."""
        sizes = 0
        for each in files_of(self._file.path):
            with suppress(OSError):  # not all are always there
                sizes += each.stat().st_size
        return sizes

    def append(self, incarnation: str, number: int, events: int, arguments: int, data: bytes) -> Deferred[int]:
        """Add a group; fires with its id once it is on the disk."""

        def added(id: int) -> int:
            self.groups += 1
            self.events += events
            self.trouble = ""
            return id

        def failed(why: Any) -> Any:
            self.trouble = why.getErrorMessage()
            return why

        return self._run(lambda: self._file.append(incarnation, number, events, arguments, data)).addCallbacks(added, failed)

    def read(self, after: int, max_events: int) -> Deferred[list[Row]]:
        """The next groups behind that id, all of one incarnation, with that many events together."""
        return self._run(lambda: self._file.read(after, max_events))

    def delete(self, rows: list[Row]) -> None:
        """Delete these groups, the first there are: Redis has them."""
        self.groups -= len(rows)
        self.events -= sum([each.events for each in rows])
        # On a full disk nothing can be deleted either; what is sent again after a restart Redis recognises.
        self._run(lambda: self._file.delete(rows[-1].id)).addErrback(_ignore_disk)

    def clear(self, upto: int) -> None:
        """Delete all there was, up to that id, on a full disk too: Redis has it."""
        self.groups = self.events = 0
        self._run(lambda: self._file.clear(upto)).addErrback(_ignore_disk)

    def pending(self, table: bytes) -> Deferred[list[FieldUpdate]]:
        """What the groups will do to the table, in order (see `applied`)."""
        return self._run(lambda: self._file.pending(table))

    def remember(self, updates: list[TableUpdate]) -> None:
        """These updates are durable: the journal has them now, the mirror after the next `mirror`."""
        self._journal.write(updates)
        self.copy(updates)

    def copy(self, updates: list[TableUpdate]) -> None:
        """This was read from Redis: the mirror has it after the next `mirror`, and no harm is done if the process ends before."""
        self._unmirrored.update(updates)

    def copy_table(self, table: bytes, content: Mapping[bytes, bytes]) -> None:
        """The same, and it is all that is in the table: one row of the mirror, whatever its number of fields."""
        self._unmirrored.replace(table, content)

    def mirror(self) -> None:
        """Write the latest updates to the mirror. To be called now and then: with each group another piece of work for the thread would
        cost more than all that is done for a message."""
        if not self._unmirrored:
            return
        changes, self._unmirrored = self._unmirrored, Changes()
        rotations = self._journal.rotate()

        def work() -> None:
            self._mirror.apply(changes)
            if not self._mirror.is_behind:
                self._journal.discard(rotations)

        self._thread.post(work)

    def mirrored(self, table: bytes) -> Deferred[dict[bytes, bytes]]:
        """What this gateway knows of the table without asking Redis."""
        self.mirror()
        return self._run(lambda: self._mirror.table(table))

    def reserve(self) -> Deferred[tuple[int, int] | None]:
        """The transaction ids put by for a start without Redis: the first, and how many."""
        return self._run(self._file.reserve)

    def put_by(self, ids: tuple[int, int] | None) -> Deferred[None]:
        """Put ids by in place of those that are; None: those are in use from now on."""
        return self._run(lambda: self._file.put_by(ids))

    def close(self) -> Deferred[None]:
        """Fires when another process may have it."""
        self.mirror()
        self._thread.post(self._file.close)
        self._thread.post(self._mirror.close)
        self._journal.close()
        return self._thread.stop()

    def _run(self, work: Callable[[], T]) -> Deferred[T]:
        return self._thread.run(lambda: self._with_renewal(work))

    def _with_renewal(self, work: Callable[[], T]) -> T:
        """In the thread: do it; with a file that cannot be trusted any more, renew the file and do it once more."""
        try:
            return work()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as why:
            if isinstance(why, sqlite3.DatabaseError) and not cannot_be_trusted(why):
                raise
            damage = self._file.renew()
            self._thread.call_in_reactor(self._renewed, damage)
            return work()

    def _renewed(self, damage: Damage) -> None:
        self._log_damage(damage)
        self._run(self._file.count).addCallback(self._counted)

    def _counted(self, count: tuple[int, int]) -> None:
        self.groups, self.events = count

    def _log_damage(self, damage: Damage) -> None:
        lost = f"groups {damage.lost} are lost" if damage.lost else "nothing of it is known to be lost"
        self._log.error(
            "the spool was damaged: {saved} groups could be read, {lost}; the damaged file is kept as {aside}",
            saved=damage.saved, lost=lost, aside=str(damage.aside),
        )  # fmt: skip


def _ignore_disk(why: Failure) -> None:
    why.trap(sqlite3.Error, OSError)  # type: ignore[no-untyped-call]
