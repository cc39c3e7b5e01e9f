"""Which chargers are admitted: looks them up in the register, has their handshakes judged, and tells of those that fail.

Knows neither how credentials are compared (`authentication`) nor where they are kept.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NoReturn

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core import issued
from ..core.entries import AFTER_RESTART, FLEET, GUARDED, SECURITY, Put, Record
from ..core.new_passwords import shown
from ..core.passwords import Passwords
from ..interfaces import HandshakeRefused, HandshakeRequest, IGate, IRegister, Maybe, StoreUnavailable
from ..waiting import deferred
from .attempts import Attempts
from .authentication import NotAdmitted, Policy, Verdict, judge
from .failed_authentications import FailedAuthentications
from .publisher import Publisher
from .security import SecurityEvents

CHALLENGE = ("WWW-Authenticate", 'Basic realm="ocpp", charset="UTF-8"')

SAID = {401: "Unauthorized", 403: "Forbidden", 404: "unknown charger", 503: "cannot be authenticated now"}
"""What whoever is refused is told, by status: no more than that."""


@implementer(IGate)
class Gate:
    """One for a gateway."""

    def __init__(
        self,
        policy: Policy,
        clock: IReactorTime,
        register: IRegister,
        passwords: Passwords,
        publisher: Publisher,
        security: SecurityEvents,
    ) -> None:
        self.policy = policy
        self._clock = clock
        self._register = register
        self._passwords = passwords
        self._publisher = publisher
        self._security = security
        self._attempts = Attempts()
        self._failed = FailedAuthentications(clock, publisher)

    def admit(self, request: HandshakeRequest) -> Maybe[int]:
        """See `IGate`."""
        if self.policy.open and self._register.guarded is False and request.certificate is None:
            return 0  # nothing is asked of anybody, so nobody is looked up; the first who has credentials is again when he is served
        try:
            found = self._register.find(request.id)
        except StoreUnavailable as why:
            raise self._unavailable(request, why) from None
        if isinstance(found, Record):
            return self._judge(request, found)
        return deferred(found).addCallbacks(partial(self._judge, request), partial(self._failed_to_find, request))

    def _failed_to_find(self, request: HandshakeRequest, why: Failure) -> NoReturn:
        why.trap(StoreUnavailable)  # type: ignore[no-untyped-call]
        raise self._unavailable(request, why.value)

    def _judge(self, request: HandshakeRequest, record: Record) -> int:
        try:
            verdict = judge(request, record, self.policy, self._passwords)
        except NotAdmitted as why:
            raise self._refusal(request, why) from None
        if record.wanted_profile:
            self._upgraded(request, record.wanted_profile, verdict.profile)
        if verdict.profile:
            self._attempts.succeeded(request.id)
            self._learn(request, record, verdict)
        return verdict.profile

    def _learn(self, request: HandshakeRequest, record: Record, verdict: Verdict) -> None:
        """The charger is never admitted with less than this again; with the new password that it has shown, its former one is gone."""
        effects: list[Put] = []
        if str(verdict.profile) > record.reached_profile:
            effects.append(Put("record", "reached_profile", str(verdict.profile).encode()))
            effects.append(Put(FLEET, GUARDED, b"yes", SECURITY))
        if verdict.new_password:
            waiting = shown(record.new_password, verdict.new_password)
            effects += [Put("record", "password", verdict.new_password.encode()), Put("record", "new_password", waiting.encode() or None)]
        if verdict.new_certificate:
            effects.append(Put("record", "issued", issued.shown(record.issued, verdict.new_certificate).encode()))
            if record.certificate:  # the only one to accept is the one in use
                effects.append(Put("record", "certificate", verdict.new_certificate.encode()))
        if effects:
            self._publisher.carry_out(request.id, tuple(effects))
        told = [("password_changed", "it has been shown")] if verdict.new_password else []
        if verdict.new_certificate:
            told.append(("certificate_confirmed", f"SHA-256 {verdict.new_certificate}"))
        for kind, detail in told:
            self._security.tell(kind, detail, charger=request.id, address=request.address, domain=request.domain)

    def _upgraded(self, request: HandshakeRequest, wanted: str, profile: int) -> None:
        """The charger was told to come in with another security profile, and has, or has gone back to its former one (A05.FR.08)."""
        kind, how = "profile_upgraded", ""
        if str(profile) < wanted[0]:
            if wanted.endswith(AFTER_RESTART):
                return
            kind, how = "profile_upgrade_failed", f", not {wanted}"
        self._publisher.carry_out(request.id, (Put("record", "wanted_profile", None),))
        detail = f"it has come in with security profile {profile}{how}"
        self._security.tell(kind, detail, charger=request.id, address=request.address, domain=request.domain)

    def _refusal(self, request: HandshakeRequest, why: NotAdmitted) -> HandshakeRefused:
        status, headers, wait = why.status, [], 0.0
        if why.kind not in ("unknown", "misconfigured"):
            wait = self._attempts.failed(request.id, request.address, self._clock.seconds())
        if wait:
            status = 429
            headers.append(("Retry-After", str(math.ceil(wait))))
        elif status == 401:
            headers.append(CHALLENGE)
        if why.kind != "unknown":
            self._failed.tell(request, status, str(why))
        return HandshakeRefused(status, SAID.get(status, "Too Many Requests"), tuple(headers))

    def _unavailable(self, request: HandshakeRequest, why: BaseException | None) -> HandshakeRefused:
        self._failed.tell(request, 503, str(why))
        return HandshakeRefused(503, SAID[503], (("Retry-After", "10"),))
