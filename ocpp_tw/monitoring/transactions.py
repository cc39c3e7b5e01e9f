"""The running transactions of this gateway's chargers, as operators are shown them.

Knows no other gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from ..core.transaction import Transaction
from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from .slices import slices
from .state import Running

MAX_TOLD = 5000
"""Most running transactions that a gateway tells at once."""


class RunningTransactions:
    """One for a gateway of that ``name``."""

    def __init__(self, name: str, gateway: Gateway, clock: IReactorTime, unix: Callable[[], float]) -> None:
        self._name = name
        self._gateway = gateway
        self._clock = clock
        self._unix = unix

    async def all(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Those of the charger and of the tag that the query names, of all if it names none; the latest first."""
        charger_id, tag, provisional = query.get("charger"), query.get("tag"), query.get("provisional")
        found: list[dict[str, Any]] = []
        async for some in slices(list(self._gateway.chargers.values()), self._clock):
            for charger in some:
                if charger.state is None or not charger.state.running or (charger_id and charger.id != charger_id):
                    continue
                rows = [self._row(charger, each) for each in charger.state.running]
                found += [row for row in rows if (not tag or row["tag"] == tag) and (not provisional or row["provisional"])]
        found.sort(key=lambda row: row["since"], reverse=True)
        return found[: min(MAX_TOLD, query.get("limit") or MAX_TOLD)]

    def of(self, charger: Charger) -> list[dict[str, Any]]:
        """Those of one charger, with their curves; its ledger may know some of which no message has come to this gateway."""
        running = charger.state.running if charger.state else ()
        rows = [{**self._row(charger, each), "curve": each.curve.samples()} for each in running]
        ledger = charger.ledger.running if charger.ledger else []
        ids = {each.id for each in running}
        return rows + [{**self._known(charger, each), "curve": []} for each in ledger if each.id not in ids and each.has_begun]

    def _row(self, charger: Charger, running: Running) -> dict[str, Any]:
        known = None if charger.ledger is None else charger.ledger.find(running.id)
        power = running.power_now(self._unix())
        return {
            **self._of(charger, running.id, running.conn, known),
            "since": round(running.curve.begun),
            "energy_wh": running.energy_wh,
            "power_w": None if power is None else round(power, 1),
            "soc": running.soc,
            "charging_state": running.charging_state,
        }

    def _known(self, charger: Charger, known: Transaction) -> dict[str, Any]:
        energy = None if known.meter is None or known.meter_start is None else max(0, known.meter - known.meter_start)
        unknown = {"since": None, "energy_wh": energy, "power_w": None, "soc": None, "charging_state": None}
        return {**self._of(charger, known.id, known.conn, known), **unknown}

    def _of(self, charger: Charger, id: int | str, conn: int, known: Transaction | None) -> dict[str, Any]:
        return {
            "state": "running",
            "charger": charger.id,
            "gateway": self._name,
            "ocpp": charger.ocpp,
            "id": id,
            "backend_id": known.backend_id if known else None,
            "conn": conn,
            "tag": known.tag if known else None,
            "started": (known.started or None) if known else None,
            "provisional": bool(known and known.provisional),
        }
