"""The running transactions of this gateway's chargers, and of those that are away, as operators are shown them.

Knows no other gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from twisted.internet.interfaces import IReactorTime

from ..core.ledger import Ledger
from ..core.transaction import Transaction
from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from .noted import ends
from .rows import iso
from .slices import slices
from .state import Running
from .told import RunningTransaction

MAX_TOLD = 5000
"""Most running transactions that a gateway tells at once."""


Position = tuple[int, str, str]
"""Where a transaction is among those that run: when it was heard of first, its charger, and its id; the greatest comes first."""


class RunningQuery(msgspec.Struct, omit_defaults=True):
    """Which running transactions. Those heard of from ``begin`` until before ``end``, in Unix time, and behind ``after``."""

    charger: str = ""
    tag: str = ""
    provisional: bool = False
    begin: float | None = None
    end: float | None = None
    after: Position | None = None
    limit: int = MAX_TOLD

    def lets_through(self, row: RunningTransaction) -> bool:
        """Whether it is one of them, whatever its charger."""
        at = position(row)
        return (
            (not self.tag or row.tag == self.tag)
            and (not self.provisional or row.provisional)
            and (self.begin is None or at[0] >= self.begin)
            and (self.end is None or at[0] < self.end)
            and (self.after is None or at < self.after)
        )


def position(row: RunningTransaction) -> Position:
    """Of one that a message has told of."""
    return row.since or 0, row.charger, str(row.id)


class Stay(NamedTuple):
    """A charger at a gateway, where it is or (``away``) was last; ``ledger`` is None where that is not known, ``ended`` are transactions whose
    end its state does not know yet."""

    charger: str
    gateway: str
    ocpp: str
    running: Sequence[Running]
    ledger: Ledger | None
    ended: frozenset[int | str] = frozenset()
    away: bool = False

    def rows(self, now: float) -> list[RunningTransaction]:
        """Those of its transactions that messages have told of and that have not ended."""
        known = [(each, None if self.ledger is None else self.ledger.find(each.id)) for each in self.running if each.id not in self.ended]
        return [self._row(each, transaction, now) for each, transaction in known if transaction is None or transaction.end is None]

    def courses(self, now: float) -> list[dict[str, Any]]:
        """The same with their curves, the latest first; the ledger may know some of which no message has come to this gateway, and some that are
        only open."""
        curves = {each.id: each.curve.samples() for each in self.running}
        rows = [_with_curve(each, curves[each.id]) for each in reversed(self.rows(now))]
        ledger = self.ledger.running if self.ledger else []
        others = [_with_curve(self._known(each), []) for each in reversed(ledger) if each.id not in curves and each.has_begun]
        taken = {row["conn"] for row in rows if row["conn"]}
        for row in sorted(others, key=_began, reverse=True):
            row["open"] = row["conn"] in taken
            if row["conn"]:
                taken.add(row["conn"])
        return sorted(rows + others, key=lambda row: (not row["open"], _began(row)), reverse=True)

    def _row(self, running: Running, known: Transaction | None, now: float) -> RunningTransaction:
        power = None if self.away else running.power_now(now)
        return RunningTransaction(
            **self._of(known),
            id=running.id,
            conn=running.conn,
            since=round(running.curve.begun),
            energy_wh=running.energy_wh,
            power_w=None if power is None else round(power, 1),
            soc=running.soc,
            charging_state=running.charging_state,
        )

    def _known(self, known: Transaction) -> RunningTransaction:
        energy = None if known.meter is None or known.meter_start is None else max(0, known.meter - known.meter_start)
        return RunningTransaction(
            **self._of(known),
            id=known.id,
            conn=known.conn,
            since=None,
            energy_wh=energy,
            power_w=None,
            soc=None,
            charging_state=None,
        )

    def _of(self, known: Transaction | None) -> dict[str, Any]:
        return {
            "charger": self.charger,
            "gateway": self.gateway,
            "ocpp": self.ocpp,
            "backend_id": known.backend_id if known else None,
            "tag": known.tag if known else None,
            "started": (known.started or None) if known else None,
            "provisional": bool(known and known.provisional),
            "away": self.away,
        }


class RunningTransactions:
    """One for a gateway of that ``name``."""

    def __init__(self, name: str, gateway: Gateway, clock: IReactorTime, unix: Callable[[], float]) -> None:
        self._name = name
        self._gateway = gateway
        self._clock = clock
        self._unix = unix

    async def all(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """The latest ``limit`` of those that the members of `RunningQuery` ask for."""
        wanted = msgspec.convert(query, RunningQuery)
        found: list[RunningTransaction] = []
        now = self._unix()
        async for some in slices(list(self._gateway.chargers.values()), self._clock):
            for charger in some:
                if charger.state is not None and charger.state.running and wanted.charger in ("", charger.id):
                    found += [row for row in self._stay(charger).rows(now) if wanted.lets_through(row)]
        found.sort(key=position, reverse=True)
        return [msgspec.to_builtins(row) for row in found[: wanted.limit]]

    def of(self, charger: Charger) -> list[dict[str, Any]]:
        """Those of one charger, with their curves (`Stay.courses`)."""
        return self._stay(charger).courses(self._unix())

    def _stay(self, charger: Charger) -> Stay:
        running = charger.state.running if charger.state else ()
        return Stay(
            charger.id, self._name, charger.ocpp, running, charger.ledger, frozenset(ends(charger)) if charger.noted else frozenset()
        )


def _with_curve(row: RunningTransaction, samples: list[list[float | None]]) -> dict[str, Any]:
    return {**msgspec.to_builtins(row), "curve": samples, "open": False}


def _began(row: dict[str, Any]) -> str:
    return row["started"] or (iso(row["since"]) if row["since"] else "")
