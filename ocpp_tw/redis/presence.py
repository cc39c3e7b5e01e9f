"""Arrivals and departures, as the roster sends them in batches (`ocpp_tw.redis.batch`).

Knows no connection.
"""

from __future__ import annotations

import msgspec
from twisted.internet.defer import Deferred

from ..core.entries import Record


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
