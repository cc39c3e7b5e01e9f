"""What follows when a group is durable: its table updates are remembered, its entries' callbacks called, and whoever waits for it goes on.

Knows not where it is durable. There is the same to do for a group that Redis has and for one that the spool has, and it is done once.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from ..log import Logger
from ..spool import Spool
from .groups import Group
from .unwritten import Unwritten

MIRROR_INTERVAL = 2.0
"""Seconds between writes of the spool's mirror: of several updates of one field within that time only the last is written."""


class DurableEntries:
    """Counts the entries that are durable. ``unwritten`` has the table updates of those that are not yet."""

    _log = Logger()

    def __init__(self, unwritten: Unwritten, spool: Spool | None, reactor: Any) -> None:
        self._unwritten = unwritten
        self._spool = spool
        self._count = 0
        self._flushing: list[tuple[int, Deferred[None]]] = []
        self._mirroring: LoopingCall | None = None
        if spool is not None:
            self._mirroring = LoopingCall(spool.mirror)
            self._mirroring.clock = reactor

    def start(self) -> None:
        """Mirror what was remembered from now on."""
        if self._mirroring is not None:
            self._mirroring.start(MIRROR_INTERVAL, now=False)

    def stop(self) -> None:
        """Mirror no more."""
        if self._mirroring is not None and self._mirroring.running:
            self._mirroring.stop()

    def flushed(self, entries: int) -> Deferred[None]:
        """Fires once that many more entries are durable."""
        flushed: Deferred[None] = Deferred()
        self._flushing.append((self._count + entries, flushed))
        return flushed

    def add(self, group: Group) -> None:
        """The group is durable; a second time nothing is done."""
        if group.durable:
            return
        group.durable = True
        self._count += len(group.entries)
        # Not before: a repeat of a message that is durable nowhere would be answered, and the message lost. Not later either.
        if updates := group.updates:
            self._unwritten.drop(updates)
            if self._spool is not None:
                self._spool.remember(updates)
        for each in group.entries:
            if each.then is not None:
                try:
                    each.then(each.value)
                except Exception:
                    self._log.failure("events: what follows upon an event failed")
        while self._flushing and self._flushing[0][0] <= self._count:
            self._flushing.pop(0)[1].callback(None)
