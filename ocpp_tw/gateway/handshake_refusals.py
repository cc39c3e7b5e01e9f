"""Tells of handshakes that were refused: all numbered under one name, and no more of them than somebody would read.

Who was refused has shown nothing: any stranger makes up any number of names, and what is kept of them must not grow with that.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.rate_limit import Rate, RateLimit
from ..interfaces import HandshakeRequest
from ..log import Logger
from .publisher import Publisher

log = Logger()

NUMBERED_UNDER = "?"
"""The name that all refusals are numbered under (`seq`)."""

RATE = Rate(100, 1.0)
"""Refusals that are told; the next one that is told counts those that were left out."""


class HandshakeRefusals:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime, publisher: Publisher) -> None:
        self._clock = clock
        self._publisher = publisher
        self._limit = RateLimit(RATE, clock.seconds())

    def refused(self, request: HandshakeRequest, status: int, reason: str) -> None:
        """Log it and publish it, for whoever looks for that charger; or count it."""
        left_out = self._limit.next(self._clock.seconds())
        if left_out is None:
            return
        log.warn(
            "handshake of {charger} refused: {status} {reason}",
            charger=request.id or "?",
            status=status,
            reason=reason,
            peer=request.address,
            left_out=left_out,
        )
        data = gateway_events.HandshakeRejected(request.id, reason, status, list(request.offered), request.address, left_out)
        self._publisher.publish_about(NUMBERED_UNDER, request.domain, "handshake_rejected", data)
