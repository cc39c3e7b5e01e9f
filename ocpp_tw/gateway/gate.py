"""Which chargers are admitted: looks them up in the register, has their handshakes judged, and tells of those that fail.

Knows neither how credentials are compared (`authentication`) nor where they are kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from ..core import issued, network_passwords, new_passwords
from ..core.entries import GUARD, JUDGED, SPELLINGS, Effect, Put, Record, Unchanged, spelled
from ..core.passwords import Passwords
from ..core.wanted import Wanted
from ..interfaces import HandshakeRefused, HandshakeRequest, IGate, IRecords, IRegister, Maybe, StoreUnavailable
from ..waiting import deferred, in_time
from ..words import shown
from .attempts import Attempts
from .authentication import NotAdmitted, Policy, Verdict, judge
from .backend_register import BackendRegister
from .failed_authentications import FailedAuthentications
from .publisher import Publisher
from .security import SecurityEvents
from .spellings import another

CHALLENGE = ("WWW-Authenticate", 'Basic realm="ocpp", charset="UTF-8"')

SAID = {401: "Unauthorized", 403: "Forbidden", 404: "unknown charger", 503: "cannot be authenticated now"}
"""What whoever is refused is told, by status: no more than that."""


STORE_TIMEOUT = 2.0
"""Seconds that the store has to say how an identity is spelled; then whoever asks is told to come again."""


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
        records: IRecords,
        backend: BackendRegister | None = None,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self.on_awaited: Callable[[str, str, float], None] = lambda id, domain, seconds: None
        """Called with a charger that is in, its Host header, and the seconds that it still has to come in with the profile that is wanted."""
        self._unix = unix
        self.policy = policy
        self._records = records
        self._backend = backend
        self._clock = clock
        self._register = register
        self._passwords = passwords
        self._publisher = publisher
        self._security = security
        self._attempts = Attempts()
        self._failed = FailedAuthentications(clock, publisher, register)

    def admit(self, request: HandshakeRequest) -> Maybe[int]:
        """See `IGate`."""
        if self.policy.open and self._register.guarded is False and request.certificate is None:
            return 0  # nothing is asked of anybody, so nobody is looked up; the first who has credentials is again when he is served
        try:
            found = self._register.find(request.id)
        except StoreUnavailable as why:
            raise self._unavailable(request, why) from None
        if isinstance(found, Record):
            return self._found(request, found)
        return deferred(found).addCallbacks(partial(self._found, request), partial(self._failed_to_find, request))

    def _found(self, request: HandshakeRequest, record: Record) -> int | Deferred[int]:
        if record.is_registered or not self._register.guarded or not any(each.lower().startswith("ocpp2") for each in request.offered):
            return self._known(request, record)
        spellings = in_time(self._records.table(SPELLINGS, request.id.lower()), STORE_TIMEOUT, self._clock)
        return spellings.addCallbacks(partial(self._spelled, request, record), partial(self._unread, request, record))

    def _spelled(self, request: HandshakeRequest, record: Record, spellings: dict[str, bytes]) -> int | Deferred[int]:
        """An identifierString is the same in any case (2.x part 2, primitive datatypes): who is registered as CP1 does not come in as cp1,
        of which nothing is known, and so nothing asked."""
        if other := another(request.id, spellings):
            raise self._refusal(request, NotAdmitted("authentication_failed", 401, f"it is registered as {shown(other)}"))
        return self._known(request, record)

    def _unread(self, request: HandshakeRequest, record: Record, _: Failure) -> Deferred[int]:
        """Whoever was here before under this spelling comes in, unless another one was registered when this gateway looked last."""
        return deferred(self._records.table(SPELLINGS, request.id.lower(), remembered=True)).addCallback(
            partial(self._remembered, request, record)
        )

    def _remembered(self, request: HandshakeRequest, record: Record, spellings: dict[str, bytes]) -> int | Deferred[int]:
        if record == Record() and not spellings:
            raise self._unavailable(request, StoreUnavailable("the store does not answer"))
        return self._spelled(request, record, spellings)

    def _known(self, request: HandshakeRequest, record: Record) -> int | Deferred[int]:
        if self._backend is None:
            return self._judge(request, record)
        alone = self.policy._replace(backend=False)
        try:
            judge(request, record, alone, self._passwords)  # nobody has the backend asked who does not come in anyway
        except NotAdmitted as why:
            raise self._refusal(request, why) from None
        try:
            found = self._backend.look_up(request.id, record)
        except StoreUnavailable as why:
            raise self._unavailable(request, why) from None
        if isinstance(found, Record):
            return self._judge(request, found)
        return found.addCallbacks(partial(self._judge, request), partial(self._failed_to_find, request))

    def _failed_to_find(self, request: HandshakeRequest, why: Failure) -> NoReturn:
        why.trap(StoreUnavailable)  # type: ignore[no-untyped-call]
        raise self._unavailable(request, why.value)

    def _judge(self, request: HandshakeRequest, record: Record) -> int:
        try:
            verdict = judge(request, record, self.policy, self._passwords)
        except NotAdmitted as why:
            raise self._refusal(request, why) from None
        if wanted := Wanted.read(record.wanted_profile):
            self._upgraded(request, record, wanted, verdict.profile)
        if verdict.profile:
            self._attempts.succeeded(request.id)
            self._learn(request, record, verdict)
        else:  # nothing is asked of it: what it has does not matter
            self._store(request.id, record, _without_refused(record))
        return verdict.profile

    def _learn(self, request: HandshakeRequest, record: Record, verdict: Verdict) -> None:
        """The charger is never admitted with less than this again; with the new password that it has shown, its former one is gone. One of its
        network profiles ends no other. All that holds if nothing has changed meanwhile: another gateway, or an operator, knows better."""
        effects: list[Effect] = []
        if str(verdict.profile) > record.reached_profile:
            effects.append(Put("record", "reached_profile", str(verdict.profile).encode()))
            effects += [GUARD, *spelled(request.id)]
        if verdict.new_password:
            waiting = new_passwords.shown(record.new_password, verdict.new_password, record.password)
            effects += [Put("record", "password", verdict.new_password.encode()), Put("record", "new_password", waiting.encode() or None)]
        elif verdict.network_password == "":
            waiting = new_passwords.kept(record.new_password)
            if waiting != record.new_password:
                effects.append(Put("record", "new_password", waiting.encode() or None))
        if record.network_passwords and verdict.network_password is not None:
            kept = network_passwords.shown(record.network_passwords, verdict.network_password)
            if kept != record.network_passwords:
                effects.append(Put("record", "network_passwords", kept.encode() or None))
        if verdict.new_certificate:
            effects.append(Put("record", "issued", issued.shown(record.issued, verdict.new_certificate).encode()))
            if record.certificate:  # the only one to accept is the one in use
                effects.append(Put("record", "certificate", verdict.new_certificate.encode()))
        self._store(request.id, record, effects)
        told = [("password_changed", "it has been shown")] if verdict.new_password else []
        if verdict.new_certificate:
            told.append(("certificate_confirmed", f"SHA-256 {verdict.new_certificate}"))
        for kind, detail in told:
            self._security.tell(kind, detail, charger=request.id, address=request.address, domain=request.domain)

    def _store(self, id: str, record: Record, effects: Sequence[Effect]) -> None:
        """What follows from the handshake, which was judged by that record."""
        if effects:
            self._publisher.carry_out(id, (Unchanged.of(record, *JUDGED), *effects))

    def _upgraded(self, request: HandshakeRequest, record: Record, wanted: Wanted, profile: int) -> None:
        """The charger was told to come in with another security profile, and has, or has gone back to its former one (A05.FR.08)."""
        kind, how = "profile_upgraded", ""
        if profile < wanted.profile:
            left = wanted.left(self._unix())
            if wanted.after_restart and left:
                self.on_awaited(request.id, request.domain, left)
                return
            kind, how = "profile_upgrade_failed", f", not {wanted.profile}"
            if not left:
                how += " within an hour"
        self._publisher.carry_out(request.id, (Unchanged.of(record, "wanted_profile"), Put("record", "wanted_profile", None)))
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
        return HandshakeRefused(status, SAID.get(status, "Too Many Requests"), tuple(headers), str(why))

    def _unavailable(self, request: HandshakeRequest, why: BaseException | None) -> HandshakeRefused:
        self._failed.tell(request, 503, str(why))
        return HandshakeRefused(503, SAID[503], (("Retry-After", "10"),), str(why))


def _without_refused(record: Record) -> list[Put]:
    """The charger has come in without what it has refused."""
    waiting, kept = new_passwords.kept(record.new_password), network_passwords.without_refused(record.network_passwords)
    fields = (("new_password", record.new_password, waiting), ("network_passwords", record.network_passwords, kept))
    return [Put("record", name, after.encode() or None) for name, before, after in fields if before != after]
