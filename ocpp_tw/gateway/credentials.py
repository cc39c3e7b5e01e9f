"""A charger's credentials in its record, as far as the gateway itself changes them: read as they are now, and written durably.

Knows neither what they are nor when they change. Operators change them by `ocpp_tw.gateway.decisions`.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..core.entries import GUARD, Effect, Put, Record, spelled
from ..interfaces import IRegister
from ..waiting import in_time
from .decisions import STORE_TIMEOUT
from .publisher import Publisher


class Credentials:
    """One for a gateway. Methods fail with `StoreUnavailable`, or `twisted.internet.defer.TimeoutError`, while nothing can be stored."""

    def __init__(self, clock: IReactorTime, publisher: Publisher, register: IRegister) -> None:
        self._clock = clock
        self._publisher = publisher
        self._register = register

    async def record(self, id: str) -> Record:
        """What is stored now, what is on its way to the store included."""
        found = self._register.find(id)
        return found if isinstance(found, Record) else await in_time(found, STORE_TIMEOUT, self._clock)

    async def put(self, id: str, name: str, value: str, guarding: bool = False, beside: tuple[Effect, ...] = ()) -> None:
        """Set a field, with the effects ``beside``, and return once that is durable. ``guarding``: from now on somebody has to look at what
        chargers show."""
        durable: Deferred[None] = Deferred()
        effects: list[Effect] = [_put(name, value), *beside]
        if guarding:
            effects += [GUARD, *spelled(id)]
        self._publisher.carry_out(id, tuple(effects), lambda _: None if durable.called else durable.callback(None))
        await in_time(durable, STORE_TIMEOUT, self._clock)
        if guarding:
            self._register.guarded = True

    def put_back(self, id: str, name: str, value: str) -> None:
        """Set a field to what it was, after a `put` that was too slow and is on its way all the same."""
        self._publisher.carry_out(id, (_put(name, value),))


def _put(name: str, value: str) -> Put:
    return Put("record", name, value.encode() or None)
