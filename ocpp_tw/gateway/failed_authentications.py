"""Tells of handshakes that were not authenticated: for each identity at most once a minute in the fleet, with how many there were here.

Knows neither why a handshake fails nor how it is answered.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.entries import REFUSED_HANDSHAKES
from ..core.rate_limit import Rate, RateLimit, RateLimits
from ..interfaces import HandshakeRequest, IRegister
from ..log import Logger
from .once_in_fleet import OnceInFleet
from .publisher import Publisher

log = Logger()

RATE_OF_IDENTITY = Rate(1, 1 / 60)
"""What is told of one identity, by one gateway of the fleet; its next event counts what was left out."""

RATE = Rate(100, 1.0)
"""What is told of all of them: a stranger can make up any number of names."""


class FailedAuthentications:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime, publisher: Publisher, register: IRegister) -> None:
        self._clock = clock
        self._publisher = publisher
        self._in_fleet = OnceInFleet(register)
        self._limits = RateLimits(RATE_OF_IDENTITY)
        self._limit = RateLimit(RATE, clock.seconds())

    def tell(self, request: HandshakeRequest, status: int, why: str) -> None:
        """Log it and publish it, or count it."""
        now = self._clock.seconds()
        before = self._limits.next(request.id, now)
        left_out = None if before is None else self._limit.next(now)
        if before is None or left_out is None:
            return
        data = gateway_events.AuthenticationFailed(request.id, why, status, request.address, before + 1, left_out)
        self._in_fleet.ask(f"authentication_failed:{request.id}", partial(self._tell, request.domain, data))

    def _tell(self, domain: str, data: gateway_events.AuthenticationFailed, first: bool) -> None:
        if not first:
            self._limits.give_back(data.charger, data.count)
            self._limit.give_back(data.left_out)
            return
        log.warn(
            "authentication of {charger} failed: {why}",
            charger=data.charger, why=data.reason, status=data.status, peer=data.remote_address, count=data.count, left_out=data.left_out,
        )  # fmt: skip
        self._publisher.publish_about(REFUSED_HANDSHAKES, domain, "authentication_failed", data)
