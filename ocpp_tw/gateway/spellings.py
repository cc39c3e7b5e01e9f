"""The spellings of one identity, which in OCPP 2.x are one charger: who is connected under which, and which are registered.

An identifierString is the same in any case (2.x part 2, primitive datatypes). Knows neither credentials nor what is shown in a handshake.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import CancelledError, Deferred

from ..core.entries import SPELLINGS
from ..interfaces import IRecords, StoreUnavailable
from .charger import Charger

REGISTERED = "its identity is registered in another spelling"


def another(id: str, spellings: Mapping[str, bytes]) -> str:
    """The registered spelling of an identity that is not registered itself; "" if it is, or if none is."""
    return "" if id in spellings else min(spellings, default="")


class Spellings:
    """One for a gateway. ``chargers`` are those connected here."""

    def __init__(self, chargers: Mapping[str, Charger], records: IRecords) -> None:
        self._chargers = chargers
        self._records = records
        self._connected: dict[str, str] = {}  # of chargers of OCPP 2.x: in lower case -> as they spell it

    def connected(self, id: str) -> Charger | None:
        """The charger that is connected here under another spelling."""
        other = self._connected.get(id.lower(), id)
        return None if other == id else self._chargers.get(other)

    def arrived(self, charger: Charger) -> None:
        """Its handshake is complete."""
        if is_2x(charger):
            self._connected[charger.id.lower()] = charger.id

    def departed(self, charger: Charger) -> None:
        """Its connection has ended."""
        if charger.id not in self._chargers and self._connected.get(charger.id.lower()) == charger.id:
            del self._connected[charger.id.lower()]

    def registered(self, id: str) -> None:
        """That spelling has just been registered, here or at another gateway: whoever is connected under another one stays only if that is, too."""
        charger = self.connected(id)
        if charger is not None:
            self.look(charger)

    def look(self, charger: Charger) -> Deferred[None]:
        """Close the charger, as soon as the store says that it is another one's spelling; fires then, and never fails."""
        return Deferred.fromCoroutine(self._look(charger))

    async def _look(self, charger: Charger) -> None:
        if not is_2x(charger) or charger.record.is_registered:
            return
        try:
            spellings = await self._records.table(SPELLINGS, charger.id.lower())
        except (CancelledError, StoreUnavailable):
            return
        if another(charger.id, spellings) and not charger.gone:
            charger.close(1008, REGISTERED)


def is_2x(charger: Charger) -> bool:
    """Whether the charger speaks a version in which all spellings are one identity."""
    return charger.ocpp.startswith("2")
