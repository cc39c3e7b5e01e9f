"""What operators decide about chargers: which registration status to give, at which interval to retry, which version of OCPP to speak, and
with which credentials they come in.

Knows the chargers that are connected here, and that a decision about any other charger goes to the gateway that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypedDict

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from ..core import issued, new_passwords
from ..core.entries import (
    DECIDED,
    GUARD,
    SAID_BY_BACKEND,
    SPELLINGS,
    Effect,
    Listed,
    PeerMessage,
    Put,
    Record,
    Unchanged,
    spelled,
    under_key,
)
from ..core.event import one_of
from ..core.passwords import key_of
from ..core.registration import REGISTRATIONS
from ..core.wanted import Wanted
from ..interfaces import Store, StoreUnavailable
from ..log import Logger
from ..ocpp.version import Version
from ..waiting import in_time
from .authentication import Policy
from .charger import Charger
from .publisher import Publisher
from .spellings import Spellings

log = Logger()

GUARDING = ("security_profile", "password", "certificate")
"""Decisions with which a charger has to authenticate."""

VOIDS = {
    "security_profile": ("reached_profile",),
    "password": ("new_password", "network_passwords"),  # it is then the only one
    "certificate": ("issued",),  # likewise
}
"""What is void once something else is decided."""

NOTHING: Mapping[str, str] = {}

ATTEMPTS = 5
"""How often a change is tried that is overtaken by another one; then it fails."""

OVERTAKEN = "what is stored about the charger changes again and again"
AWAY = "the store takes nothing at the moment, and other gateways would not know of it"

STORE_TIMEOUT = 3.0
"""Seconds that the roster and the records have to answer. A charger is served without them after that; an operator gets an error."""


class Decisions:
    """One for a gateway. ``chargers`` are those connected here, ``versions`` those spoken, by subprotocol."""

    def __init__(
        self,
        chargers: Mapping[str, Charger],
        versions: Mapping[str, Version],
        policy: Policy,
        clock: IReactorTime,
        publisher: Publisher,
        store: Store,
        spellings: Spellings,
    ) -> None:
        self._chargers = chargers
        self._versions = versions
        self.policy = policy
        self._clock = clock
        self._publisher = publisher
        self._roster = store.roster
        self._records = store.records
        self._register = store.register
        self._spellings = spellings
        self._pinned: dict[str, str] = {}

    async def decide(self, id: str, changes: dict[str, Any], repeated: Mapping[str, str] = NOTHING) -> RecordSummary:
        """Store a decision about a charger, connected or not: the fields `ocpp_tw.core.entries.DECIDED` of its record, a password in the
        form in which it is stored.

        None takes an earlier decision back. ``repeated`` are those that are the same as before, with what is stored of each: what has come of
        them stays, the passwords and certificates that the charger was sent since too, and it need not come again. Returns all that stands
        now.

        Every gateway knows of it by then: it fails with `StoreUnavailable` while the store takes nothing, and one that waits in a spool all the
        same, since the store went away that moment, undoes no later decision.
        """
        changes = {**{other: None for name in changes if name not in repeated for other in VOIDS.get(name, ())}, **changes}
        for _ in range(ATTEMPTS):
            if self._publisher.away:
                raise StoreUnavailable(AWAY)
            before = await self.standing(id)
            if await self._decided(id, before, changes, repeated):
                break
        else:
            raise StoreUnavailable(OVERTAKEN)
        if any(changes.get(name) for name in GUARDING):
            self._register.guarded = True
        self.told(id, {name: value for name, value in changes.items() if name not in repeated})
        return summary(await in_time(self._records.record(id), STORE_TIMEOUT, self._clock))

    async def _decided(self, id: str, before: Record, changes: dict[str, Any], repeated: Mapping[str, str]) -> bool:
        """Store it where this was the record; False if another change has come first."""
        again = {name: changes[name] for name in repeated}
        changes = {name: value for name, value in changes.items() if name not in repeated}
        effects: list[Effect] = [Unchanged.of(before, *DECIDED, *SAID_BY_BACKEND, "network_passwords", "issued")]
        effects += [Put("record", name, None if value is None else str(value).encode()) for name, value in changes.items()]
        if any(changes.get(name) for name in GUARDING):
            effects.append(GUARD)
        if password := again.get("password") or changes.get("password"):
            effects.append(under_key(key_of(password)))
        if "password" in again and before.password == repeated["password"]:  # or the charger has just shown a later one
            effects.append(Put("record", "password", again["password"].encode()))  # stored anew, perhaps under another key
        if "registered" in changes:
            effects.append(Listed(bool(changes["registered"])))
            effects += spelled(id) if changes["registered"] else (Put(SPELLINGS, id, None, id.lower()),)
        other = await in_time(self._roster.locate(id), STORE_TIMEOUT, self._clock)
        if other and other != self._publisher.gateway:
            effects.append(PeerMessage(other, msgspec.json.encode({"decided": id, "changes": changes})))
        await in_time(self._publisher.durable(id, tuple(effects)), STORE_TIMEOUT, self._clock)
        if self._publisher.away:
            raise StoreUnavailable(AWAY)
        after = await self.standing(id)
        return all(getattr(after, name) == ("" if value is None else str(value)) for name, value in changes.items())

    async def recorded(self, id: str) -> RecordSummary | None:
        """What is stored about a charger that may not be connected; None when nothing is."""
        record = await in_time(self._records.record(id), STORE_TIMEOUT, self._clock)
        return None if record == Record() else summary(record)

    async def registered(self, cursor: str, limit: int) -> tuple[list[RegisteredCharger], str | None]:
        """A page of the chargers that operators have decided about, as they are shown, and the cursor of the next one, None after the last."""
        page = await self._register.registered(cursor, limit)
        return [{"id": id, **summary(record)} for id, record in page.chargers if record.is_registered], page.cursor or None

    async def standing(self, id: str) -> Record:
        """What is stored about a charger, as it is now, or not at all."""
        return Record.read(await in_time(self._records.table("record", id), STORE_TIMEOUT, self._clock))

    async def unregister(self, id: str) -> RecordSummary:
        """Take back all that was decided about a charger; what is known of it from itself stays."""
        taken_back = (*DECIDED, *SAID_BY_BACKEND, "reached_profile", "issued", "wanted_profile", "boot")
        return await self.decide(id, dict.fromkeys(taken_back))

    def told(self, id: str, changes: Mapping[str, Any] | None) -> None:
        """A decision has been stored, by this gateway or another: about a charger that may be here, or (None) one that is registered by now."""
        if changes is not None:
            self.apply(id, changes)
        else:
            self._register.guarded = True  # perhaps: the register finds out within a second
        if changes is None or changes.get("registered"):
            self._spellings.registered(id)
        elif (charger := self._chargers.get(id)) is not None and not charger.gone:
            self._spellings.look(charger)

    def apply(self, id: str, changes: Mapping[str, Any]) -> None:
        """A decision takes effect on the charger, if it is connected here."""
        charger = self._chargers.get(id)
        if charger is None:
            self._pinned.pop(id, None)
            return
        texts = {name: "" if value is None else str(value) for name, value in changes.items()}
        was_registered = charger.record.is_registered
        boots_again = charger.registration_state.decided(texts)
        why = self._has_to_come_again(charger, texts) if charger.serving else ""  # else the record is looked at that it is served with
        if why:
            charger.close(1008, why)
            return
        if boots_again or (charger.registration == "Pending" and self.policy.unknown == "pending" and not was_registered):
            charger.call("TriggerMessage", {"requestedMessage": "BootNotification"})  # it is told at once, not at its next attempt
        if texts.get("version") and self.speaks_wrong_version(charger, charger.record):
            charger.close(1012, f"OCPP {texts['version']} only")

    def may_not_stay(self, charger: Charger, record: Record) -> str:
        """Why a charger that has been admitted does not satisfy what is stored about it by now; "" if it does."""
        least = self.policy.least_for(record)
        if charger.security_profile < least:
            return f"security profile {least} is required"
        return "it is not registered any more" if self.policy.excludes(record) else ""

    def _has_to_come_again(self, charger: Charger, changes: Mapping[str, str]) -> str:
        """Why a charger has to authenticate again after these changes, if not more; "" if it has not."""
        if "password" in changes and charger.security_profile in (1, 2):
            return "its password has been changed"
        shown = charger.certificate.fingerprint if charger.certificate is not None else ""
        if charger.security_profile == 3 and changes.get("certificate", "") not in ("", shown):
            return "its certificate has been changed"
        if self.policy.unknown == "pending" and not charger.record.is_registered:
            return "it is not registered any more"
        return self.may_not_stay(charger, charger.record)

    @property
    def anybody_is_judged(self) -> bool:
        """Whether it is known, or may be, that somebody is not admitted with nothing."""
        return not self.policy.open or self._register.guarded is not False

    def look_at_spelling(self, charger: Charger) -> Deferred[None]:
        """It has been admitted: it is closed if it turns out that another spelling of its identity is registered, and not this one."""
        return self._spellings.look(charger)

    async def stored(self, id: str) -> Record | None:
        """What the store has about a charger, as soon as it answers; None if it does not as long as this gateway runs."""
        try:
            fields = await self._records.table("record", id)
        except (CancelledError, StoreUnavailable):
            return None
        return Record.read(fields)

    async def record(self, id: str) -> Record:
        """What is stored about a charger that has connected, as far as it can be found in time."""
        try:
            return await in_time(self._records.record(id), STORE_TIMEOUT, self._clock)
        except Exception as why:
            log.warn("record of {charger} unavailable, it is served without: {why}", charger=id, why=repr(why))
            return Record()

    # the version that an operator has pinned, known here from the charger's latest connection to this gateway

    def pinned(self, id: str) -> str | None:
        """The only subprotocol to be chosen for the charger, as far as this gateway knows."""
        return self._pinned.get(id)

    def speaks_wrong_version(self, charger: Charger, record: Record) -> bool:
        """Whether the record pins another version, and this gateway learns that only now: then the charger is to reconnect."""
        subprotocol = next((version.subprotocol for version in self._versions.values() if version.name == record.version), "")
        before = self._pinned.pop(charger.id, None)
        if subprotocol:
            self._pinned[charger.id] = subprotocol
        return bool(subprotocol) and before != subprotocol and charger.version.name != record.version


class Awaited(TypedDict):
    """What a charger was sent and has not come in with yet."""

    password_rotation: Literal["waiting"] | None
    """waiting: for it to come in with a password that it was sent"""
    certificate_renewal: Literal["waiting"] | None
    """waiting: for it to come in with a certificate that it was sent"""
    wanted_security_profile: int | None
    """the security profile that it was told to come in with"""


class RecordSummary(Awaited):
    """What is stored about a charger, as operators are shown it; null is not known, or not decided."""

    registration: Annotated[str, one_of(REGISTRATIONS)] | None
    """the registration status given last"""
    boot_status: Annotated[str, one_of(REGISTRATIONS)] | None
    """the registration status that an operator has decided to give"""
    retry_interval: int | None
    """the interval that goes with it, in seconds"""
    version: str | None
    """the only version of OCPP to speak with it"""
    registered: bool
    """whether anything has been decided about it"""
    least_security_profile: int
    """the least security profile that it must have"""
    password: bool | str
    """whether it has a password; the password itself only in the answer that has made it (`generate`)"""
    certificate: str | None
    """the SHA-256 of the only certificate to accept, in hexadecimal"""
    backend_verdict: str | None
    """what the backend has said last: accept, pending, refuse"""
    vendor: str | None
    """its vendor, as last reported"""
    model: str | None
    """its model, as last reported"""
    firmware: str | None
    """its firmware version, as last reported"""


class RegisteredCharger(RecordSummary):
    """A charger that operators have decided about."""

    id: str
    """its identity"""


def awaited(record: Record) -> Awaited:
    """What the charger was sent and has not come in with yet, as operators are shown it: a password, a certificate, a security profile."""
    wanted = Wanted.read(record.wanted_profile)
    return {
        "password_rotation": "waiting" if new_passwords.awaited(record.new_password) else None,
        "certificate_renewal": "waiting" if issued.awaited(record.issued) else None,
        "wanted_security_profile": wanted.profile if wanted else None,
    }


def summary(record: Record) -> RecordSummary:
    """A record as operators are shown it."""
    interval = record.retry_interval
    return {
        "registration": record.boot or None,
        "boot_status": record.boot_status or None,
        "retry_interval": int(interval) if interval.isdecimal() else None,
        "version": record.version or None,
        "registered": record.is_registered,
        "least_security_profile": record.least_profile,
        "password": bool(record.password),
        "certificate": record.certificate or None,
        **awaited(record),
        "backend_verdict": record.backend_verdict or None,
        "vendor": record.vendor or None,
        "model": record.model or None,
        "firmware": record.firmware or None,
    }
