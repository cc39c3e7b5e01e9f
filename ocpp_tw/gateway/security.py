"""Tells whoever watches over security what has happened (`security_event`), and no more of each kind than somebody would read.

Knows neither tokens nor certificates.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.entries import REFUSED_HANDSHAKES
from ..core.rate_limit import Rate, RateLimit
from ..core.security import KINDS, Operator
from ..log import Logger
from .publisher import Publisher

log = Logger()

RATE = Rate(100, 1.0)
"""What is told of one kind; the next event of that kind counts those that were left out."""


class SecurityEvents:
    """One for a gateway. An event with ``by`` is of an operator and names a charger."""

    def __init__(self, clock: IReactorTime, publisher: Publisher) -> None:
        self._clock = clock
        self._publisher = publisher
        self._limits = {kind: RateLimit(RATE, clock.seconds()) for kind in KINDS}

    def tell(
        self,
        kind: str,
        detail: str,
        *,
        charger: str = "",
        by: str | None = None,
        address: str = "",
        domain: str = "",
        count: int = 1,
        left_out: int = 0,
    ) -> bool:
        """Publish one, of a kind that is in `KINDS`; ``left_out`` others have been left out already. Whether it was told, and is to be logged.

        What an operator does to a charger is numbered among that one's events, as the result of a command is; of all else the charger may be
        merely claimed.
        """
        before = self._limits[kind].next(self._clock.seconds())
        if before is None:
            return False
        numbered = REFUSED_HANDSHAKES if by is None or not charger else charger
        data = gateway_events.SecurityEvent(charger, kind, by, address, detail, count, before + left_out)
        self._publisher.publish_about(numbered, domain, "security_event", data)
        return True

    def operator(self, kind: str, operator: Operator, charger: str, detail: str) -> None:
        """Publish and log what an operator is about to do; told before it is done, so that nobody undoes that by hanging up."""
        if self.tell(kind, detail, charger=charger, by=operator.name, address=operator.address):
            log.info(
                "operator's {kind} for {charger}: {detail}, by {by} from {peer}",
                kind=kind,
                charger=charger,
                detail=detail,
                by=operator.name or "the unnamed token",
                peer=operator.address,
            )
