"""Publishes `disconnect_charger` for the chargers of gateways that are gone, which can publish nothing any more.

Knows neither when a gateway counts as gone nor how it is ensured that only one gateway publishes it: that is the store's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from ..core import gateway_events
from ..core.entries import Orphan
from ..interfaces import IOrphans
from ..log import Logger
from ..waiting import cancelled, pause
from .publisher import Publisher

log = Logger()

INTERVAL = 2.0
"""Seconds between looks for orphans."""

MAX_AT_ONCE = 500
"""Most that are published before the ones before them are durable: a gateway may have had ten thousand chargers."""


class Orphans:
    """One for a gateway."""

    def __init__(self, clock: IReactorTime, publisher: Publisher, orphans: IOrphans) -> None:
        self._clock = clock
        self._publisher = publisher
        self._orphans = orphans
        self._loop: Deferred[None] | None = None
        self._trouble = ""

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
                await self._publish(await self._orphans.found())
                self._trouble = ""
            except CancelledError:
                raise
            except Exception as why:
                if repr(why) != self._trouble:  # it may last
                    self._trouble = repr(why)
                    log.warn("chargers of gateways that are gone cannot be looked for: {why}", why=self._trouble)

    async def _publish(self, orphans: list[Orphan]) -> None:
        for gateway, count in Counter(each.gateway for each in orphans).items():
            log.warn("gateway {name} is gone, or was started again: {count} chargers were connected to it", name=gateway, count=count)
        for start in range(0, len(orphans), MAX_AT_ONCE):
            durable: Deferred[None] = Deferred()
            batch = orphans[start : start + MAX_AT_ONCE]
            for each in batch:
                then = durable.callback if each is batch[-1] else None  # they become durable in their order
                self._publish_one(each, then)
            await durable

    def _publish_one(self, orphan: Orphan, then: Callable[[Any], None] | None) -> None:
        reason = f"its gateway {orphan.gateway} is gone"
        data = gateway_events.DisconnectCharger(orphan.charger, None, reason, orphan.seconds, 0, 0, 0)
        self._publisher.orphaned(orphan, data, then)
