"""Sends a charger a new password: stored before it is sent, forgotten only once the charger is known not to have it.

Whoever has made it up, the gateway or the backend: what a command carries is noticed here, and is in no event or line of the log. That the
charger has shown it, and that its former one is not good any more, is the gate's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError

from ..core import network_passwords, new_passwords
from ..core.commands import Failed, Outcome
from ..core.entries import Effect, Listed, Record, under_key
from ..core.new_passwords import TooMany
from ..core.passwords import Passwords, key_of
from ..gateway.charger import Charger
from ..gateway.credentials import Credentials
from ..gateway.fleet_key import FleetKey, ForeignKey
from ..gateway.issuing import Issuing
from ..gateway.outgoing import says_no
from ..gateway.security import SecurityEvents
from ..interfaces import StoreUnavailable
from ..log import Logger
from ..ocpp.frames import Payload
from ..ocpp.passwords import hidden, is_refused, is_stored, sent_in
from .ended import UNAVAILABLE

log = Logger()

Stored = tuple[str, str]
"""The configuration slot ("": the charger's own) and the stored form of a password that is sent."""

TOO_MANY = Failed(
    "too_many_passwords",
    f"the charger may have any of the {new_passwords.MOST} passwords that it was sent last, and has shown none of them: nothing was sent; "
    "it has to reconnect, or an operator sets its password (PUT /api/chargers/ID)",
)
NOT_STORED = Failed(UNAVAILABLE, "the new password cannot be stored at the moment: nothing was sent, try again")


class HandingOver:
    """One for a gateway. For each charger one command is sent at a time, and nobody else adds passwords that wait."""

    def __init__(
        self, passwords: Passwords, fleet_key: FleetKey, credentials: Credentials, issuing: Issuing, security: SecurityEvents
    ) -> None:
        self._passwords = passwords
        self._fleet_key = fleet_key
        self._credentials = credentials
        self._issuing = issuing
        self._security = security

    async def send(self, charger: Charger, action: str, payload: Payload, send: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of sending a request, which may have a password in it; without that, if the charger has repeated it. A certificate is
        handed over in a similar way."""
        if action == "CertificateSigned":
            return await self._issuing.send(charger, payload, send)
        sent = sent_in(action, payload)
        if not sent:
            return await send()
        try:
            await self._fleet_key.require()
            stored = [(each.slot, self._passwords.stored(each.password.encode())) for each in sent]
            await self._keep(charger.id, stored)
        except ForeignKey as why:
            return Outcome("error", error=Failed("credentials_key", f"nothing was sent: {why}"))
        except TooMany:
            return Outcome("error", error=TOO_MANY)
        except (TimeoutError, StoreUnavailable):
            return Outcome("error", error=NOT_STORED)
        outcome = await send()
        refused = [(slot, form) for slot, form in stored if _refused(action, outcome, slot)]
        try:
            if outcome.kind == "offline":
                await self._forget(charger.id, stored)
            else:
                await self._answered(charger.id, action, outcome, stored, refused)
        except (TimeoutError, StoreUnavailable, TooMany) as why:
            log.warn("password that {charger} was sent: what waits is not up to date: {why}", charger=charger.id, why=repr(why))
        if refused:
            detail = _refused(action, outcome, refused[0][0])
            self._security.tell("password_refused", detail, charger=charger.id, address=charger.address, domain=charger.domain)
        return _without(outcome, [each.password for each in sent])

    async def _answered(self, id: str, action: str, outcome: Outcome, stored: list[Stored], refused: list[Stored]) -> None:
        """What the charger has refused of its own it may have all the same: only when it next authenticates it is known."""
        record = await self._credentials.record(id)
        taken = [each for each in stored if each not in refused]
        alive = [(slot, form) for slot, form in taken if (record.network_passwords if slot else record.new_password)]
        if alive:  # else an operator has decided meanwhile that none is good
            await self._keep(id, alive)  # should another gateway have written meanwhile
            record = await self._credentials.record(id)
        waiting = new_passwords.refused(record.new_password, _own(refused))
        kept = record.network_passwords
        for slot, form in stored:
            if slot and (slot, form) in refused:
                kept = network_passwords.without(kept, form)
            elif slot and outcome.payload and is_stored(action, outcome.payload, slot):
                kept = network_passwords.stored(kept, form)
        await self._put(id, record, waiting, kept)

    async def _keep(self, id: str, stored: list[Stored]) -> None:
        """Whoever shows one of them comes in from now on, here and at every other gateway. Raises `TooMany`."""
        record = await self._credentials.record(id)
        known = (record.password, *new_passwords.forms(record.new_password))
        waiting, kept = record.new_password, record.network_passwords
        if missing := [each for each in _own(stored) if each not in known]:
            waiting = new_passwords.with_new(waiting, missing)
        for slot, form in stored:
            if slot and form not in network_passwords.forms(kept):
                kept = network_passwords.with_new(kept, slot, form)
        await self._put(id, record, waiting, kept, (under_key(key_of(stored[0][1])), Listed()))

    async def _forget(self, id: str, stored: list[Stored]) -> None:
        record = await self._credentials.record(id)
        kept = record.network_passwords
        for slot, form in stored:
            if slot:
                kept = network_passwords.without(kept, form)
        await self._put(id, record, new_passwords.without(record.new_password, _own(stored)), kept)

    async def _put(self, id: str, record: Record, waiting: str, kept: str, beside: tuple[Effect, ...] = ()) -> None:
        """Set what differs; ``beside`` are the effects that go with what is new."""
        fields = (("new_password", record.new_password, waiting), ("network_passwords", record.network_passwords, kept))
        for name, before, after in fields:
            if before == after:
                continue
            try:
                await self._credentials.put(id, name, after, bool(beside), beside)
            except TimeoutError:
                if beside:
                    self._credentials.put_back(id, name, before)
                raise


def _own(stored: list[Stored]) -> list[str]:
    """Those that are the charger's own, for whatever network profile."""
    return [form for slot, form in stored if not slot]


def _refused(action: str, outcome: Outcome, slot: str) -> str:
    """The status or code with which the charger says that it has not taken the password; "" if it may have it."""
    if outcome.payload:  # of SetVariables in parts, all that has been answered
        return (outcome.status or "Rejected") if is_refused(action, outcome.payload, slot) else ""
    return says_no(outcome)


def _without(outcome: Outcome, passwords: list[str]) -> Outcome:
    error = outcome.error
    if error is not None:
        error = Failed(hidden(error.code, passwords), hidden(error.description, passwords), hidden(error.details, passwords))
    return Outcome(outcome.kind, hidden(outcome.payload, passwords), error, outcome.sent, outcome.latency_ms)
