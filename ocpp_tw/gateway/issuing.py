"""Sends a charger a certificate of its own, signed here or by the backend: its fingerprint is stored first, so that it is known when shown.

Knows neither who has signed it nor what it says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError

from ..core import issued
from ..core.authority import fingerprint
from ..core.commands import Failed, Outcome
from ..interfaces import StoreUnavailable
from ..log import Logger
from ..ocpp.frames import Payload
from .charger import Charger
from .credentials import Credentials
from .outgoing import says_no
from .security import SecurityEvents

log = Logger()

STATION = "ChargingStationCertificate"
"""The kind of certificate that a charger shows to the gateway, the only one in 1.6; others it shows to cars."""

NOT_STORED = Failed("unavailable", "the certificate's fingerprint cannot be stored at the moment: nothing was sent, try again")


def is_for_connection(payload: Payload) -> bool:
    """Whether a SignCertificate or CertificateSigned is about the certificate that a charger shows to the gateway."""
    return bool(payload.get("certificateType", STATION) == STATION)


class Issuing:
    """One for a gateway."""

    def __init__(self, credentials: Credentials, security: SecurityEvents) -> None:
        self._credentials = credentials
        self._security = security

    async def send(self, charger: Charger, payload: Payload, send: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of sending a CertificateSigned."""
        found = fingerprint(str(payload.get("certificateChain"))) if is_for_connection(payload) else ""
        if not found:
            return await send()
        try:
            await self._credentials.prepare(charger.id, "issued", lambda record: issued.with_new(record.issued, found), guarding=False)
        except (TimeoutError, StoreUnavailable):
            return Outcome("error", error=NOT_STORED)
        outcome = await send()
        if outcome.status == "Accepted":
            self._tell(charger, "certificate_issued", f"SHA-256 {found}")
        elif why := says_no(outcome):
            self._tell(charger, "certificate_rejected", why)
        if outcome.kind == "offline" or says_no(outcome):
            await self._forget(charger, found)
        return outcome

    async def _forget(self, charger: Charger, found: str) -> None:
        try:
            await self._credentials.change(charger.id, "issued", lambda record: issued.without(record.issued, found))
        except (TimeoutError, StoreUnavailable) as why:  # that it stays does no harm: nobody else has its key
            log.warn("certificate that {charger} has refused stays known: {why}", charger=charger.id, why=repr(why))

    def _tell(self, charger: Charger, kind: str, detail: str) -> None:
        self._security.tell(kind, detail, charger=charger.id, address=charger.address, domain=charger.domain)
