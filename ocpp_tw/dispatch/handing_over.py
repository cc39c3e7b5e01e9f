"""Sends a charger a new password: stored before it is sent, forgotten only if the charger is known not to have it.

Whoever has made it up, the gateway or the backend: what a command carries is noticed here, and is in no event or line of the log. That the
charger has shown it, and that its former one is not good any more, is the gate's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import TimeoutError

from ..core import new_passwords
from ..core.commands import Failed, Outcome
from ..core.entries import Listed, under_key
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
from ..ocpp.passwords import hidden, is_refused, passwords_in
from .ended import UNAVAILABLE

log = Logger()

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
        passwords = passwords_in(action, payload)
        if not passwords:
            return await send()
        try:
            await self._fleet_key.require()
            stored = [self._passwords.stored(each.encode()) for each in passwords]
            await self._keep(charger.id, stored)
        except ForeignKey as why:
            return Outcome("error", error=Failed("credentials_key", f"nothing was sent: {why}"))
        except TooMany:
            return Outcome("error", error=TOO_MANY)
        except (TimeoutError, StoreUnavailable):
            return Outcome("error", error=NOT_STORED)
        outcome = await send()
        refused = _refused(action, outcome)
        try:
            if refused or outcome.kind == "offline":
                await self._forget(charger.id, stored)
            elif (await self._credentials.record(charger.id)).new_password:  # else an operator has decided meanwhile that none is good
                await self._keep(charger.id, stored)  # should another gateway have written meanwhile
        except (TimeoutError, StoreUnavailable, TooMany) as why:
            log.warn("password that {charger} was sent: what waits is not up to date: {why}", charger=charger.id, why=repr(why))
        if refused:
            self._security.tell("password_refused", refused, charger=charger.id, address=charger.address, domain=charger.domain)
        return _without(outcome, passwords)

    async def _keep(self, id: str, stored: list[str]) -> None:
        """Whoever shows one of them comes in from now on, here and at every other gateway. Raises `TooMany`."""
        record = await self._credentials.record(id)
        if record.password in stored or set(stored) <= set(new_passwords.forms(record.new_password)):
            return
        try:
            waiting = new_passwords.with_new(record.new_password, stored)
            await self._credentials.put(id, "new_password", waiting, True, (under_key(key_of(stored[0])), Listed()))
        except TimeoutError:
            self._credentials.put_back(id, "new_password", record.new_password)
            raise

    async def _forget(self, id: str, stored: list[str]) -> None:
        record = await self._credentials.record(id)
        await self._credentials.put(id, "new_password", new_passwords.without(record.new_password, stored))


def _refused(action: str, outcome: Outcome) -> str:
    """The status or code with which the charger says that it has not taken the password; "" if it may have it."""
    if outcome.payload:  # of SetVariables in parts, all that has been answered
        return (outcome.status or "Rejected") if is_refused(action, outcome.payload) else ""
    return says_no(outcome)


def _without(outcome: Outcome, passwords: list[str]) -> Outcome:
    error = outcome.error
    if error is not None:
        error = Failed(hidden(error.code, passwords), hidden(error.description, passwords), hidden(error.details, passwords))
    return Outcome(outcome.kind, hidden(outcome.payload, passwords), error, outcome.sent, outcome.latency_ms)
