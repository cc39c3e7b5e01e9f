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
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from ..backend.http import HttpBackend
from ..core.stamps import Stamps
from ..dispatch.dispatcher import Dispatcher
from ..gateway.breaker import Breaker
from ..gateway.gate import OpenGate
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..gateway.reconcile import Reconciler
from ..gateway.transaction_ids import TransactionIds
from ..gateway.verdicts import Verdicts
from ..handlers import find
from ..ocpp.negotiation import known
from ..ocpp.tolerance.rules import Tolerance
from ..operators.api import OperatorsApi
from ..redis import RedisStore
from ..settings import InvalidSetting, Settings
from ..spool.file import SpoolUnusable
from ..waiting import in_time, pause
from ..websocket import tcp
from ..websocket.certificate import Certificate
from ..websocket.connection import ChargerFactory
from ..websocket.tls import TlsFactory
from .embedded_valkey import find_redis
from .listening import Endpoints, listen

log = Logger()

DISMISSED_AT_ONCE = 200
"""So many chargers are dismissed at once, so that they do not all come back at the same moment."""


class GatewayService(MultiService):
    """Built from settings alone; started and stopped by twistd, or by a test. ``give_up`` is called when it cannot start.

    A worker among several is told at which ``places`` it is reached.
    """

    def __init__(
        self, settings: Settings, reactor: Any, give_up: Callable[[], None] = lambda: None, places: Endpoints | None = None
    ) -> None:
        super().__init__()
        self._give_up = give_up
        self._places = places or Endpoints.own(settings, reactor)
        self.settings = settings
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self.backend = None
        if settings.base_url:
            self.backend = HttpBackend(settings.base_url, reactor, settings.backend_timeout, settings.backend_limit)
        self.breaker = Breaker(self.backend, reactor) if self.backend else None
        self.handlers = find(settings, self.breaker)
        self.reconciler: Reconciler | None = None
        self.tolerance = Tolerance.of(settings)
        self.certificate = Certificate.of(settings, reactor)
        self.started: Deferred[None] | None = None

    def startService(self) -> None:
        super().startService()
        self.started = Deferred.fromCoroutine(self._start())
        self.started.addErrback(self._failed)

    async def _start(self) -> None:
        settings, reactor = self.settings, self._reactor
        if not settings.redis:
            settings = replace(settings, redis=await find_redis(self, reactor, settings.data))
        self.store = store = RedisStore(settings, reactor)
        try:
            await store.open()
        except SpoolUnusable as why:
            raise InvalidSetting(f"--spool: {why}") from None
        store.setServiceParent(self)
        Deferred.fromCoroutine(self._tell_durability(store)).addErrback(lambda failure: None)
        stamps = Stamps()
        ids = TransactionIds(store.records, reactor, store.spool)
        desk = Verdicts(self.handlers, store.records, ids)
        intake = IncomingCalls(settings, reactor, stamps, desk, store.events, self.tolerance)
        self.gateway = Gateway(settings, reactor, OpenGate(), intake, store.roster, store.records, known(settings))
        self.dispatch = Dispatcher(settings, reactor, stamps, self.gateway, store.commands, store.roster, store.events, intake)
        if self.breaker is not None:
            self.reconciler = Reconciler(self.breaker, reactor, self.gateway, desk, intake, store.roster, store.records)
        self.factory = ChargerFactory(self.gateway, settings, reactor)
        site = OperatorsApi(self.gateway, self.dispatch, desk, store, settings.http_token, intake.evidence).site()
        self._ports.append(await listen(self._places.operators, site, settings.http, "operators' HTTP"))
        await self._open()
        ids.lease()
        self.factory.start()
        self.dispatch.start()
        self.gateway.liveness.start()
        if self.reconciler is not None:
            self.reconciler.start()

    async def _open(self) -> None:
        """Chargers may come."""
        settings, certificate = self.settings, self.certificate
        factory: Any = self.factory if certificate is None else TlsFactory(certificate, self.factory, self._reactor)
        whom = "chargers" if certificate is None else "chargers over TLS"
        self._ports.append(port := await listen(self._places.chargers, factory, settings.port, whom))
        tcp.use_charger_connections(port)
        if certificate is not None:
            certificate.start()
        if not settings.port.loopback:
            so = "security profile 0" if certificate is None else "TLS proves to them who we are, and not to us who they are"
            log.warn("chargers are not authenticated ({so}): let only your own network reach their port", so=so)

    def reload(self) -> None:
        """Read again what may have changed while the gateway runs: the certificate."""
        if self.certificate is not None:
            self.certificate.reload()

    async def _tell_durability(self, store: RedisStore) -> None:
        said, well = await store.guarantee()
        (log.info if well else log.warn)("Redis at {where}: {said}", where=str(store.address), said=said)

    def _failed(self, failure: Any) -> None:
        """A gateway that cannot start says why in one line, and ends."""
        if not failure.check(CancelledError):
            log.error("the gateway cannot start: {why}", why=failure.getErrorMessage())
            self._give_up()

    async def _stop(self) -> None:
        deadline = time.monotonic() + self.settings.drain
        if self.started is not None:
            self.started.cancel()  # if it has not come to that yet
        if self.certificate is not None:
            self.certificate.stop()
        for port in self._ports:
            await _maybe(port.stopListening())
        if not hasattr(self, "dispatch"):
            return
        self.gateway.stopping = True
        self.dispatch.stop()
        self.gateway.liveness.stop()
        if self.reconciler is not None:
            self.reconciler.stop()
        while not self.gateway.idle and time.monotonic() < deadline - self.settings.drain / 2:
            await pause(0.05, self._reactor)
        while self.gateway.dismiss(DISMISSED_AT_ONCE):
            await pause(0.02, self._reactor)
        while not self.gateway.drained and time.monotonic() < deadline:
            await pause(0.05, self._reactor)
        self.factory.stop()
        try:
            await in_time(self.store.events.flushed(), max(0.1, deadline - time.monotonic()), self._reactor)
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
