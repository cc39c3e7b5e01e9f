"""Signs what chargers ask to have signed (SignCertificate) with the operator's own authority, and sends it to them (1.6 A02, 2.x A02, A03).

A charger has to have shown who it is, by a password or a certificate: or anybody could have a certificate of any charger. Knows neither
what a signing request must be nor what a certificate says.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..core.authority import Authority, Issued
from ..core.commands import Outcome
from ..core.rate_limit import Rate, RateLimits
from ..core.signing_requests import NotSigned, check, read
from ..facts import Answer, Other
from ..log import Logger
from ..ocpp.frames import Payload
from .charger import Charger
from .issuing import Issuing, is_for_connection
from .security import SecurityEvents

log = Logger()

RATE = Rate(5, 1 / 60)
"""Requests of one charger that are signed: one that discards each certificate asks again and again."""


class Signing:
    """One for a gateway that has an authority. ``organization`` is the one that certificates must name ("": any)."""

    def __init__(self, authority: Authority, organization: str, clock: IReactorTime, issuing: Issuing, security: SecurityEvents) -> None:
        self._authority = authority
        self._organization = organization
        self._clock = clock
        self._issuing = issuing
        self._security = security
        self._limits = RateLimits(RATE)

    def takes(self, fact: Other) -> bool:
        """Whether this is a request to be signed here; a certificate for cars is not."""
        return fact.action == "SignCertificate" and is_for_connection(fact.payload)

    def decide(self, charger: Charger, fact: Other) -> Answer:
        """Accepted, and the certificate follows the answer; or Rejected."""
        try:
            made = self._issue(charger, fact.payload)
        except NotSigned as why:
            self._tell(charger, "certificate_refused", str(why))
            return Answer({"status": "Rejected"})
        payload: Payload = {"certificateChain": made.chain}
        if charger.ocpp != "1.6":
            payload |= {name: fact.payload[name] for name in ("certificateType", "requestId") if name in fact.payload}
        self._clock.callLater(0, self._begin, charger, payload)
        return Answer({"status": "Accepted"})

    def _issue(self, charger: Charger, payload: Payload) -> Issued:
        if charger.security_profile == 0:
            raise NotSigned("the charger has not authenticated: nobody gets a certificate by a name alone")
        if self._limits.next(charger.id, self._clock.seconds()) is None:
            raise NotSigned("it has had as many certificates as it may for now")
        request = read(str(payload.get("csr")))
        in_use = charger.certificate.common_name if charger.certificate else ""
        check(request, (charger.id, charger.serial, in_use), self._organization)
        return self._authority.issue(request, charger.id)

    def _begin(self, charger: Charger, payload: Payload) -> None:
        sending = Deferred.fromCoroutine(self._issuing.send(charger, payload, lambda: charger.call("CertificateSigned", payload)))
        sending.addCallbacks(self._sent, lambda why: log.failure("certificate for {charger} not sent", why, charger=charger.id), (charger,))

    def _sent(self, outcome: Outcome, charger: Charger) -> None:
        if not outcome.sent:  # the charger asks again if it gets none
            log.warn("certificate for {charger} not sent: {outcome}", charger=charger.id, outcome=outcome.kind)

    def _tell(self, charger: Charger, kind: str, detail: str) -> None:
        if self._security.tell(kind, detail, charger=charger.id, address=charger.address, domain=charger.domain):
            log.warn("signing request of {charger} refused: {why}", charger=charger.id, why=detail)
