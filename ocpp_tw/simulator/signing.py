"""Having a charger's own certificates signed: the request, its repetitions, and what comes back.

Knows the messages, which are the same in all versions but for members that only some have; the keys are in `own_certificates`.
"""

from __future__ import annotations

from ..facts import Answer, Other, Verdict
from ..ocpp.frames import Payload
from .command import CommandTarget
from .own_certificates import STATION, SigningRequest
from .quirks import Effect
from .security_changes import change

REPETITION = "sign certificate"
"""The timer; a further request takes the place of the one before it."""


def request_certificate(charger: CommandTarget, *uses: str, **more: object) -> None:
    """Send a SignCertificate for a new key once the answer has been sent (A02.FR.02)."""

    def begin() -> None:
        own, organization = charger.security.own, charger.configuration.find("CpoName")
        name = own.name(charger.identity.serial or charger.id)
        request = own.request(name, organization.value if organization is not None else "", *uses)
        id = {"requestId": request.id} if charger.ocpp == "2.1" else {}  # A02.FR.24
        wait, times = (charger.configuration.number(f"CertSigning{each}") for each in ("WaitMinimum", "RepeatTimes"))
        _send(charger, request, {"csr": request.csr} | more | id, wait, times)

    charger.afterwards(begin)


def _send(charger: CommandTarget, request: SigningRequest, payload: Payload, wait: float, times: int) -> None:
    """Send it, and again each time that it was accepted and no certificate has come in ``wait`` simulated seconds (A02.FR.17 to .19)."""

    def answered(verdict: Verdict) -> None:
        if isinstance(verdict, Answer) and verdict.members.get("status") == "Accepted" and wait and times:
            charger.timers.set(REPETITION, wait, repeat)

    def repeat() -> None:
        if charger.security.own.awaits(request):
            _send(charger, request, payload, wait * 2, times - 1)

    charger.send_fact(Other("SignCertificate", payload), answered)


def certificate_signed(charger: CommandTarget, chain: str, id: int | None) -> str:
    """The status for a signed certificate, which is used from the next connection on; at profile 3 that is at once (A02.FR.08)."""
    security = charger.security
    found = security.own.judge(chain, security.roots, id)
    if isinstance(found, str):
        charger.timers.drop(REPETITION)  # A02.FR.20
        charger.afterwards(lambda: charger.events.report(security.words.invalid_own, found))
        return "Rejected"
    now = security.profile == 3 and STATION in found.uses
    return change(charger, "CertificateSigned", lambda: security.own.install(found), Effect.AT_ONCE if now else Effect.NEXT_CONNECTION)
