"""One batch of groups is sent to Redis again and again until Redis says that it is written.

Knows neither what is in a batch nor where the next one comes from.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from .batch import WRITE, arguments
from .connection import Connection, backoff
from .keys import Keys
from .protocol import Packed, RedisClient, ResponseError

SYNC_TIMEOUT = 4000
"""Milliseconds that the server has to sync what it has written."""

SYNCED: dict[str, tuple[tuple[str, ...], str]] = {
    "fsync": (("WAITAOF", "1", "0"), "the server has not synced it in time"),
    "replica": (("WAIT", "1"), "no replica has it in time"),
}
"""By durability: how the server is asked whether a batch is safe, and what is wrong when its answer begins with 0."""


class Writer:
    """``durability`` is the setting of that name; ``unsynced`` is called when the server cannot sync what it is told to.

    ``trouble`` is why nothing can be written at the moment; "" while all is well.
    """

    _log = Logger()

    def __init__(self, connection: Connection, names: Keys, durability: str, unsynced: Callable[[], None]) -> None:
        self.trouble = ""
        self.busy = False
        """Whether there is a batch that is not known to be written."""
        self._connection = connection
        self._names = names
        self._synced = SYNCED.get(durability)
        self._unsynced = unsynced
        self._keys = (names.batch(), names.seq, names.events, names.processing, names.reclaimed())
        self._batch: tuple[Any, ...] = ()
        self._batch_keys = self._keys
        self._then: Callable[[list[bytes]], None] = lambda dropped: None
        self._objection = ""
        self._asking = False
        self._attempt = 0
        self._soon: Any = None
        self._running = False
        connection.watch(self._changed)

    def start(self) -> None:
        """Begin."""
        self._running = True
        self._send()

    def stop(self) -> None:
        """Send nothing more."""
        self._running = False
        self._unschedule()

    def write(self, groups: list[Packed], then: Callable[[list[bytes]], None], boot: str = "") -> None:
        """Write groups of this run of the gateway, or of an earlier one; ``then`` is given the effects that were dropped, and why."""
        names = self._names
        assert not self.busy
        self.busy = True
        self._batch, self._then, self._attempt = arguments(groups), then, 0
        self._batch_keys = self._keys
        if boot and boot != names.incarnation:
            self._batch_keys = (names.batch(boot), names.seq, names.events, names.processing, names.reclaimed(boot))
        self._send()

    def _unschedule(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

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
        self._soon = None
        line = self._connection.client
        if line is None or self._asking or not self._running or not self.busy:
            return
        self._asking = True
        asked = WRITE.run(line, self._batch_keys, *self._batch)
        if self._synced:
            asked.addCallback(self._sync, line)
        asked.addCallbacks(self._written, self._refused).addErrback(lambda why: self._log.failure("events: a batch's end failed", why))

    def _sync(self, dropped: list[bytes], line: RedisClient) -> Deferred[list[bytes]]:
        assert self._synced is not None
        command, wrong = self._synced

        def answered(counts: list[int] | int) -> list[bytes]:
            if not (counts[0] if isinstance(counts, list) else counts):
                raise ResponseError(f"NOREPLICAS {wrong}")
            return dropped

        def refused(why: Failure) -> list[bytes]:
            if not why.check(ResponseError) or str(why.value).startswith("NOREPLICAS"):
                why.raiseException()
            self._synced = None
            self._log.warn("Redis cannot sync what it is told to ({why}): every event goes to the spool first", why=str(why.value))
            self._unsynced()
            return dropped

        return line.send(*command, SYNC_TIMEOUT, wait=SYNC_TIMEOUT / 1000 + 1).addCallback(answered).addErrback(refused)

    def _written(self, dropped: list[bytes]) -> None:
        self._asking = self.busy = False
        self._batch, self._attempt = (), 0
        for key, why in zip(dropped[::2], dropped[1::2], strict=True):
            text = why.decode(errors="replace")
            self._log.error("events: an effect on {key} was dropped: {why}", key=key.decode(errors="replace"), why=text)
        self._works()
        self._then(dropped)

    def _refused(self, why: Failure) -> None:
        """It may or may not have been written: it is sent again, under the same numbers, until an answer says that it was."""
        self._asking = False
        if not self._running:
            return
        self._failed(str(why.value), why.check(ResponseError) is not None)
        if str(why.value).startswith("READONLY") and self._connection.client is not None:
            self._connection.client.abort()  # it is a replica now: whoever is asked next where the master is may know another
        self._unschedule()
        self._soon = self._connection.reactor.callLater(backoff(self._attempt), self._send)
        self._attempt += 1

    def _failed(self, why: str, refused: bool = False) -> None:
        # Once for an outage and not for each attempt, but a server that is there again and has another objection is told of.
        if self._running and (not self.trouble or (refused and why != self._objection)):
            self._log.error("Redis at {where} takes no events: {why}", where=str(self._connection.address), why=why)
        self.trouble = why
        if refused:
            self._objection = why

    def _works(self) -> None:
        if self.trouble:
            self._log.info("Redis at {where} takes events again", where=str(self._connection.address))
        self.trouble = self._objection = ""
