"""Raises a charger's security profile (`set_security_profile`): checks what it needs, sends the requests, and waits until it has come in so.

What is wanted is stored before it is sent; the gate tells what comes of it in the handshake, here it is told if none comes. Never lower:
what a charger has once come in with is its least. Knows no payload.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..core import network_passwords, new_passwords
from ..core.commands import Command, Failed, Outcome
from ..core.entries import Record
from ..core.wanted import WITHIN, Wanted
from ..gateway.charger import Charger
from ..gateway.credentials import Credentials
from ..gateway.security import SecurityEvents
from ..interfaces import StoreUnavailable
from ..log import Logger
from ..ocpp.frames import Payload
from ..ocpp.security_profiles import GET_PRIORITY, free_slot, prefer, raising, read, slots_in
from ..settings import Settings
from .ended import UNAVAILABLE

log = Logger()

COMMAND = "set_security_profile"

LATER = 60.0
"""Seconds that a gateway waits longer at which the charger has come in since: the one that has told it to, if that still runs, tells first."""

NO_SLOTS = Failed(
    "no_network_priority", "the charger does not tell its NetworkConfigurationPriority: what works now must not be overwritten"
)
NOT_STORED = Failed(UNAVAILABLE, "what is wanted of the charger cannot be stored at the moment: nothing was sent, try again")

Send = Callable[[str, Payload], Awaitable[Outcome]]


class Upgrades:
    """One for a gateway."""

    def __init__(
        self, settings: Settings, clock: IReactorTime, credentials: Credentials, security: SecurityEvents, unix: Callable[[], float]
    ) -> None:
        self._tls = bool(settings.tls or settings.trusted_proxies)
        self._authorities = bool(settings.tls_client_ca)
        self._clock = clock
        self._credentials = credentials
        self._security = security
        self._unix = unix
        self._waiting: dict[str, IDelayedCall] = {}

    def stop(self) -> None:
        """The gateway ends: what comes of it the next handshake tells, at whatever gateway."""
        for each in self._waiting.values():
            each.cancel()
        self._waiting.clear()

    async def hindrance(self, command: Command, charger: Charger) -> str:
        """Why the command must not be sent, "" if it may: what it needs is not there, or the charger would come in no more."""
        if command.neutral != COMMAND:
            return ""
        wanted = read(charger.ocpp, command.payload)["security_profile"]
        try:
            record = await self._credentials.record(charger.id)
        except (TimeoutError, StoreUnavailable):
            return ""  # it fails when it is sent
        if wanted <= max(charger.security_profile, record.least_profile):
            return f"the charger's security profile is {max(charger.security_profile, record.least_profile)}, and is only ever raised"
        has_password = record.password or network_passwords.taken(record.network_passwords) or new_passwords.awaited(record.new_password)
        if wanted in (1, 2) and not has_password:
            return "the charger has no password yet: rotate_password gives it one"
        if wanted in (2, 3) and not self._tls:
            return "the gateway has no TLS: see --tls and --trusted-proxies"
        return "the gateway asks for no certificates: see --tls-client-ca" if wanted == 3 and not self._authorities else ""

    async def run(self, command: Command, charger: Charger, send: Send) -> Outcome:
        """The outcome of all requests: the answer's `status` is that of the last one that decides, `steps` has all. ``send`` sends one under
        the command's id."""
        data = read(charger.ocpp, command.payload)
        wanted = Wanted(data["security_profile"], since=int(self._unix()))
        try:
            await self._credentials.prepare(charger.id, "wanted_profile", lambda record: str(wanted))
        except (TimeoutError, StoreUnavailable):
            return Outcome("error", error=NOT_STORED)
        outcome, may_come = await (self._in_one if charger.ocpp == "1.6" else self._by_network_profile)(charger, data, send)
        if may_come:
            self._wait(charger.id, charger.domain, WITHIN)
            if outcome.status == "RebootRequired":
                await self._change(charger.id, wanted, wanted._replace(after_restart=True))
        else:
            await self._change(charger.id, wanted, None)
        return outcome

    async def _in_one(self, charger: Charger, data: Payload, send: Send) -> tuple[Outcome, bool]:
        outcome = await send(*raising(charger.ocpp, data))
        refused = outcome.kind in ("error", "offline") or (
            outcome.kind == "result" and outcome.status not in ("Accepted", "RebootRequired")
        )
        return outcome, not refused

    async def _by_network_profile(self, charger: Charger, data: Payload, send: Send) -> tuple[Outcome, bool]:
        """B09, B10, A05: a new network profile beside those that work, which is tried first, after a restart when nothing charges."""
        steps: list[Any] = []
        found = await charger.call(*GET_PRIORITY)
        used = slots_in(found.payload or {})
        if used is None:
            return (
                found if found.kind in ("offline", "connection_lost", "timeout") else Outcome("error", error=NO_SLOTS, sent=True)
            ), False
        slot = data.get("slot", free_slot(used))
        if slot in used:
            return Outcome("invalid", error=Failed("invalid", f"slot {slot} is in use, and must not be overwritten")), False
        for action, payload in (raising(charger.ocpp, data, charger.domain, slot), prefer(slot, used)):
            outcome = await (charger.call(action, payload) if steps else send(action, payload))
            steps.append({"action": action, "status": outcome.status})
            if outcome.kind != "result" or outcome.status not in ("Accepted", "RebootRequired"):
                unknown = action == "SetVariables" and outcome.kind in ("timeout", "connection_lost")
                return _told(outcome, steps, outcome.status), unknown
        reset = await charger.call("Reset", {"type": "OnIdle"})
        steps.append({"action": "Reset", "status": reset.status})
        restarts = reset.status in ("Accepted", "Scheduled")
        return _told(outcome, steps, reset.status if restarts else "RebootRequired"), True

    # what is wanted

    async def _change(self, id: str, before: Wanted, wanted: Wanted | None) -> None:
        """Unless the charger has come in meanwhile, or something else is wanted of it by now."""

        def to(record: Record) -> str:
            return str(wanted or "") if record.wanted_profile == str(before) else record.wanted_profile

        try:
            await self._credentials.change(id, "wanted_profile", to)
        except (TimeoutError, StoreUnavailable) as why:
            log.warn("security profile that is wanted of {charger} cannot be stored: {why}", charger=id, why=repr(why))

    def wait(self, id: str, domain: str, seconds: float) -> None:
        """A charger has come in that has so many seconds left: this gateway or another, maybe in an earlier run, has told it to."""
        if id not in self._waiting:
            self._wait(id, domain, seconds + LATER)

    def _wait(self, id: str, domain: str, seconds: float) -> None:
        before = self._waiting.pop(id, None)
        if before is not None:
            before.cancel()
        self._waiting[id] = self._clock.callLater(seconds, self._over, id, domain)

    def _over(self, id: str, domain: str) -> None:
        del self._waiting[id]
        judging = Deferred.fromCoroutine(self._judge(id, domain))
        judging.addErrback(lambda why: log.failure("upgrade of {charger} not followed", why, charger=id))

    async def _judge(self, id: str, domain: str) -> None:
        try:
            wanted = Wanted.read((await self._credentials.record(id)).wanted_profile)
        except (TimeoutError, StoreUnavailable):
            return  # the next handshake tells
        if wanted:
            detail = f"it has not come in with security profile {wanted.profile} within an hour"
            self._security.tell("profile_upgrade_failed", detail, charger=id, domain=domain)
            await self._change(id, wanted, None)


def _told(outcome: Outcome, steps: list[Any], status: str | None) -> Outcome:
    payload = {"status": status, "steps": steps} if status else {"steps": steps}
    return Outcome(outcome.kind, payload, outcome.error, True, outcome.latency_ms)
