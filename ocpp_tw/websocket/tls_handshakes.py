"""How many TLS handshakes of one address are under way: the others wait for their turn, in order.

Knows neither TLS nor sockets.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..networks import network

MAX_UNDER_WAY = 64
"""TLS handshakes of one address at a time, each some 54 KiB of OpenSSL's buffers; more wait. All that are never finished run out of time in one
turn of the loop, a third of a millisecond each. A charger needs a fraction of a second for one, so that a thousand behind one address wait
some ten seconds at most, and who does not finish it has no more than `--handshake-timeout`."""

MAX_PER_TURN = 16
"""Most that begin in one turn of the loop after they waited: hundreds of turns may end at once, and each answer to a ClientHello costs as much as ten messages."""


class Connection(Protocol):
    """One that has to do its handshake."""

    def begin_handshake(self) -> None:
        """It waited, and its turn has come."""


class Handshakes:
    """Those of one address."""

    __slots__ = ("under_way", "waiting")

    def __init__(self) -> None:
        self.under_way: set[Connection] = set()
        self.waiting: dict[Connection, None] = {}


class TlsHandshakes:
    """Those of all addresses."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._addresses: dict[str, Handshakes] = {}
        self._due: deque[Connection] = deque()
        self._beginning: IDelayedCall | None = None

    def begin(self, host: str, connection: Connection) -> bool:
        """Whether it may begin now; if not, it is told when it may."""
        known = self._addresses.setdefault(network(host), Handshakes())
        if len(known.under_way) >= MAX_UNDER_WAY:
            known.waiting[connection] = None
            return False
        known.under_way.add(connection)
        return True

    def end(self, host: str, connection: Connection) -> None:
        """It is over, or the connection is; a second time nothing is done."""
        key = network(host)
        known = self._addresses.get(key)
        if known is None:
            return
        known.waiting.pop(connection, None)
        known.under_way.discard(connection)
        if known.waiting and len(known.under_way) < MAX_UNDER_WAY:
            first = next(iter(known.waiting))
            del known.waiting[first]
            known.under_way.add(first)
            self._due.append(first)
            self._beginning = self._beginning or self._clock.callLater(0, self._begin_some)
        elif not known.under_way:
            del self._addresses[key]

    def _begin_some(self) -> None:
        for _ in range(min(MAX_PER_TURN, len(self._due))):
            self._due.popleft().begin_handshake()
        self._beginning = self._clock.callLater(0, self._begin_some) if self._due else None
