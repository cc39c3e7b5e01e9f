"""Stores one group at a time in the spool, and keeps one that the disk refuses until it takes it.

Knows neither Redis nor which group is next. States:

| state | ``group`` | what happens | next state |
|---|---|---|---|
| IDLE | None | nothing | `begin`: APPENDING |
| APPENDING | set | the disk is at work on it | on the disk: IDLE; refused: STUCK |
| STUCK | set | nothing; the disk has refused it | `retry`: RETRYING; `give_up`: IDLE |
| RETRYING | set | the disk is at work on it again | on the disk: IDLE; refused: STUCK |
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from twisted.python.failure import Failure

from ..log import Logger
from ..spool import Spool
from .groups import Group


class State(Enum):
    """What becomes of ``group`` (see the table above)."""

    IDLE = "idle"
    APPENDING = "appending"
    STUCK = "stuck"
    RETRYING = "retrying"


class Storing:
    """``stored`` is called with a group and its row once it is on the disk, ``refused`` whenever the disk does not take it.

    Without a ``spool`` it stays IDLE.
    """

    _log = Logger()

    def __init__(self, spool: Spool | None, incarnation: str, stored: Callable[[int, Group], None], refused: Callable[[], None]) -> None:
        self.state = State.IDLE
        self.group: Group | None = None
        self._spool = spool
        self._incarnation = incarnation
        self._stored = stored
        self._refused = refused

    @property
    def refused(self) -> bool:
        """Whether the disk has refused the group and has not taken it since."""
        return self.state is State.STUCK or self.state is State.RETRYING

    def begin(self, group: Group) -> None:
        """Store a group. IDLE only."""
        assert self.state is State.IDLE
        self.state, self.group = State.APPENDING, group
        self._append(group)

    def retry(self) -> None:
        """Try the group once more. STUCK only."""
        assert self.state is State.STUCK and self.group is not None
        self.state = State.RETRYING
        self._append(self.group)

    def give_up(self) -> Group:
        """The group, which is not stored any more. STUCK only."""
        group = self.group
        assert self.state is State.STUCK and group is not None
        self.state, self.group = State.IDLE, None
        return group

    def _append(self, group: Group) -> None:
        assert self._spool is not None
        appended = self._spool.append(self._incarnation, group.number, group.events, group.packed.number, group.packed.data)
        appended.addCallbacks(self._done, self._failed, callbackArgs=(group,))
        appended.addErrback(lambda why: self._log.failure("events: what follows upon a stored group failed", why))

    def _done(self, row: int, group: Group) -> None:
        refused = self.refused
        self.state, self.group = State.IDLE, None
        if refused:
            self._log.info("the spool takes events again")
        self._stored(row, group)

    def _failed(self, why: Failure) -> None:
        """The disk is full or broken: nothing of the group is durable."""
        refused = self.refused
        self.state = State.STUCK
        if not refused:
            self._log.error("the spool takes no events, and CALLs are not answered: {why}", why=why.getErrorMessage())
        self._refused()
