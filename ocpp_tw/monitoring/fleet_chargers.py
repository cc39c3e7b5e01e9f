"""The chargers of the fleet, one by one and page by page: each gateway is asked, and their answers become one.

Knows neither HTTP nor how gateways are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import msgspec
from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core.entries import Record
from ..gateway.decisions import Decisions, RecordSummary, summary
from ..interfaces import Answers, IFleet, StoreUnavailable
from ..waiting import in_time, pause
from .absent import Absent
from .listing import MAX_NAMES
from .query import STATES, ChargersFilter, ChargersPageQuery, ChargersQuery, First, Place, place
from .slices import slices
from .told import ChargerRow, ChargersAnswer, States

RECORD_WITHIN = 1.5
"""Seconds that the store has for the record of a charger that is known to be away; in an outage the spool has it after one."""

NO_ROW = cast(ChargerRow, {})

MANY_ROWS = 500
"""Rows behind whose number gateways tell places only, and then the rows of the page."""


class Unknown(NamedTuple):
    """Nothing is known of a charger. ``unasked``: why that may be only for want of answers, "" if all have answered."""

    unasked: str


class FleetChargers:
    """One for a gateway."""

    def __init__(self, fleet: IFleet, absent: Absent, decisions: Decisions, clock: IReactorTime, unix: Callable[[], float]) -> None:
        self._fleet = fleet
        self._absent = absent
        self._decisions = decisions
        self._clock = clock
        self._unix = unix

    async def chargers(self, wanted: ChargersPageQuery) -> ChargersAnswer:
        """A page of the fleet's chargers."""
        full = wanted.offset == 0 or wanted.offset + wanted.limit <= MANY_ROWS
        query = ChargersQuery(**msgspec.structs.asdict(wanted), full=full)
        asked = self._clock.seconds()
        answers = await self._ask_for_page(query)
        absent = await self._absent.rows(answers, asked)
        states: Counter[str] = Counter()
        models: set[str] = set()
        firmwares: set[str] = set()
        found = First[ChargerRow](query)
        connected: set[str] = set()
        total = 0

        def at(row: ChargerRow) -> tuple[Place, ChargerRow]:
            return place(query.column, query.descending, row.get(query.column), row["id"]), row

        for part in answers.answers.values():
            states.update(part["states"])
            models.update(part["models"])
            firmwares.update(part["firmwares"])
            total += part["total"]
            async for some in slices(part["rows"] if full else part["places"], self._clock):
                told = [at(row) for row in some] if full else [(cast(Place, tuple(where)), NO_ROW) for where in some]
                connected.update([where[2] for where, _ in told])
                found.add(told)
        async for some in slices(list(absent.values()), self._clock):
            matching = []
            for row in some:
                if row["model"]:
                    models.add(row["model"])
                if row["firmware"]:
                    firmwares.add(row["firmware"])
                if row["id"] in connected or not _lets_through(query, row):
                    continue
                states[row["state"]] += 1
                if not query.state or row["state"] in query.state:
                    total += 1
                    matching.append(at(row))
            found.add(matching)
        if found.many:
            await pause(0, self._clock)
        rows = found.sort()[query.offset :]
        return {
            "total": total,
            "rows": [row for _, row in rows] if full else await self._rows([where[2] for where, _ in rows], absent),
            "states": cast(States, {state: states[state] for state in STATES}),
            "models": sorted(models)[:MAX_NAMES],
            "firmwares": sorted(firmwares)[:MAX_NAMES],
            "gateways": sorted(answers.answers),
            "missing": answers.missing,
            "trouble": answers.trouble or self._absent.trouble,
        }

    async def _ask_for_page(self, query: ChargersQuery) -> Answers:
        asked: dict[str, Any] = msgspec.to_builtins(query)
        return await self._fleet.ask("chargers", asked)

    async def _rows(self, ids: list[str], absent: dict[str, ChargerRow]) -> list[ChargerRow]:
        """The rows of these chargers, wherever they are."""
        answers = await self._fleet.ask("rows", {"ids": ids})
        rows = {id: absent[id] for id in ids if id in absent}
        for part in answers.answers.values():
            rows |= {row["id"]: row for row in part}
        return [rows[id] for id in ids if id in rows]

    async def ids(self, query: ChargersFilter, most: int) -> tuple[list[str], list[str], str]:
        """The identities of all that the filter lets through, at most so many; the gateways that have not told theirs; and why none but this one
        has, "" if they were asked."""
        asked = self._clock.seconds()
        page = await self._ask_for_page(ChargersQuery(**msgspec.structs.asdict(query), full=False, limit=most))
        ids = {where[2] for part in page.answers.values() for where in part["places"]}
        for id, row in (await self._absent.rows(page, asked)).items():
            if (not query.state or row["state"] in query.state) and _lets_through(query, row):
                ids.add(id)
        return sorted(ids)[:most], page.missing, page.trouble

    async def charger(self, id: str) -> dict[str, Any] | Unknown:
        """All that is known of one. Fails with `TimeoutError` or `StoreUnavailable` if it is not connected and the store does not answer."""
        answers = await self._fleet.ask("charger", {"id": id})
        parts = list(answers.answers.values())
        here = next((part["known"] for part in parts if part["known"] is not None), None)
        refusals = sorted([part["last_refusal"] for part in parts if part["last_refusal"] is not None], key=lambda each: str(each["time"]))
        last = refusals[-1] if refusals else None
        unknown = {"last_refusal": last, "missing": answers.missing, "trouble": answers.trouble}
        if here is not None:
            return {**here, "connected": True, "away": None, **unknown}
        row = await self._absent.row(id, answers)
        away = row if row is not None and row["state"] == "away" else None
        if answers.trouble and away is None and last is None:
            return Unknown(answers.trouble)
        record = await (self._decisions.recorded(id) if away is None else self._record_in_time(id))
        if row is None and record is None and last is None:
            return Unknown(f"no answer from {', '.join(answers.missing)}" if answers.missing else "")
        stay = await self._absent.transactions(id) if away is not None else None
        return {
            "row": row,
            "connected": False,
            "record": {"connected": False, "id": id, **(record or summary(Record()))},
            "liveness": None,
            "transactions": _with_last_curves(stay.courses(self._unix()), parts) if stay is not None else [],
            "breaks": [],
            "clock": None,
            "certificate": None,
            "away": {"time": away["since"], **away["left"], "gateway": away["gateway"], "ocpp": away["ocpp"]} if away else None,
            **unknown,
        }

    async def _record_in_time(self, id: str) -> RecordSummary | None:
        try:
            return await in_time(self._decisions.recorded(id), RECORD_WITHIN, self._clock)
        except (TimeoutError, StoreUnavailable):
            return None


def _lets_through(query: ChargersFilter, row: ChargerRow) -> bool:
    """Whether a charger of which no gateway tells fits the filter, but for its state."""
    if query.gateway and row["gateway"] not in query.gateway:
        return False
    return query.lets_through(row["id"], row["ocpp"], (row["vendor"], row["model"], row["firmware"]), (row["serial"],), 0)


def _with_last_curves(transactions: list[dict[str, Any]], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Transactions of a charger that is away: of the curves that these gateways have of each it gets the one that goes on longest."""
    known = [curve for part in parts for curve in part.get("curves", ())]  # gateways of older releases have none
    for each in transactions:
        curves = [each["curve"], *[samples for id, samples in known if id == each["id"]]]
        each["curve"] = max(curves, key=lambda samples: samples[-1][0] if samples else 0)
    return transactions
