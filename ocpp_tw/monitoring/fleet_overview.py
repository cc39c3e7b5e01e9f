"""The fleet at a glance: each gateway is asked, and their answers become one.

Knows neither HTTP nor how gateways are asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.internet.defer import TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime

from ..core import history
from ..interfaces import Answers, IFleet, StoreUnavailable
from ..waiting import deferred, in_time
from .absent import Absent
from .gateway_reports import GatewayReports
from .history_reader import HistoryReader
from .listing import COUNTS_HOLD
from .query import STATES
from .rows import iso
from .told import BackendReport, Counts, Overview, RedisReport

MINUTES = 60

LATEST_TROUBLES = 20

TROUBLES_WITHIN = 1.5
"""Seconds that the store has for them."""


class FleetOverview:
    """One for a gateway, whose name is ``name``, and which sees ``redis`` so."""

    def __init__(
        self,
        name: str,
        fleet: IFleet,
        absent: Absent,
        reports: GatewayReports,
        histories: HistoryReader,
        redis: Callable[[], RedisReport],
        clock: IReactorTime,
        unix: Callable[[], float],
    ) -> None:
        self._name = name
        self._fleet = fleet
        self._absent = absent
        self._reports = reports
        self._histories = histories
        self._redis = redis
        self._clock = clock
        self._unix = unix

    async def overview(self) -> Overview:
        """The fleet at a glance."""
        counted = self._clock.seconds() - COUNTS_HOLD
        asked: list[Awaitable[Any]] = [self._fleet.ask("overview", {}), self._absent.look(), self._read_reports(), self._latest_troubles()]
        told: list[Any] = await gatherResults([deferred(each) for each in asked], consumeErrors=True)  # none of them fails
        answers, _, _, troubles = cast(tuple[Answers, None, None, list[history.Trouble]], tuple(told))
        parts = list(answers.answers.values())
        states = Counter([row["state"] for row in (await self._absent.rows(answers, counted)).values()])
        for part in parts:
            states.update(part["states"])
        energy = {name: part["energy_today_wh"] for name, part in answers.answers.items()}
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
            "trouble": answers.trouble or self._absent.trouble,
            "redis": redis,
            "backend": _worst([each["backend"] for each in gateways]),
            "troubles": troubles,
        }

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


def _added(rates: list[list[float]]) -> list[float]:
    """Of all gateways, minute by minute."""
    return [round(sum(each), 2) for each in zip(*rates, strict=True)] if rates else [0.0] * MINUTES


def _worst(backends: list[BackendReport]) -> BackendReport:
    """Failing, if it is for any gateway."""
    ranked = sorted(backends, key=lambda each: ("failing", "ok", "none").index(each["state"]))
    return ranked[0] if ranked else {"state": "none", "detail": ""}
