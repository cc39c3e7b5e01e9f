"""A charger's credentials in its record, as far as the gateway itself changes them: read as they are now, and written durably.

Knows neither what they are nor when they change. Operators change them by `ocpp_tw.gateway.decisions`.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core.entries import GUARD, Effect, Put, Record, Unchanged, spelled
from ..interfaces import IRecords, IRegister, StoreUnavailable
from ..waiting import in_time
from .decisions import ATTEMPTS, AWAY, OVERTAKEN, STORE_TIMEOUT
from .publisher import Publisher

BESIDE = ("registered", "password", "certificate")
"""Fields with which what is in the others may have become void: an operator has decided anew, or the charger has come in with another."""


class Credentials:
    """One for a gateway. Methods fail with `StoreUnavailable`, or `twisted.internet.defer.TimeoutError`, while nothing can be stored."""

    def __init__(self, clock: IReactorTime, publisher: Publisher, register: IRegister, records: IRecords) -> None:
        self._clock = clock
        self._publisher = publisher
        self._register = register
        self._records = records

    @property
    def away(self) -> bool:
        """Whether the store takes nothing at the moment, so that nothing can be prepared."""
        return self._publisher.away

    async def record(self, id: str) -> Record:
        """What is stored now, what is on its way to the store included; without the store, what this gateway knows of it."""
        found = self._register.find(id)
        return found if isinstance(found, Record) else await in_time(found, STORE_TIMEOUT, self._clock)

    async def change(self, id: str, name: str, to: Callable[[Record], str]) -> None:
        """Change a field to what follows from the record, and return once that is durable; another change meanwhile is not undone."""
        for _ in range(ATTEMPTS):
            record = await self.record(id)
            if await self._set(id, record, name, to(record), ()):
                return
        raise StoreUnavailable(OVERTAKEN)

    async def prepare(
        self, id: str, name: str, to: Callable[[Record], str], guarding: bool = True, beside: tuple[Effect, ...] = ()
    ) -> None:
        """The same before the charger is told, with the effects ``beside``; nothing is left behind if it fails. Every gateway of the fleet has
        to know of it before the charger does: it fails as well while the store itself does not answer. ``guarding``: from now on somebody has
        to look at what chargers show."""
        if guarding:
            beside += (GUARD, *spelled(id))
        for _ in range(ATTEMPTS):
            if self._publisher.away:
                raise StoreUnavailable(AWAY)
            fields = await in_time(self._records.table("record", id), STORE_TIMEOUT, self._clock)
            record = Record.read(fields)
            value = to(record)
            try:
                if await self._set(id, record, name, value, beside):
                    break
            except (TimeoutError, StoreUnavailable):  # it is on its way all the same
                back = (Unchanged(((name, value),)), _put(name, getattr(record, name)))
                self._publisher.carry_out(id, back)
                raise
        else:
            raise StoreUnavailable(OVERTAKEN)
        if guarding:
            self._register.guarded = True

    async def _set(self, id: str, record: Record, name: str, value: str, beside: tuple[Effect, ...]) -> bool:
        """Set a field of what was this record, with the effects ``beside``; False if another change has come first."""
        if getattr(record, name) == value:
            return True
        effects = (Unchanged.of(record, *{name: None, **dict.fromkeys(BESIDE)}), _put(name, value), *beside)
        await in_time(self._publisher.durable(id, effects), STORE_TIMEOUT, self._clock)
        return bool(getattr(await self.record(id), name) == value)


def _put(name: str, value: str) -> Put:
    return Put("record", name, value.encode() or None)
