"""Arrivals and departures, as the roster sends them in batches (`ocpp_tw.redis.batch`).

Knows no connection.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred

from ..core.entries import Held, Record, Seated
from .protocol import Packed, encode


class Presence:
    """A charger that is connected here: its connection, its arrival by our clock (s) and by Redis's (ms; 0: Redis does not know it yet)."""

    __slots__ = ("connection", "domain", "network", "ocpp", "security_profile", "since", "stamp")

    def __init__(self, connection: str, since: float, domain: str, ocpp: str, network: str, security_profile: int) -> None:
        self.connection, self.since, self.stamp = connection, since, 0
        self.domain, self.ocpp = domain, ocpp
        self.network, self.security_profile = network, security_profile

    @property
    def described(self) -> bytes:
        """What the roster says of the connection beside its name."""
        return msgspec.json.encode((self.domain, self.ocpp, self.network, self.security_profile))


class Arrival:
    """A charger has connected; ``dead`` is a connection that does not hold it. ``waiting`` fires with what comes of it."""

    __slots__ = ("charger", "dead", "presence", "waiting")

    def __init__(self, charger: str, presence: Presence, dead: str) -> None:
        self.charger, self.presence, self.dead = charger, presence, dead
        self.waiting: Deferred[Seated | Held] = Deferred()

    def resolve(self, reply: list[bytes | None]) -> None:
        stamp, *texts = reply
        old, *fields = [each.decode(errors="replace") if each else "" for each in texts]
        if stamp:
            self.presence.stamp = self.presence.stamp or int(stamp)
        if not self.waiting.called:
            self.waiting.callback(Seated(Record(*fields), old) if stamp else Held(fields[0], old))


class Departure:
    """A charger's connection has ended; ``current``: it was the one that we had the charger on. ``waiting``: whether Redis had it so;
    ``known`` is called once Redis knows of it."""

    __slots__ = ("charger", "connection", "current", "known", "waiting")

    def __init__(self, charger: str, connection: str, current: bool, known: Callable[[Departure], None]) -> None:
        self.charger, self.connection, self.current, self.known = charger, connection, current, known
        self.waiting: Deferred[bool] = Deferred()

    def packed(self, *, again: bool, current: bool) -> Packed:
        """The arguments of `UPDATE`. ``again``: they may have been sent before."""
        charger, connection = encode(self.charger), encode(self.connection)
        return Packed(
            5,
            b"$5\r\nleave\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n$1\r\n%d\r\n$1\r\n%d\r\n"
            % (len(charger), charger, len(connection), connection, again, current),
        )

    def resolve(self, left: int) -> None:
        self.known(self)
        if not self.waiting.called:
            self.waiting.callback(bool(left))
