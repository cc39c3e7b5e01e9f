"""Where events wait on the disk while Redis cannot take them, and what a gateway remembers without it.

The only room that knows sqlite3. Knows nothing of Redis but that groups are its arguments.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .file import DISTRUST, Damage, Damaged, Kept, Row, SpoolFile, SpoolUnusable
from .journal import Journal
from .mirror import Mirror
from .thread import SerialThread

__all__ = ["Kept", "Row", "Spool", "SpoolUnusable"]

T = TypeVar("T")


class Spool:
    """A spool in a directory; ``groups`` and ``events`` are waiting in it, ``trouble`` says why nothing can be added, "" while all is well.

    What it returns fails with `sqlite3.Error` when the disk is full or broken; nothing of what was asked is done then.
    """

    _log = Logger()

    def __init__(self, directory: Path, reactor: Any, keeps: Callable[[int, int, bytes], Iterable[Kept]], limit: int) -> None:
        self.groups = self.events = 0
        self.trouble = ""
        self.directory = directory
        self._thread = SerialThread(reactor, "spool")
        self._file = SpoolFile(directory, keeps, limit)
        self._mirror = Mirror(directory)
        self._journal = Journal(directory)
        self._noted: dict[tuple[bytes, bytes], bytes | None] = {}

    async def open(self) -> None:
        """Open it. A damaged file is put aside, and a new one begun with all that can be read of it. Raises `Unusable`."""

        def work() -> tuple[int, int, Damage | None]:
            found = self._file.open()
            for kept in self._journal.left():
                self._mirror.note(kept)
            if not self._mirror.owes:
                self._journal.begin()
            return found

        self.groups, self.events, damage = await self._thread.run(work)
        self.trouble = self._file.trouble
        if damage:
            self._tell(damage)
        if self.trouble:
            self._log.error("the spool {directory} takes no events: {why}", directory=str(self.directory), why=self.trouble)
        if self.groups:
            self._log.info("{events} events wait in the spool {directory}", events=self.events, directory=str(self.directory))

    def append(self, boot: str, number: int, events: int, arguments: int, data: bytes) -> Deferred[int]:
        """Add a group; fires with its id once it is on the disk."""

        def added(id: int) -> int:
            self.groups += 1
            self.events += events
            self.trouble = ""
            return id

        def failed(why: Any) -> Any:
            self.trouble = why.getErrorMessage()
            return why

        return self._do(lambda: self._file.append(boot, number, events, arguments, data)).addCallbacks(added, failed)

    def read(self, after: int, most: int) -> Deferred[list[Row]]:
        """The next groups behind that id, all of one run of a gateway, with ``most`` events together."""
        return self._do(lambda: self._file.read(after, most))

    def forget(self, rows: list[Row]) -> None:
        """These groups, the first there are, are in Redis."""
        self.groups -= len(rows)
        self.events -= sum([each.events for each in rows])
        # On a full disk nothing can be removed either; what is sent again after a restart Redis knows.
        self._do(lambda: self._file.forget(rows[-1].id)).addErrback(_put_up_with)

    def emptied(self, upto: int) -> None:
        """All there was, up to that id, is in Redis: it can go, on a full disk too."""
        self.groups = self.events = 0
        self._do(lambda: self._file.clear(upto)).addErrback(_put_up_with)

    def kept(self, shelf: bytes) -> Deferred[dict[bytes, bytes | None]]:
        """What the groups will have done to the shelf, by name; None: it was taken off."""
        return self._do(lambda: self._file.kept(shelf))

    def note(self, kept: list[Kept]) -> None:
        """What is on shelves now: it is in the journal, and the next `mirror` takes it to where it can be found."""
        self._journal.write(kept)
        for shelf, name, value in kept:
            self._noted[shelf, name] = value

    def mirror(self) -> None:
        """Mirror what was noted. Now and then is enough; for each group another thread would cost more than all that is done for a message."""
        if not self._noted:
            return
        noted, self._noted = self._noted, {}
        turns = self._journal.turn()

        def work() -> None:
            self._mirror.note((shelf, name, value) for (shelf, name), value in noted.items())
            if not self._mirror.owes:
                self._journal.taken(turns)

        self._thread.post(work)

    def mirrored(self, shelf: bytes) -> Deferred[dict[bytes, bytes]]:
        """What this gateway knows of the shelf without asking Redis."""
        self.mirror()
        return self._do(lambda: self._mirror.kept(shelf))

    def reserve(self) -> Deferred[tuple[int, int] | None]:
        """The transaction ids put by for a start without Redis: the first, and how many."""
        return self._do(self._file.reserve)

    def put_by(self, ids: tuple[int, int] | None) -> Deferred[None]:
        """Put ids by in place of those that are; None: those are in use from now on."""
        return self._do(lambda: self._file.put_by(ids))

    def close(self) -> Deferred[None]:
        """Fires when another process may have it."""
        self.mirror()
        self._thread.post(self._file.close)
        self._thread.post(self._mirror.close)
        self._journal.close()
        return self._thread.end()

    def _do(self, work: Callable[[], T]) -> Deferred[T]:
        return self._thread.run(lambda: self._tried(work))

    def _tried(self, work: Callable[[], T]) -> T:
        """Do it; with a file that cannot be trusted any more, do it once more with a new one (in the thread)."""
        try:
            return work()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as why:
            code = getattr(why, "sqlite_errorcode", 0)
            if not isinstance(why, Damaged | UnicodeDecodeError) and code not in DISTRUST and code & 0xFF not in DISTRUST:
                raise
            damage = self._file.renew()
            self._thread.call_in_reactor(self._renewed, damage)
            return work()

    def _renewed(self, damage: Damage) -> None:
        self._tell(damage)
        self._do(self._file.count).addCallback(self._counted)

    def _counted(self, count: tuple[int, int]) -> None:
        self.groups, self.events = count

    def _tell(self, damage: Damage) -> None:
        lost = f"groups {damage.lost} are lost" if damage.lost else "nothing of it is known to be lost"
        self._log.error(
            "the spool was damaged: {saved} groups could be read, {lost}; the damaged file is kept as {aside}",
            saved=damage.saved, lost=lost, aside=str(damage.aside),
        )  # fmt: skip


def _put_up_with(why: Failure) -> None:
    why.trap(sqlite3.Error)  # type: ignore[no-untyped-call]
