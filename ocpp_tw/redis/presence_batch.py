"""Batches arrivals and departures: those of one turn of the reactor are sent together, in their order, one batch at a time.

Knows no connection, and not how a batch is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..core.entries import Record
from ..log import Logger

MAX_BATCH = 64
"""Most arrivals and departures in a batch: what follows upon its answer is done in one turn of the reactor."""


class Presence:
    """A charger that is connected here: its connection, its arrival by our clock (s) and by Redis's (ms; 0: Redis does not know it yet)."""

    __slots__ = ("connection", "domain", "ocpp", "since", "stamp")

    def __init__(self, connection: str, since: float, domain: str, ocpp: str) -> None:
        self.connection, self.since, self.stamp = connection, since, 0
        self.domain, self.ocpp = domain, ocpp

    @property
    def described(self) -> bytes:
        """What the roster says of the connection beside its name."""
        return msgspec.json.encode((self.domain, self.ocpp))


class Arrival:
    """A charger has connected; ``waiting`` fires with its record."""

    __slots__ = ("charger", "presence", "waiting")

    def __init__(self, charger: str, presence: Presence) -> None:
        self.charger, self.presence = charger, presence
        self.waiting: Deferred[Record] = Deferred()

    def resolve(self, reply: list[bytes | None]) -> None:
        stamp, *fields = reply
        self.presence.stamp = self.presence.stamp or int(stamp or 0)
        if not self.waiting.called:
            self.waiting.callback(Record(*[field.decode(errors="replace") if field else "" for field in fields]))


class Departure:
    """A charger's connection has ended; ``current``: it was the one that we had the charger on. ``waiting``: whether Redis had it so."""

    __slots__ = ("charger", "connection", "current", "waiting")

    def __init__(self, charger: str, connection: str, current: bool) -> None:
        self.charger, self.connection, self.current = charger, connection, current
        self.waiting: Deferred[bool] = Deferred()

    def resolve(self, left: int) -> None:
        if not self.waiting.called:
            self.waiting.callback(bool(left))


class PresenceBatch:
    """``send`` is given a batch and fires with the reply to each of it, in their order."""

    _log = Logger()

    def __init__(self, reactor: IReactorTime, send: Callable[[list[Arrival | Departure]], Deferred[list[Any]]]) -> None:
        self._reactor = reactor
        self._send = send
        self._queue: deque[Arrival | Departure] = deque()
        self._busy = False

    def add(self, either: Arrival | Departure) -> None:
        """Send it with the next batch; its ``waiting`` fires then, or fails."""
        self._queue.append(either)
        if not self._busy:
            self._busy = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        batch = unresolved([self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))])
        sent = self._send(batch)
        sent.addCallbacks(self._sent, self._failed, callbackArgs=(batch,), errbackArgs=(batch,))
        sent.addErrback(lambda why: self._log.failure("what follows upon an arrival or a departure failed", why))

    def _sent(self, replies: list[Any], batch: list[Arrival | Departure]) -> None:
        self._go_on()
        for either, reply in zip(batch, replies, strict=True):
            either.resolve(reply)

    def _failed(self, why: Failure, batch: list[Arrival | Departure]) -> None:
        self._go_on()
        for each in unresolved(batch):
            each.waiting.errback(why)

    def _go_on(self) -> None:
        self._busy = bool(self._queue)
        if self._busy:
            self._reactor.callLater(0, self._turn)


def unresolved(batch: list[Arrival | Departure]) -> list[Arrival | Departure]:
    """Those that are still waited for."""
    return [each for each in batch if not each.waiting.called]
