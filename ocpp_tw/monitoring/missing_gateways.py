"""Tells once in the fleet when one of its gateways is gone without having been stopped, and when it is back: both are troubles.

Knows neither where troubles are kept nor how it is found out who is there. The others miss a gateway; that it is back it tells itself.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from ..core.entries import REFUSED_HANDSHAKES
from ..core.history import gateway_gone
from ..core.stamps import Stamps
from ..gateway.once_in_fleet import OnceInFleet
from ..gateway.publisher import Publisher
from ..interfaces import IFleet, IRegister, StoreUnavailable
from ..log import Logger
from ..waiting import cancelled, pause
from .gateway_reports import GatewayReports
from .told import GoneGateway

log = Logger()

INTERVAL = 10.0
"""Seconds between two looks, with each of which a gateway says that it is there."""

GONE_AFTER = 10.0
"""Seconds for which a gateway must have been found without a lease: after an outage of the store each takes its own time to come back, a second
or two."""


class MissingGateways:
    """One for a gateway."""

    def __init__(
        self, fleet: IFleet, reports: GatewayReports, register: IRegister, publisher: Publisher, clock: IReactorTime, stamps: Stamps
    ) -> None:
        self._fleet = fleet
        self._reports = reports
        self._in_fleet = OnceInFleet(register)
        self._publisher = publisher
        self._clock = clock
        self._now = stamps.now
        self._absent: dict[str, float] = {}
        self._loop: Deferred[None] | None = None
        fleet.answer("there", lambda query: True)

    def start(self) -> None:
        """Begin to look for them."""
        self._loop = Deferred.fromCoroutine(self._look_for_ever()).addErrback(cancelled)

    def stop(self) -> None:
        """Look no more."""
        if self._loop is not None:
            self._loop.cancel()
            self._loop = None

    async def _look_for_ever(self) -> None:
        while True:
            await pause(INTERVAL, self._clock)
            try:
                await self._look()
            except CancelledError:
                raise
            except (TimeoutError, StoreUnavailable):
                log.debug("gateways that are gone cannot be looked for")
            except Exception:
                log.failure("gateways that are gone cannot be looked for")

    async def _look(self) -> None:
        await self._reports.read()
        back = self._reports.was_gone()
        await self._reports.beat()
        if back is not None:
            self._record(*back)
            self._reports.told_back()
        answers = await self._fleet.ask("there", {})
        if answers.trouble:
            self._absent.clear()
            return
        now = self._clock.seconds()
        gone = self._reports.gone({*answers.answers, *answers.missing})
        self._absent = {each["name"]: self._absent.get(each["name"], now) for each in gone}
        for each in gone:
            name = each["name"]
            if now - self._absent[name] >= GONE_AFTER and not self._reports.is_missed(name) and await self._first(name):
                await self._reports.miss(name)
                log.warn("gateway {name} is gone, it was there last at {since}", name=name, since=each["since"])
                self._record(each)

    def _first(self, name: str) -> Deferred[bool]:
        """Whether it is this gateway that tells of that one."""
        first: Deferred[bool] = Deferred()
        self._in_fleet.ask(f"gateway_gone:{name}", first.callback)
        return first

    def _record(self, gone: GoneGateway, seconds: float | None = None) -> None:
        told = gateway_gone(gone["name"], gone["since"], gone["chargers"], self._now(), self._publisher.gateway, seconds)
        self._publisher.carry_out(REFUSED_HANDSHAKES, (told,))
