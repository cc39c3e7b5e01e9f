"""What each gateway of the fleet has told last of itself, in the store: when it was there, whether it was stopped in order, and its energy of the day.

Knows neither how energy is counted nor which gateways answer. A gateway tells it when it starts, once a minute, and when it is stopped: so what
it has counted outlives it, and one that was killed is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
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

MAX_GONE = 100
"""Most gateways that are missed at a time; those that were there last."""


class _Report(msgspec.Struct, array_like=True, gc=False):
    """``at`` is when it was told, ``until`` when the day ends in which ``wh`` was delivered (Unix time). ``ended``: it was stopped in order."""

    at: float
    until: float
    wh: int
    ended: bool


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Report).decode


class GatewayReports:
    """One for a gateway of that ``name``, which begins ``today`` with what it has told before."""

    def __init__(self, name: str, today: EnergyToday, states: IStates, clock: IReactorTime, unix: Callable[[], float]) -> None:
        self._name = name
        self._today = today
        self._states = states
        self._clock = clock
        self._unix = unix
        self._reports: dict[str, _Report] = {}
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
                deferred(self._states.tell({self._name: self._own(ended=True)})).addErrback(_lost)

    async def tell(self) -> None:
        """Say that this gateway is there, and what it has counted. Fails with `TimeoutError` or `StoreUnavailable`."""
        if self._begun:  # else what was counted before would be lost
            await in_time(self._states.tell({self._name: self._own()}), WITHIN, self._clock)

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
        return [{"name": name, "since": iso(at)} for at, name in sorted(found, reverse=True)[:MAX_GONE]]

    async def _begin(self) -> None:
        while True:
            try:
                self._reports = reports = await self._read()
                own, now = reports.get(self._name), self._unix()
                if own is not None and own.until > now:
                    self._today.begin(own.wh)
                self._begun = True
                await self.tell()
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
        reports = {name: _report(value) for name, value in found.items()}
        return {name: report for name, report in reports.items() if report is not None}

    def _own(self, *, ended: bool = False) -> bytes:
        wh = self._today.wh
        return _encode(_Report(self._unix(), self._today.until, wh, ended))


def _report(text: bytes) -> _Report | None:
    try:
        return _decode(text)
    except ValueError:  # also msgspec's: written by another release
        return None


def _lost(why: Failure) -> None:
    """An errback for a last attempt."""
    why.trap(StoreUnavailable, CancelledError)  # type: ignore[no-untyped-call]
