"""Sends a charger a new password: stored before it is sent, forgotten only if the charger is known not to have it.

Whoever has made it up, the gateway or the backend: what a command carries is noticed here, and is in no event or line of the log. That the
charger has shown it, and that its former one is not good any more, is the gate's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core import new_passwords
from ..core.commands import Failed, Outcome
from ..core.entries import FLEET, GUARDED, SECURITY, Put, Record
from ..core.new_passwords import TooMany
from ..core.passwords import Passwords
from ..gateway.charger import Charger
from ..gateway.decisions import STORE_TIMEOUT
from ..gateway.outgoing import UNREADABLE
from ..gateway.publisher import Publisher
from ..gateway.security import SecurityEvents
from ..interfaces import Store, StoreUnavailable
from ..log import Logger
from ..ocpp.frames import Payload
from ..ocpp.passwords import UNSAID, hidden, is_refused, passwords_in
from ..waiting import in_time
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

    def __init__(self, clock: IReactorTime, publisher: Publisher, passwords: Passwords, store: Store, security: SecurityEvents) -> None:
        self._clock = clock
        self._publisher = publisher
        self._passwords = passwords
        self._register = store.register
        self._security = security

    async def send(self, charger: Charger, action: str, payload: Payload, send: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """The outcome of sending a request, which may have a password in it; without that, if the charger has repeated it."""
        passwords = passwords_in(action, payload)
        if not passwords:
            return await send()
        stored = [self._passwords.stored(each.encode()) for each in passwords]
        try:
            await self._keep(charger.id, stored)
        except TooMany:
            return Outcome("error", error=TOO_MANY)
        except (TimeoutError, StoreUnavailable):
            return Outcome("error", error=NOT_STORED)
        outcome = await send()
        refused = _refused(action, outcome)
        try:
            if refused or outcome.kind == "offline":
                await self._forget(charger.id, stored)
            else:
                await self._keep(charger.id, stored)  # should another gateway have written meanwhile
        except (TimeoutError, StoreUnavailable, TooMany) as why:
            log.warn("password that {charger} was sent: what waits is not up to date: {why}", charger=charger.id, why=repr(why))
        if refused:
            self._security.tell("password_refused", refused, charger=charger.id, address=charger.address, domain=charger.domain)
        return _without(outcome, passwords)

    async def _keep(self, id: str, stored: list[str]) -> None:
        """Whoever shows one of them comes in from now on, here and at every other gateway. Raises `TooMany`."""
        record = await self._record(id)
        if record.password in stored or set(stored) <= set(new_passwords.forms(record.new_password)):
            return
        try:
            await self._write(id, new_passwords.with_new(record.new_password, stored))
        except TimeoutError:  # it is on its way all the same
            self._publisher.carry_out(id, (_waiting(record.new_password),))
            raise

    async def _forget(self, id: str, stored: list[str]) -> None:
        await self._write(id, new_passwords.without((await self._record(id)).new_password, stored))

    async def _record(self, id: str) -> Record:
        found = self._register.find(id)  # which knows what is on its way to the store, too
        return found if isinstance(found, Record) else await in_time(found, STORE_TIMEOUT, self._clock)

    async def _write(self, id: str, waiting: str) -> None:
        durable: Deferred[None] = Deferred()
        effects = [_waiting(waiting)]
        if waiting:
            effects.append(Put(FLEET, GUARDED, b"yes", SECURITY))  # or nobody would look at what the charger shows
        self._publisher.carry_out(id, tuple(effects), lambda _: None if durable.called else durable.callback(None))
        await in_time(durable, STORE_TIMEOUT, self._clock)
        if waiting:
            self._register.guarded = True


def _waiting(forms: str) -> Put:
    return Put("record", "new_password", forms.encode() or None)


def _refused(action: str, outcome: Outcome) -> str:
    """The status or code with which the charger says that it has not taken the password; "" if it may have it."""
    if outcome.payload and is_refused(action, outcome.payload):
        return outcome.status or "Rejected"
    error = outcome.error
    # an answer that nobody can read may have been any
    if outcome.kind != "error" or not outcome.sent or error is None or error.code in UNSAID or error.description == UNREADABLE:
        return ""
    return "" if outcome.payload else error.code[:50]


def _without(outcome: Outcome, passwords: list[str]) -> Outcome:
    error = outcome.error
    if error is not None:
        error = Failed(hidden(error.code, passwords), hidden(error.description, passwords), hidden(error.details, passwords))
    return Outcome(outcome.kind, hidden(outcome.payload, passwords), error, outcome.sent, outcome.latency_ms)
