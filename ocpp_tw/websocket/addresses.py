"""What the peers of each address have taken of the server: connections, handshakes under way, control frames. Refuses what is too much.

Knows addresses only: neither sockets nor chargers.
"""

from __future__ import annotations

from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from ..log import Logger
from ..networks import network
from ..settings import Settings
from ..tally import Tally

log = Logger()

RESERVED_DESCRIPTORS = 640
"""File descriptors that no charger gets, for operators' HTTP, Redis, the backend and files; at most half of all."""

MAX_CONTROL_FRAMES = 2000
"""Control frames a second from one address, over all its connections; with more, those that send them are not read from until the next."""


class Limits(NamedTuple):
    """Most connections, and most whose handshake is not complete, in all and from one address."""

    connections: int
    connections_per_address: int
    handshakes: int
    handshakes_per_address: int

    @classmethod
    def of(cls, settings: Settings, descriptors: int) -> Limits:
        """Those of the settings, in a process that may have that many descriptors.

        An address never gets the last quarter, unless the settings grant one as much as all together: behind a proxy all have its address.
        """
        most = min(settings.max_connections, descriptors - min(RESERVED_DESCRIPTORS, descriptors // 2))
        of_one = settings.max_connections_per_address
        if of_one < settings.max_connections:
            of_one = min(of_one, most - most // 4)
        return cls(most, of_one, settings.max_handshakes, settings.max_handshakes_per_address)


class Address:
    """What one address has. ``second`` is the tick that ``control_frames`` were counted in."""

    __slots__ = ("connections", "control_frames", "handshakes", "second")

    def __init__(self) -> None:
        self.connections = self.handshakes = self.control_frames = self.second = 0


class Addresses:
    """All that have a connection. ``overdue`` tells once a minute how many did not complete their handshake, ``unannounced`` how many came
    through a proxy that did not say so; so does a third one how many were refused."""

    def __init__(self, limits: Limits, timeout: float, clock: IReactorTime) -> None:
        self.limits = limits
        self.connections = self.handshakes = 0
        self.overdue = Tally(clock, self._tell_overdue)
        self.unannounced = Tally(clock, self._tell_unannounced)
        self._refused = Tally(clock, self._tell_refused)
        self._timeout = timeout
        self._known: dict[str, Address] = {}

    def refuses(self, host: str) -> bool:
        """Whether one more connection from there is too many."""
        limits, known = self.limits, self._known.get(network(host))
        if self.connections >= limits.connections:
            why = f"{self.connections} connections (--max-connections, and the process's file descriptors)"
        elif self.handshakes >= limits.handshakes:
            why = f"{self.handshakes} handshakes under way (--max-handshakes)"
        else:
            why = self._too_many_of(known) if known is not None else ""
        if why:
            self._refused.note(f"{host}: there are {why}")
        return bool(why)

    def _too_many_of(self, known: Address) -> str:
        if known.connections >= self.limits.connections_per_address:
            return f"{known.connections} connections from one address (--max-connections-per-address)"
        if known.handshakes >= self.limits.handshakes_per_address:
            return f"{known.handshakes} handshakes under way from one address (--max-handshakes-per-address)"
        return ""

    def opened(self, host: str) -> None:
        """A connection has begun, and so has its handshake."""
        known = self._known.setdefault(network(host), Address())
        self.connections += 1
        self.handshakes += 1
        known.connections += 1
        known.handshakes += 1

    def moved(self, host: str, to: str) -> bool:
        """A connection, its handshake still under way, turns out to come from elsewhere; False, and no change, if that has too many."""
        old, new = network(host), network(to)
        if old != new:
            known = self._known.get(new)
            if known is not None and (why := self._too_many_of(known)):
                self._refused.note(f"{to}: there are {why}")
                return False
            self._leave(old, True)
            known = self._known.setdefault(new, Address())
            known.connections += 1
            known.handshakes += 1
        return True

    def completed(self, host: str) -> None:
        """The handshake of a connection is complete."""
        self.handshakes -= 1
        self._known[network(host)].handshakes -= 1

    def closed(self, host: str, in_handshake: bool) -> None:
        """A connection has ended."""
        if in_handshake:
            self.completed(host)
        self.connections -= 1
        self._leave(network(host), False)

    def _leave(self, key: str, in_handshake: bool) -> None:
        known = self._known[key]
        known.connections -= 1
        known.handshakes -= in_handshake
        if not known.connections:
            del self._known[key]

    def control_frame(self, host: str, tick: int) -> bool:
        """A control frame has come; whether that was not too many yet."""
        known = self._known[network(host)]
        if known.second != tick:
            known.second, known.control_frames = tick, 0
        known.control_frames += 1
        return known.control_frames <= MAX_CONTROL_FRAMES

    def stop(self) -> None:
        """Tell what has not been told yet."""
        self.overdue.stop()
        self.unannounced.stop()
        self._refused.stop()

    def _tell_overdue(self, count: int, last: str) -> None:
        log.warn("handshakes not completed in {seconds} s: {count}, the last from {peer}", seconds=self._timeout, count=count, peer=last)

    def _tell_unannounced(self, count: int, last: str) -> None:
        log.warn("connections of proxies dropped (--proxy-protocol): {count}, the last from {last}", count=count, last=last)

    def _tell_refused(self, count: int, last: str) -> None:
        log.warn("connections refused: {count}, the last from {last}", count=count, last=last)
