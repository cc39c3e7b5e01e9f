"""Tells of handshakes that were not authenticated: for each identity at most once a minute in the fleet, with how many there were here.

Knows neither why a handshake fails nor how it is answered.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..core import gateway_events
from ..core.entries import REFUSED_HANDSHAKES
from ..core.rate_limit import Rate, RateLimit, RateLimits
from ..interfaces import HandshakeRequest, IRegister, StoreUnavailable
from ..log import Logger
from ..waiting import deferred
from .publisher import Publisher

log = Logger()

RATE_OF_IDENTITY = Rate(1, 1 / 60)
"""What is told of one identity; the next event counts what was left out."""

IN_FLEET = 55
"""Seconds for which no other gateway tells of the same identity: a little less than a minute, so that whoever has told is in time to tell
again. While the store does not answer each gateway tells for itself."""

RATE = Rate(100, 1.0)
"""What is told of all of them: a stranger can make up any number of names."""


class FailedAuthentications:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime, publisher: Publisher, register: IRegister) -> None:
        self._clock = clock
        self._publisher = publisher
        self._register = register
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
        try:
            first = self._register.once(f"authentication_failed:{request.id}", IN_FLEET)
        except StoreUnavailable:
            first = True
        if isinstance(first, bool):
            self._tell(request.domain, data, first)
        else:
            deferred(first).addErrback(_alone).addCallback(partial(self._tell, request.domain, data))

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


def _alone(why: Failure) -> bool:
    """The store does not answer: it is told here."""
    why.trap(StoreUnavailable)  # type: ignore[no-untyped-call]
    return True
