"""What each gateway of the fleet has told last of itself, in the store: when it was there, whether it was stopped in order, and its energy of the day.

Knows neither how energy is counted nor which gateways answer, nor who tells of one that is gone. A gateway tells it when it starts, once a minute, and when it is stopped, and in
between that it is there: so what it has counted outlives it, and one that was killed is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..interfaces import IStates, StoreUnavailable
from ..log import Logger
from ..waiting import cancelled, deferred, in_time, pause
from .energy_today import EnergyToday
from .rows import iso
from .told import GoneGateway

log = Logger()

WITHIN = 1.5
"""Seconds that the store has for one command."""

AGAIN = 3.0
"""Seconds until it is tried again to read what this gateway has told before."""

GONE_FOR = 86_400.0
"""Seconds for which a gateway is missed that was not stopped in order."""

FORGOTTEN_AFTER = 2 * 86_400.0
"""Seconds after which nothing is kept of a gateway any more: there may be ever new names."""

MISSED_AFTER = 60.0
"""Seconds after which a gateway that comes back without having been stopped was gone, though nobody may have been there to miss it."""

MAX_GONE = 100
"""Most gateways that are missed at a time; those that were there last."""


class _Report(msgspec.Struct, array_like=True, gc=False):
    """``at`` is when it was told, ``until`` when the day ends in which ``wh`` was delivered (Unix time). ``ended``: it was stopped in order.
    ``missed``: another gateway has told since that it is gone. Older releases know neither that nor the chargers."""

    at: float
    until: float
    wh: int
    ended: bool
    chargers: int = 0
    missed: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Report).decode


class GatewayReports:
    """One for a gateway of that ``name``, which begins ``today`` with what it has told before, and has the ``chargers``."""

    def __init__(
        self, name: str, today: EnergyToday, chargers: Sized, states: IStates, clock: IReactorTime, unix: Callable[[], float]
    ) -> None:
        self._name = name
        self._today = today
        self._chargers = chargers
        self._states = states
        self._clock = clock
        self._unix = unix
        self._reports: dict[str, _Report] = {}
        self._before: _Report | None = None
        self._begun = False
        self._beginning: Deferred[None] | None = None

    def start(self) -> None:
        """Go on from what was told before, as soon as the store answers, and say that this gateway is there."""
        self._beginning = Deferred.fromCoroutine(self._begin()).addErrback(cancelled)

    def stop(self) -> None:
        """Say that it was stopped in order, if the store is there."""
        if self._beginning is not None:
            self._beginning.cancel()
            self._beginning = None
            if self._begun:
                deferred(self._states.tell({self._name: _encode(self._own(ended=True))})).addErrback(_lost)

    async def tell(self) -> None:
        """Say that this gateway is there, and what it has counted. Fails with `TimeoutError` or `StoreUnavailable`."""
        if self._begun:  # else what was counted before would be lost
            self._reports = await self._read()  # it may have been missed, though it ran on
            await self._tell(self._name, self._own())

    async def beat(self) -> None:
        """Say that this gateway is there with its chargers, and nothing new of what it has counted: that is told with the states of its
        chargers. Fails as `tell` does."""
        own = self._reports.get(self._name)
        if self._begun and own is not None:
            await self._tell(self._name, replace(own, at=self._unix(), chargers=len(self._chargers), missed=False))

    async def read(self) -> None:
        """Learn what all have told; if the store does not answer, what was known before stays."""
        try:
            self._reports = await self._read()
        except (TimeoutError, StoreUnavailable):
            log.debug("what gateways have told last cannot be read")

    def energy_today(self, told: Mapping[str, int]) -> int:
        """Delivered today by the fleet's chargers, in Wh: ``told`` by the gateways that answer, and of the others what they have told last."""
        now = self._unix()
        kept = {name: each.wh for name, each in self._reports.items() if each.until > now}
        # one that was started just now may not know yet what it has told before
        return sum(max(told.get(name, 0), kept.get(name, 0)) for name in told.keys() | kept.keys())

    def gone(self, known: set[str]) -> list[GoneGateway]:
        """The gateways that were there lately, were not stopped, and are not among those ``known`` to be there; the latest first."""
        since = self._unix() - GONE_FOR
        found = [(each.at, name) for name, each in self._reports.items() if not each.ended and each.at > since and name not in known]
        latest = [(name, self._reports[name]) for _, name in sorted(found, reverse=True)[:MAX_GONE]]
        return [{"name": name, "since": iso(each.at), "chargers": each.chargers} for name, each in latest]

    def has_lost(self, seconds: float, known: set[str]) -> bool:
        """Whether one of them was there within so many seconds."""
        since = self._unix() - seconds
        return any(each.at > since and not each.ended and name not in known for name, each in self._reports.items())

    def is_missed(self, name: str) -> bool:
        """Whether it has been told that this gateway is gone."""
        return self._reports[name].missed

    async def miss(self, name: str) -> None:
        """Note that it is told. Fails as `tell` does."""
        await self._tell(name, replace(self._reports[name], missed=True))

    def was_gone(self) -> tuple[GoneGateway, float] | None:
        """Since when this gateway was gone, and for how many seconds, if it is back and that has not been told."""
        before = self._before
        if before is None:
            return None
        return {"name": self._name, "since": iso(before.at), "chargers": before.chargers}, self._unix() - before.at

    def told_back(self) -> None:
        """It has been told that this gateway is back."""
        self._before = None

    async def _begin(self) -> None:
        while True:
            try:
                self._reports = reports = await self._read()
                own, now = reports.get(self._name), self._unix()
                if own is not None and own.until > now:
                    self._today.begin(own.wh)
                if own is not None and not own.ended and now - own.at > MISSED_AFTER and not self._begun:
                    self._before = own
                self._begun = True
                await self._tell(self._name, self._own())
                old = [name for name, each in reports.items() if each.at < now - FORGOTTEN_AFTER and name != self._name]
                await in_time(self._states.tell(dict.fromkeys(old)), WITHIN, self._clock)
            except (TimeoutError, StoreUnavailable):
                if self._begun:
                    return  # it is told again in a minute
                await pause(AGAIN, self._clock)
            else:
                return

    async def _read(self) -> dict[str, _Report]:
        found = await in_time(self._states.gateways(), WITHIN, self._clock)
        reports = {name: report for name, value in found.items() if (report := _report(value)) is not None}
        if (own := reports.get(self._name)) is not None and own.missed:
            self._before = own
        return reports

    async def _tell(self, name: str, report: _Report) -> None:
        await in_time(self._states.tell({name: _encode(report)}), WITHIN, self._clock)
        self._reports[name] = report

    def _own(self, *, ended: bool = False) -> _Report:
        wh = self._today.wh
        return _Report(self._unix(), self._today.until, wh, ended, len(self._chargers))


def _report(text: bytes) -> _Report | None:
    try:
        return _decode(text)
    except ValueError:  # also msgspec's: written by another release
        return None


def _lost(why: Failure) -> None:
    """An errback for a last attempt."""
    why.trap(StoreUnavailable, CancelledError)  # type: ignore[no-untyped-call]
