"""Tells of take-overs: each of a connection that was alive, those that were refused, and two peers that fight over one identity.

Knows neither why one connection takes over from another nor what becomes of the former.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.rate_limit import Rate, RateLimit, RateLimits
from ..interfaces import IRegister
from ..log import Logger
from .charger import Charger
from .once_in_fleet import OnceInFleet
from .publisher import Publisher
from .security import SecurityEvents

log = Logger()

DUPLICATE_AFTER = 5
"""Take-overs within `DUPLICATE_WINDOW`, from more than one address, that are reported as two chargers with one identity."""

DUPLICATE_WINDOW = 60.0
"""In seconds."""

ALIVE_AFTER = 3
"""Take-overs of a connection that was alive, within `ALIVE_WINDOW` and from wherever, that are reported likewise."""

ALIVE_WINDOW = 600.0
"""In seconds."""

MAX_CHARGERS = 1000
"""Most chargers whose take-overs of live connections are remembered; then all are forgotten."""

RATE = Rate(100, 1.0)
"""Log lines on take-overs of live connections; the next one counts those that were left out."""

REFUSALS = Rate(1, 1 / 60)
"""What is told of take-overs of one identity that are refused, by one gateway of the fleet; its next event counts those that were left out."""

History = deque[tuple[float, str]]
"""When each was, and the address of the connection that took over."""


class Takeovers:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime, publisher: Publisher, security: SecurityEvents, register: IRegister) -> None:
        self._clock = clock
        self._publisher = publisher
        self._security = security
        self._limit = RateLimit(RATE, clock.seconds())
        self._refusals = RateLimits(REFUSALS)
        self._in_fleet = OnceInFleet(register)
        self._recent: dict[str, History] = {}
        self._alive: dict[str, History] = {}

    def happened(self, charger: Charger, previous: Charger) -> None:
        """``charger`` has taken over from ``previous``, which a charger that reconnects does as well: and several times, from its one address."""
        history = self._recent.setdefault(charger.id, deque(maxlen=DUPLICATE_AFTER))
        addresses = self._add(history, DUPLICATE_WINDOW, charger.address, previous.address)
        if len(history) == DUPLICATE_AFTER and len(addresses) > 1:
            self._report(charger, history, addresses)

    def was_alive(self, charger: Charger, address: str, previous: str) -> None:
        """The connection from ``previous`` that was taken over, from ``address``, answers: there are two peers, for a charger that reconnects
        has left the former one. ``charger`` is either of them."""
        left_out = self._limit.next(self._clock.seconds())
        if left_out is not None:
            log.warn(
                "take-over of {charger} by {address}: the connection from {previous} was alive",
                charger=charger.id,
                address=address,
                previous=previous,
                left_out=left_out,
            )
        detail = f"from {previous}, where a connection was alive"
        self._security.tell("take_over", detail, charger=charger.id, address=address, domain=charger.domain)
        if len(self._alive) >= MAX_CHARGERS and charger.id not in self._alive:
            self._alive.clear()
        history = self._alive.setdefault(charger.id, deque(maxlen=ALIVE_AFTER))
        addresses = self._add(history, ALIVE_WINDOW, address, previous)
        if len(history) == ALIVE_AFTER:
            self._report(charger, history, addresses)

    def refused(self, charger: Charger, address: str) -> None:
        """``charger`` was turned away, since the connection of that identity from ``address`` is alive."""
        before = self._refusals.next(charger.id, self._clock.seconds())
        if before is not None:
            self._in_fleet.ask(f"take_over_refused:{charger.id}", partial(self._tell_refused, charger, address, before + 1))

    def _tell_refused(self, charger: Charger, address: str, count: int, first: bool) -> None:
        if not first:  # another gateway has told of it within the minute
            self._refusals.give_back(charger.id, count)
            return
        detail = f"from {address}, where a connection is alive"
        if self._security.tell(
            "take_over_refused", detail, charger=charger.id, address=charger.address, domain=charger.domain, count=count
        ):
            log.warn(
                "take-over of {charger} by {address} refused: the connection from {current} is alive",
                charger=charger.id,
                address=charger.address,
                current=address,
                count=count,
            )

    def departed(self, id: str) -> None:
        """No connection of that identity is left here."""
        self._recent.pop(id, None)

    def _add(self, history: History, window: float, address: str, previous: str) -> list[str]:
        """Remember one more; all addresses in the window."""
        now = self._clock.seconds()
        while history and history[0][0] < now - window:
            history.popleft()
        history.append((now, address))
        return sorted({each for _, each in history} | {previous})

    def _report(self, charger: Charger, history: History, addresses: list[str]) -> None:
        self._publisher.publish(charger, "duplicate_identity", gateway_events.DuplicateIdentity(charger.id, addresses, len(history)))
        history.clear()
