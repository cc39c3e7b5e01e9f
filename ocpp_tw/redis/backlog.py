"""Watches how many events wait in Redis for the backend, which takes them or does not: the list grows until Redis has no memory left.

Knows no event.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.task import LoopingCall

from ..log import Logger
from .connection import Connection
from .keys import Keys
from .protocol import RedisError

INTERVAL = 30.0
"""Seconds between looks."""

ALARM = 100_000
"""Events in the list at which there is a warning, and again at each doubling: half an hour's of a few thousand chargers."""


class Backlog(Service):
    """``unread`` is the length of the events list at the last look; None while it is not known."""

    _log = Logger()

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self.unread: int | None = None
        self._connection = connection
        self._keys = keys
        self._alarm = ALARM
        self._timer = LoopingCall(self._look)
        self._timer.clock = connection.reactor
        connection.watch(self._changed)

    def startService(self) -> None:
        super().startService()
        self._timer.start(INTERVAL)

    def stopService(self) -> None:
        super().stopService()
        if self._timer.running:
            self._timer.stop()

    def _changed(self) -> None:
        """Redis is lost, or back."""
        if self.running:
            self._look()

    def _look(self) -> None:
        client = self._connection.client
        if client is None:
            self.unread = None
        else:  # not waited for: Redis may hang
            client.send("LLEN", self._keys.events).addCallbacks(self._seen, lambda why: why.trap(RedisError) and None)

    def _seen(self, unread: int) -> None:
        self.unread = unread
        if unread >= self._alarm:
            self._alarm = 2 * unread
            text = "{unread} events wait in the list {list}: the backend does not take them, or not fast enough"
            self._log.warn(text, unread=unread, list=self._keys.events)
        elif self._alarm > ALARM and unread < ALARM // 2:
            self._alarm = ALARM
            self._log.info("{unread} events wait in the list {list}: the backend takes them again", unread=unread, list=self._keys.events)
