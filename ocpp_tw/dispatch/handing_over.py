"""Sends a charger a new password: stored before it is sent, forgotten only once the charger is known not to have it.

Whoever has made it up, the gateway or the backend: what a command carries is noticed here, and is in no event or line of the log. That the
charger has shown it, and that its former one is not good any more, is the gate's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError

from ..core import network_passwords, new_passwords
from ..core.commands import Failed, Outcome
from ..core.entries import Listed, Record, under_key
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
from ..ocpp.passwords import is_refused, is_stored, sent_in
from ..ocpp.signed import secrets_sent
from ..repeated_secrets import hidden
from .ended import UNAVAILABLE

log = Logger()

NEW, NETWORK = "new_password", "network_passwords"
"""Fields of a `Record`."""

Stored = tuple[str, str]
"""The configuration slot ("": the charger's own) and the stored form of a password that is sent."""

TOO_MANY = Failed(
    "too_many_passwords",
    f"the charger may have any of the {new_passwords.MOST} passwords that it was sent last, and has shown none of them: nothing was sent; "
    "it has to come in with one of them, or an operator sets another password (PUT /api/chargers/ID) or removes the charger (DELETE)",
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

    def hindrance(self, action: str, payload: Payload) -> Failed | None:
        """Why such a request is not to be claimed at the moment: the claim would wait for the store, for as long as that takes."""
        return NOT_STORED if self._credentials.away and (action == "CertificateSigned" or sent_in(action, payload)) else None

    async def send(self, charger: Charger, action: str, payload: Payload, send: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of sending a request, which may have a password in it; without the request's secrets, if the charger has repeated any.
        A certificate is handed over in a similar way."""
        secrets = secrets_sent(action, payload)
        outcome = await self._send(charger, action, payload, send, secrets)
        return without_secrets(outcome, secrets)

    async def _send(
        self, charger: Charger, action: str, payload: Payload, send: Callable[[], Awaitable[Outcome]], secrets: list[str]
    ) -> Outcome:
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
            detail = hidden(_refused(action, outcome, refused[0][0]), secrets)
            self._security.tell("password_refused", detail, charger=charger.id, address=charger.address, domain=charger.domain)
        return outcome

    async def _answered(self, id: str, action: str, outcome: Outcome, stored: list[Stored], refused: list[Stored]) -> None:
        """What the charger has refused it may have all the same: only when it next authenticates it is known."""
        record = await self._credentials.record(id)
        taken = [each for each in stored if each not in refused]
        alive = [(slot, form) for slot, form in taken if (record.network_passwords if slot else record.new_password)]
        for name, to in _adding(alive):  # else an operator has decided meanwhile that none is good
            await self._credentials.change(id, name, to)  # should another gateway have written meanwhile
        payload = outcome.payload

        def kept(record: Record) -> str:
            kept = record.network_passwords
            for slot, form in stored:
                if slot and (slot, form) in refused:
                    kept = network_passwords.refused(kept, form)
                elif slot and payload and is_stored(action, payload, slot):
                    kept = network_passwords.stored(kept, form)
            return kept

        await self._credentials.change(id, NEW, lambda record: new_passwords.refused(record.new_password, _own(refused)))
        await self._credentials.change(id, NETWORK, kept)

    async def _keep(self, id: str, stored: list[Stored]) -> None:
        """Whoever shows one of them comes in from now on, here and at every other gateway. Raises `TooMany`."""
        for name, to in _adding(stored):
            await self._credentials.prepare(id, name, to, beside=(under_key(key_of(stored[0][1])), Listed()))

    async def _forget(self, id: str, stored: list[Stored]) -> None:
        def kept(record: Record) -> str:
            kept = record.network_passwords
            for slot, form in stored:
                if slot:
                    kept = network_passwords.without(kept, form)
            return kept

        await self._credentials.change(id, NEW, lambda record: new_passwords.without(record.new_password, _own(stored)))
        await self._credentials.change(id, NETWORK, kept)


def _adding(stored: list[Stored]) -> list[tuple[str, Callable[[Record], str]]]:
    """The fields that change so that these are good, and to what."""
    own, slots = _own(stored), [each for each in stored if each[0]]

    def waiting(record: Record) -> str:
        known = (record.password, *new_passwords.forms(record.new_password))
        missing = [each for each in own if each not in known]
        return new_passwords.with_new(record.new_password, missing) if missing else record.new_password

    def kept(record: Record) -> str:
        kept = record.network_passwords
        for slot, form in slots:
            if form not in network_passwords.forms(kept):
                kept = network_passwords.with_new(kept, slot, form)
        return kept

    return [*([(NEW, waiting)] if own else []), *([(NETWORK, kept)] if slots else [])]


def _own(stored: list[Stored]) -> list[str]:
    """Those that are the charger's own, for whatever network profile."""
    return [form for slot, form in stored if not slot]


def _refused(action: str, outcome: Outcome, slot: str) -> str:
    """The status or code with which the charger says that it has not taken the password; "" if it may have it."""
    if outcome.payload:  # of SetVariables in parts, all that has been answered
        return (outcome.status or "Rejected") if is_refused(action, outcome.payload, slot) else ""
    return says_no(outcome)


def without_secrets(outcome: Outcome, secrets: list[str]) -> Outcome:
    """The outcome without the secrets of the request (`secrets_sent`), wherever the charger has repeated them."""
    if not secrets:
        return outcome
    error = outcome.error
    if error is not None:
        error = Failed(hidden(error.code, secrets), hidden(error.description, secrets), hidden(error.details, secrets))
    return Outcome(outcome.kind, hidden(outcome.payload, secrets), error, outcome.sent, outcome.latency_ms)
