"""Tells of handshakes that were refused: all numbered under one name, and no more of them than somebody would read.

Who was refused has shown nothing: any stranger makes up any number of names, and what is kept of them must not grow with that.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.entries import REFUSED_HANDSHAKES
from ..core.rate_limit import Rate, RateLimit, RateLimits
from ..interfaces import HandshakeRequest
from ..log import Logger
from ..networks import network
from .publisher import Publisher

log = Logger()

RATE = Rate(100, 1.0)
"""Refusals that are told; the next one that is told counts those that were left out."""

RATE_OF_ADDRESS = Rate(20, 10 / 60)
"""Those of one address, so that a flood from there does not hide the others."""

MAX_OFFERED, MAX_LENGTH = 10, 40
"""Most subprotocols that are told of a refused handshake, and the most characters of each: a request's head has room for 6 KiB of them."""


class HandshakeRefusals:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime, publisher: Publisher) -> None:
        self._clock = clock
        self._publisher = publisher
        self._limit = RateLimit(RATE, clock.seconds())
        self._limits = RateLimits(RATE_OF_ADDRESS)
        self._left_out = 0

    def refused(self, request: HandshakeRequest, status: int, reason: str) -> None:
        """Log it and publish it, for whoever looks for that charger; or count it."""
        self._publisher.counts.refused[status] += 1
        now = self._clock.seconds()
        if self._limits.next(network(request.address), now) is None or self._limit.next(now) is None:
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        log.warn(
            "handshake of {charger} refused: {status} {reason}",
            charger=request.id or "?",
            status=status,
            reason=reason,
            peer=request.address,
            left_out=left_out,
        )
        offered = [each[:MAX_LENGTH] for each in request.offered[:MAX_OFFERED]]
        data = gateway_events.HandshakeRejected(request.id, reason, status, offered, request.address, left_out)
        self._publisher.publish_about(REFUSED_HANDSHAKES, request.domain, "handshake_rejected", data)
