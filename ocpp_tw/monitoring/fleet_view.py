"""What operators see of the whole fleet: each gateway is asked, and their answers become one.

Knows neither HTTP nor how gateways are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple, cast

import msgspec
from twisted.internet.defer import TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime

from ..core import history
from ..core.entries import Record
from ..gateway.charger import Charger
from ..gateway.decisions import Decisions, RecordSummary, summary
from ..interfaces import Answers, IFleet, StoreUnavailable
from ..waiting import deferred, in_time, pause
from .away import Away
from .gateway_reports import GatewayReports
from .history_reader import HistoryReader
from .listing import COUNTS_HOLD, MAX_NAMES
from .query import STATES, ChargersFilter, ChargersPageQuery, ChargersQuery, First, Place, place
from .rows import iso
from .slices import slices
from .told import BackendReport, ChargerRow, ChargersAnswer, Counts, Overview, RedisReport, RunningTransaction, States
from .transactions import MAX_TOLD, Position, RunningQuery, position
from .unheard import Unheard

MINUTES = 60

LATEST_TROUBLES = 20

TROUBLES_WITHIN = 1.5
"""Seconds that the store has for them."""

RECORD_WITHIN = 1.5
"""Seconds that the store has for the record of a charger that is known to be away; in an outage the spool has it after one."""

NO_ROW = cast(ChargerRow, {})

MANY_ROWS = 500
"""Rows behind whose number gateways tell places only, and then the rows of the page."""


class Unknown(NamedTuple):
    """Nothing is known of a charger. ``unasked``: why that may be only for want of answers, "" if all have answered."""

    unasked: str


class Running(NamedTuple):
    """Running transactions; ``after`` is the one behind which to go on, None if there are no more; ``missing`` are gateways that have not told
    theirs, ``trouble`` says why none but this one has."""

    rows: list[dict[str, Any]]
    after: Position | None
    missing: list[str]
    trouble: str


class FleetView:
    """One for a gateway, whose name is ``name``, and which has the ``chargers``, by identity, and sees ``redis`` so."""

    def __init__(
        self,
        name: str,
        chargers: Mapping[str, Charger],
        fleet: IFleet,
        away: Away,
        unheard: Unheard,
        reports: GatewayReports,
        histories: HistoryReader,
        decisions: Decisions,
        redis: Callable[[], RedisReport],
        clock: IReactorTime,
        unix: Callable[[], float],
    ) -> None:
        self._name = name
        self._chargers = chargers
        self._fleet = fleet
        self._away = away
        self._unheard = unheard
        self._reports = reports
        self._histories = histories
        self._decisions = decisions
        self._redis = redis
        self._clock = clock
        self._unix = unix

    async def overview(self) -> Overview:
        """The fleet at a glance."""
        counted = self._clock.seconds() - COUNTS_HOLD
        asked: list[Awaitable[Any]] = [self._fleet.ask("overview", {}), self._away_rows(), self._read_reports(), self._latest_troubles()]
        told: list[Any] = await gatherResults([deferred(each) for each in asked], consumeErrors=True)  # none of them fails
        answers, _, _, troubles = cast(tuple[Answers, None, None, list[history.Trouble]], tuple(told))
        unheard, away = await self._absent(answers)
        parts = list(answers.answers.values())
        energy = {name: part["energy_today_wh"] for name, part in answers.answers.items()}
        states: Counter[str] = Counter()
        for part in parts:
            states.update(part["states"])
        states["away"] += len(away) - len(self._back(away, parts, counted))
        back = self._back(unheard, parts, counted)
        states.update([row["state"] for id, row in unheard.items() if id not in back])
        redis = self._redis()  # what was found out meanwhile is in `trouble` too
        if self._name in answers.answers:
            answers.answers[self._name]["gateway"]["redis"] = redis
        gateways = sorted([part["gateway"] for part in parts], key=lambda each: str(each["name"]))
        return {
            "time": iso(self._unix()),
            "chargers": cast(Counts, {"total": states.total(), **{state: states[state] for state in reversed(STATES)}}),
            "power_w": sum(part["power_w"] for part in parts),
            "energy_today_wh": self._reports.energy_today(energy),
            "rates": {"messages": _added([part["messages"] for part in parts]), "events": _added([part["events"] for part in parts])},
            "gateways": gateways,
            "missing": answers.missing,
            "gone": [] if answers.trouble else self._reports.gone({*answers.answers, *answers.missing}),
            "trouble": answers.trouble or self._away.trouble,
            "redis": redis,
            "backend": _worst([each["backend"] for each in gateways]),
            "troubles": troubles,
        }

    def _back(self, away: dict[str, ChargerRow], parts: list[dict[str, Any]], counted: float) -> set[str]:
        """Those of the chargers that are away, as was read some seconds ago, that are counted among the connected ones of these ``parts``; this
        gateway's own was counted at ``counted`` at the earliest, by the reactor's clock."""
        arrived = {id for part in parts for id in part.get("arrived", ())}  # gateways of older releases name none
        # of this gateway's own also those that came long ago: while the store does not answer, nothing newer is read; one that has just come may
        # not be counted as connected yet
        own = {id for id in away.keys() & self._chargers.keys() if self._chargers[id].connected_at <= counted}
        return (away.keys() & arrived) | own

    async def _absent(self, answers: Answers) -> tuple[dict[str, ChargerRow], dict[str, ChargerRow]]:
        """Those of gateways that have not answered, and those that are away: nobody is both. Who leaves the former for the latter meanwhile is in
        one of them, as the latter are read last."""
        unheard = await self._unheard.rows(answers)
        away = await self._away.rows(read=not self._fleet.trouble, since=self._unheard.read_at)
        return {id: row for id, row in (self._unheard.moved() | unheard).items() if id not in away}, away

    async def _away_rows(self) -> dict[str, ChargerRow]:
        return await self._away.rows(read=not self._fleet.trouble)

    async def _read_reports(self) -> None:
        if not self._fleet.trouble:
            await self._reports.read()

    async def _latest_troubles(self) -> list[history.Trouble]:
        if self._fleet.trouble:  # the store would be waited for
            return []
        try:
            page = await in_time(self._histories.page(history.TROUBLES, LATEST_TROUBLES), TROUBLES_WITHIN, self._clock)
            return cast(list[history.Trouble], page.rows)
        except (TimeoutError, StoreUnavailable):
            return []

    async def chargers(self, wanted: ChargersPageQuery) -> ChargersAnswer:
        """A page of the fleet's chargers."""
        full = wanted.offset == 0 or wanted.offset + wanted.limit <= MANY_ROWS
        query = ChargersQuery(**msgspec.structs.asdict(wanted), full=full)
        asked = self._clock.seconds()
        answers = await self._ask_for_page(query)
        unheard, away = await self._absent(answers)
        states: Counter[str] = Counter()
        models: set[str] = set()
        firmwares: set[str] = set()
        found = First[ChargerRow](query)
        parts = list(answers.answers.values())
        connected = self._back(away, parts, asked) | self._back(unheard, parts, asked)
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
        async for some in slices([*unheard.values(), *away.values()], self._clock):
            matching = []
            for row in some:
                if row["model"]:
                    models.add(row["model"])
                if row["firmware"]:
                    firmwares.add(row["firmware"])
                if row["id"] in connected or (query.gateway and row["gateway"] not in query.gateway):
                    continue
                if not query.lets_through(row["id"], row["ocpp"], (row["vendor"], row["model"], row["firmware"]), (row["serial"],), 0):
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
            "rows": [row for _, row in rows] if full else await self._rows([where[2] for where, _ in rows], away | unheard),
            "states": cast(States, {state: states[state] for state in STATES}),
            "models": sorted(models)[:MAX_NAMES],
            "firmwares": sorted(firmwares)[:MAX_NAMES],
            "gateways": sorted(answers.answers),
            "missing": answers.missing,
            "trouble": answers.trouble or self._away.trouble,
        }

    async def _ask_for_page(self, query: ChargersQuery) -> Answers:
        asked: dict[str, Any] = msgspec.to_builtins(query)
        return await self._fleet.ask("chargers", asked)

    async def _rows(self, ids: list[str], away: dict[str, ChargerRow]) -> list[ChargerRow]:
        """The rows of these chargers, wherever they are."""
        answers = await self._fleet.ask("rows", {"ids": ids})
        rows = {id: away[id] for id in ids if id in away}
        for part in answers.answers.values():
            rows |= {row["id"]: row for row in part}
        return [rows[id] for id in ids if id in rows]

    async def ids(self, query: ChargersFilter, most: int) -> tuple[list[str], list[str], str]:
        """The identities of all that the filter lets through, at most so many; the gateways that have not told theirs; and why none but this one
        has, "" if they were asked."""
        asked = self._clock.seconds()
        page = await self._ask_for_page(ChargersQuery(**msgspec.structs.asdict(query), full=False, limit=most))
        parts = list(page.answers.values())
        ids = {where[2] for part in parts for where in part["places"]}
        if not query.state or "away" in query.state:
            away = await self._away_rows()
            for id in away.keys() - self._back(away, parts, asked):
                row = away[id]
                model = (row["vendor"], row["model"], row["firmware"])
                at = not query.gateway or row["gateway"] in query.gateway
                if at and query.lets_through(id, row["ocpp"], model, (row["serial"],), 0):
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
        unheard, absent = await self._absent(answers)
        lost, away = unheard.get(id), absent.get(id)
        if answers.trouble and away is None and last is None:
            return Unknown(answers.trouble)
        record = await (self._decisions.recorded(id) if away is None else self._record_in_time(id))
        if away is None and lost is None and record is None and last is None:
            return Unknown(f"no answer from {', '.join(answers.missing)}" if answers.missing else "")
        stay = (await self._away.stays(read=False)).get(id) if away is not None else None
        return {
            "row": away or lost,
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

    async def running(self, query: RunningQuery) -> Running:
        """A page of the running transactions, the latest first: those too of chargers that are away and have not told of their end."""
        limit = min(query.limit, MAX_TOLD)
        asked: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(query, limit=limit + 1))
        answers = await self._fleet.ask("running", asked)
        found = [(position(msgspec.convert(row, RunningTransaction)), row) for part in answers.answers.values() for row in part]
        back = {row["charger"] for _, row in found}
        if answers.trouble:  # what was read is old
            back |= self._chargers.keys()
        stays = await self._away.stays(read=not self._fleet.trouble)
        async for some in slices(list(stays.items()), self._clock):
            for id, stay in some:
                if id not in back and query.charger in ("", id):
                    found += [(position(row), msgspec.to_builtins(row)) for row in stay.rows(self._unix()) if query.lets_through(row)]
        found.sort(key=itemgetter(0), reverse=True)
        rows = [row for _, row in found[:limit]]
        return Running(rows, found[limit - 1][0] if len(found) > limit else None, answers.missing, answers.trouble)


def _with_last_curves(transactions: list[dict[str, Any]], parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Transactions of a charger that is away: of the curves that these gateways have of each it gets the one that goes on longest."""
    known = [curve for part in parts for curve in part.get("curves", ())]  # gateways of older releases have none
    for each in transactions:
        curves = [each["curve"], *[samples for id, samples in known if id == each["id"]]]
        each["curve"] = max(curves, key=lambda samples: samples[-1][0] if samples else 0)
    return transactions


def _added(rates: list[list[float]]) -> list[float]:
    """Of all gateways, minute by minute."""
    return [round(sum(each), 2) for each in zip(*rates, strict=True)] if rates else [0.0] * MINUTES


def _worst(backends: list[BackendReport]) -> BackendReport:
    """Failing, if it is for any gateway."""
    ranked = sorted(backends, key=lambda each: ("failing", "ok", "none").index(each["state"]))
    return ranked[0] if ranked else {"state": "none", "detail": ""}
