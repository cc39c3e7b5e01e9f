"""Sends one batch of groups to Redis, again and again until Redis says that it is written.

Knows neither what is in a batch nor where the next one comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..log import Logger
from .connection import Connection, backoff
from .groups import GROUP_TTL
from .keys import Keys
from .protocol import Packed, RedisClient, ResponseError
from .scripts.write import WRITE

SYNC_TIMEOUT = 4000
"""Milliseconds that the server has to sync what it has written; then the batch is sent again."""

SYNCED: dict[str, tuple[tuple[str, ...], str]] = {
    "fsync": (("WAITAOF", "1", "0"), "the server has not synced it in time"),
    "replica": (("WAIT", "1"), "no replica has it in time"),
}
"""By durability: the command that waits until a batch is synced, and what is wrong when its reply begins with 0."""

Written: TypeAlias = tuple[list[bytes], list[int]]
"""The effects that were dropped, each with why, and the numbers of the events."""


class Writer:
    """``durability`` is the setting of that name; ``unsynced`` is called when it turns out that the server cannot sync what it is told to.

    ``trouble`` is why nothing can be written at the moment, ``refusal`` why the server has refused it last; "" while all is well.
    ``busy``: there is a batch that is not known to be written.
    ``cannot_sync``: the server cannot sync what it is told to.
    """

    _log = Logger()

    def __init__(self, connection: Connection, keys: Keys, durability: str, unsynced: Callable[[], None]) -> None:
        self.trouble = ""
        self.busy = False
        self.cannot_sync = False
        self._connection = connection
        self._keys = keys
        self._sync_command = SYNCED.get(durability)
        self._unsynced = unsynced
        self._fleet_keys = (keys.seq_floor, keys.strangers)
        self._own_keys = (keys.batch(), keys.seq, keys.events, keys.processing, keys.reclaimed(), *self._fleet_keys)
        self._batch: tuple[Any, ...] = ()
        self._batch_keys = self._own_keys
        self._then: Callable[[list[int]], None] = lambda numbers: None
        self.refusal = ""
        self._sent = False
        self._attempt = 0
        self._retry: Any = None
        self._running = False
        connection.watch(self._changed)

    def start(self) -> None:
        """Send from now on."""
        self._running = True
        self._send()

    def stop(self) -> None:
        """Send nothing more."""
        self._running = False
        self._unschedule()

    def write(self, groups: list[Packed], then: Callable[[list[int]], None], incarnation: str = "") -> None:
        """Write groups of this incarnation, or of an earlier one; ``then`` is given the number of each event, 0 of one that
        was left out, and no numbers if all of it was written before.
        """
        keys = self._keys
        assert not self.busy
        self.busy = True
        self._batch, self._then, self._attempt = (GROUP_TTL, *groups), then, 0
        self._batch_keys = self._own_keys
        if incarnation and incarnation != keys.incarnation:
            of_incarnation = (keys.batch(incarnation), keys.seq, keys.events, keys.processing, keys.reclaimed(incarnation))
            self._batch_keys = (*of_incarnation, *self._fleet_keys)
        self._send()

    def _unschedule(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _changed(self) -> None:
        if self._connection.client is None:
            self._failed(self._connection.trouble)
            return
        self._attempt = 0
        self._unschedule()
        if self.busy:
            self._send()
        else:
            self._works()

    def _send(self) -> None:
        self._retry = None
        client = self._connection.client
        if client is None or self._sent or not self._running or not self.busy:
            return
        self._sent = True
        reply = WRITE.run(client, self._batch_keys, *self._batch)
        if self._sync_command:
            reply.addCallback(self._sync, client)
        reply.addCallbacks(self._written, self._refused)
        reply.addErrback(lambda why: self._log.failure("events: what follows upon a batch failed", why))

    def _sync(self, written: Written, client: RedisClient) -> Deferred[Written]:
        assert self._sync_command is not None
        command, wrong = self._sync_command

        def synced(counts: list[int] | int) -> Written:
            if not (counts[0] if isinstance(counts, list) else counts):
                raise ResponseError(f"NOREPLICAS {wrong}")
            return written

        def refused(why: Failure) -> Written:
            if not why.check(ResponseError) or str(why.value).startswith("NOREPLICAS"):
                why.raiseException()
            self._sync_command, self.cannot_sync = None, True
            self._log.warn("Redis cannot sync what it is told to ({why}): every event goes to the spool first", why=str(why.value))
            self._unsynced()
            return written

        return client.send(*command, SYNC_TIMEOUT, timeout=SYNC_TIMEOUT / 1000 + 1).addCallback(synced).addErrback(refused)

    def _written(self, written: Written) -> None:
        dropped, numbers = written
        self._sent = self.busy = False
        self._batch, self._attempt = (), 0
        for key, why in zip(dropped[::2], dropped[1::2], strict=True):
            text = why.decode(errors="replace")
            self._log.error("effect on {key} dropped: {why}", key=key.decode(errors="replace"), why=text)
        self._works()
        self._then(numbers)

    def _refused(self, why: Failure) -> None:
        """It may or may not have been written: it is sent again, under the same numbers, until an answer says that it was."""
        self._sent = False
        if not self._running:
            return
        self._failed(str(why.value), why.check(ResponseError) is not None)
        if str(why.value).startswith("READONLY") and self._connection.client is not None:
            self._connection.client.abort()  # it is a replica now: a Sentinel may name another master
        self._unschedule()
        self._retry = self._connection.reactor.callLater(backoff(self._attempt), self._send)
        self._attempt += 1

    def _failed(self, why: str, refused: bool = False) -> None:
        # Once for an outage and not for each attempt, but also when a server that is back refuses for another reason.
        if self._running and (not self.trouble or (refused and why != self.refusal)):
            self._log.error("Redis at {where} takes no events: {why}", where=str(self._connection.address), why=why)
        self.trouble = why
        if refused:
            self.refusal = why

    def _works(self) -> None:
        if self.trouble:
            self._log.info("Redis at {where} takes events again", where=str(self._connection.address))
        self.trouble = self.refusal = ""
