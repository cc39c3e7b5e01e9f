"""Logs the ends of connections, and no more from one address than somebody would read.

Knows neither why a connection ends nor who publishes it.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ..core.rate_limit import Rate, RateLimits
from ..log import Logger, literal
from ..networks import network
from .charger import Charger

log = Logger()

LINES = Rate(200, 2.0)
"""Lines about ends of connections from one address; the next one counts those that were left out. The events have them all."""


class Ends:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lines = RateLimits(LINES)

    def tell(self, charger: Charger, code: int, reason: str) -> float:
        """Log that the connection is the charger's no more; seconds for which it was connected."""
        now = self._clock.seconds()
        connected = round(now - charger.connected_at, 1)
        left_out = self._lines.next(network(charger.address), now)
        if left_out is not None:
            text = literal(f"{charger.id} disconnected after {connected} s: {code} {reason}")
            log.info(
                f"{text} (and {left_out} more from its address)" if left_out else text, charger=charger.id, seconds=connected, code=code,
                reason=reason, received=charger.received, sent=charger.sent, violations=charger.violations, ocpp=charger.ocpp,
                peer=charger.address, left_out=left_out,
            )  # fmt: skip
        return connected
