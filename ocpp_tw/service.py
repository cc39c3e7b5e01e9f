"""The gateway as one Twisted service: what it is made of, in which order it starts, and how it ends.

Knows every part by name and does no part's work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from . import transport
from .backend import HttpBackend
from .breaker import Breaker
from .desk import Desk
from .dispatch import Dispatch
from .embedded import EmbeddedValkey
from .gate import OpenGate
from .gateway import Gateway
from .handlers import find
from .ids import TransactionIds
from .intake import Intake
from .redis import RedisStore, probe
from .settings import Address, Settings, Wrong
from .site import Operators
from .stamps import Stamps
from .tolerance import Tolerance
from .versions import known
from .waiting import in_time, pause
from .websocket import ChargerFactory

log = Logger()

DEFAULT_REDIS = "redis://127.0.0.1:6379"

BACKLOG = 4096
"""Connections that may wait to be accepted: after a restart all chargers come at once."""

GOODBYES = 200
"""So many chargers are dismissed at once, so that they do not all come back at the same moment."""


class GatewayService(MultiService):
    """Built from settings alone; started and stopped by twistd, or by a test. ``give_up`` is called when it cannot start."""

    def __init__(self, settings: Settings, reactor: Any, give_up: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._give_up = give_up
        self.settings = settings
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self.backend = None
        if settings.base_url:
            self.backend = HttpBackend(settings.base_url, reactor, settings.backend_timeout, settings.backend_limit)
        self.handlers = find(settings, Breaker(self.backend, reactor) if self.backend else None)
        self.tolerance = Tolerance.of(settings)
        self.started: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self.started = Deferred.fromCoroutine(self._start())
        self.started.addErrback(self._failed)

    async def _start(self) -> None:
        settings, reactor = replace(self.settings, redis=await self._redis()), self._reactor
        self.store = store = RedisStore(settings, reactor)
        store.setServiceParent(self)
        Deferred.fromCoroutine(self._tell_durability(store)).addErrback(lambda failure: None)
        stamps = Stamps()
        ids = TransactionIds(store.records)
        desk = Desk(self.handlers, store.records, ids)
        intake = Intake(settings, reactor, stamps, desk, store.events, self.tolerance)
        self.gateway = Gateway(settings, reactor, OpenGate(), intake, store.roster, store.records, known(settings))
        self.dispatch = Dispatch(settings, reactor, stamps, self.gateway, store.commands, store.roster, store.events)
        self.door = ChargerFactory(self.gateway, settings, reactor)
        site = Operators(self.gateway, self.dispatch, desk, store, settings.http_token, intake.evidence).site()
        await self._listen(site, settings.http, "operators' HTTP")
        await self._listen(self.door, settings.port, "chargers")
        if not settings.port.loopback:
            log.warn("chargers are not authenticated (security profile 0): let only your own network reach their port")
        ids.lease()
        self.door.start()
        self.dispatch.start()

    async def _tell_durability(self, store: RedisStore) -> None:
        said, well = await store.guarantee()
        (log.info if well else log.warn)("Redis at {where}: {said}", where=str(store.where), said=said)

    async def _redis(self) -> str:
        """The Redis to use; an embedded Valkey when none is named and none is there."""
        if self.settings.redis:
            return self.settings.redis
        if await probe(self._reactor, DEFAULT_REDIS):
            return DEFAULT_REDIS
        embedded = EmbeddedValkey(self._reactor, self.settings.data)
        embedded.setServiceParent(self)
        await embedded.ready()
        log.info(
            "no Redis is named and none answers at 127.0.0.1:6379: an embedded Valkey runs there, its data is in {data}",
            data=self.settings.data,
        )
        return DEFAULT_REDIS

    async def _listen(self, factory: Any, where: Address, whom: str) -> None:
        endpoint = (TCP6ServerEndpoint if ":" in where.host else TCP4ServerEndpoint)(
            self._reactor, where.port, backlog=BACKLOG, interface=where.host
        )
        try:
            port = await endpoint.listen(factory)
        except CannotListenError as why:
            raise Wrong(f"nothing can listen for {whom} at {where}: {why.socketError}") from None
        transport.serve(port)
        self._ports.append(port)
        log.info("{whom} at {host}:{port}", whom=whom, host=where.host or "*", port=port.getHost().port)

    def _failed(self, failure: Any) -> None:
        """A gateway that cannot start says why in one line, and ends."""
        if not failure.check(CancelledError):
            log.error("the gateway cannot start: {why}", why=failure.getErrorMessage())
            self._give_up()

    async def _stop(self) -> None:
        deadline = time.monotonic() + self.settings.drain
        if self.started is not None:
            self.started.cancel()  # if it has not come to that yet
        for port in self._ports:
            await _maybe(port.stopListening())
        if not hasattr(self, "dispatch"):
            return
        self.gateway.stopping = True
        self.dispatch.stop()
        while not self.gateway.idle and time.monotonic() < deadline - self.settings.drain / 2:
            await pause(0.05, self._reactor)
        while self.gateway.dismiss(GOODBYES):
            await pause(0.02, self._reactor)
        while not self.gateway.emptied and time.monotonic() < deadline:
            await pause(0.05, self._reactor)
        self.door.stop()
        try:
            await in_time(self.store.events.settled(), max(0.1, deadline - time.monotonic()), self._reactor)
        except Exception:
            log.error("{count} events could not be published before the end", count=self.store.events.waiting)

    def stopService(self) -> Any:
        stopping = Deferred.fromCoroutine(self._stop())
        stopping.addErrback(lambda failure: log.failure("while stopping", failure))
        return stopping.addCallback(lambda _: Deferred.fromCoroutine(self._stop_parts()))

    async def _stop_parts(self) -> None:
        if self.backend is not None:
            await self.backend.close()
        stopped = super().stopService()
        if stopped is not None:
            await stopped


async def _maybe(value: Any) -> None:
    if isinstance(value, Deferred):
        await value
