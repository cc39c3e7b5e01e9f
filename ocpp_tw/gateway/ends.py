"""Logs the ends of connections, and no more than somebody would read, from one address or from all.

Knows neither why a connection ends nor who publishes it.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ..core.rate_limit import Rate, RateLimit, RateLimits
from ..log import Logger, literal
from ..networks import network
from ..words import shown
from .charger import Charger

log = Logger()

LINES = Rate(200, 2.0)
"""Lines about ends of connections from one address; the next one counts those that were left out. The events have them all."""

ALL_LINES = Rate(300, 20.0)
"""Those from all addresses together: a line costs as much as the rest of a connection's end, and when a network fails or a load balancer is
restarted, thousands end at once while others wait to be served."""


MAX_REASON = 125
"""Longest reason that is logged, in characters: a WebSocket close frame has room for 123 bytes (RFC 6455 §5.5.1), our own have fewer."""


class Ends:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._lines = RateLimits(LINES)
        self._all_lines = RateLimit(ALL_LINES, clock.seconds())

    def tell(self, charger: Charger, code: int, reason: str) -> float:
        """Log that the connection is the charger's no more; seconds for which it was connected."""
        now = self._clock.seconds()
        connected = round(now - charger.connected_at, 1)
        if self._all_lines.allows(now):
            left_out = self._lines.next(network(charger.address), now)
            if left_out is not None:
                self._log(charger, code, reason, connected, left_out, self._all_lines.next(now) or 0)
        return connected

    def _log(self, charger: Charger, code: int, reason: str, connected: float, left_out: int, others: int) -> None:
        reason = shown(reason, MAX_REASON)
        text = literal(f"{charger.id} disconnected after {connected} s: {code} {reason}")
        if left_out:
            text += f" (and {left_out} more from its address)"
        if others:
            text += f" (and {others} more in all)"
        log.info(
            text, charger=charger.id, seconds=connected, code=code, reason=reason,
            received=charger.received, sent=charger.sent, violations=charger.violations, ocpp=charger.ocpp, peer=charger.address,
            left_out=left_out + others,
        )  # fmt: skip
