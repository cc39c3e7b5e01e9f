"""Looks which chargers' certificates are about to expire: tells, and has the charger ask for a new one where the gateway signs (A02, A03).

Knows neither authorities nor what a charger does when it is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..core.authority import Authority
from ..log import Logger
from .charger import Charger
from .security import SecurityEvents

log = Logger()

INTERVAL = 600.0
"""Seconds between looks."""

DAYS = 30
"""Days before its end at which a certificate is about to expire; a third of the time for which this gateway issues them, if that is less."""

TOLD_AGAIN = 86_400.0
"""Seconds until the same is told of the same charger."""


class Renewals:
    """One for a gateway. ``now`` is the real time, by which certificates are judged."""

    def __init__(
        self,
        chargers: Mapping[str, Charger],
        clock: IReactorTime,
        security: SecurityEvents,
        authority: Authority | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._chargers = chargers
        self._clock = clock
        self._security = security
        self._signs = authority is not None
        self._seconds = 86_400 * (DAYS if authority is None else min(DAYS, authority.days / 3))
        self._now = now
        self._told: dict[str, float] = {}
        self._looking = LoopingCall(self.look)
        self._looking.clock = clock

    def start(self) -> None:
        """Begin to look."""
        self._looking.start(INTERVAL, now=False)

    def stop(self) -> None:
        """Look no more."""
        if self._looking.running:
            self._looking.stop()

    def look(self) -> None:
        """Tell of each certificate that is about to expire, and is shown by a charger that is connected."""
        seconds = self._clock.seconds()
        self._told = {id: told for id, told in self._told.items() if seconds - told < TOLD_AGAIN}
        soon = self._now() + self._seconds
        for charger in list(self._chargers.values()):
            certificate = charger.certificate
            if certificate is None or certificate.expires > soon or charger.security_profile != 3 or charger.id in self._told:
                continue
            self._told[charger.id] = seconds
            self._expiring(charger, certificate.expires)

    def _expiring(self, charger: Charger, expires: float) -> None:
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
        detail = f"at {until}, SHA-256 {charger.certificate.fingerprint if charger.certificate else ''}"
        if self._security.tell("certificate_expiring", detail, charger=charger.id, address=charger.address, domain=charger.domain):
            log.warn("certificate of {charger} expires at {until}", charger=charger.id, until=until)
        if not self._signs:
            return
        if charger.ocpp == "1.6":
            charger.call("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
        else:
            charger.call("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"})
