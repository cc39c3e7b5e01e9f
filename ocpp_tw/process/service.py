"""The gateway as one Twisted service: which drivers it runs on, in which order it starts, and how it ends.

Knows no part's work; `compose` knows what a gateway is made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from ..backend.http import HttpBackend
from ..core.passwords import Passwords
from ..gateway.breaker import Breaker
from ..handlers import find
from ..monitoring.fleet_tap import FleetTap
from ..ocpp.negotiation import enabled_versions
from ..ocpp.tolerance.rules import Tolerance
from ..operators.api import OperatorsApi
from ..operators.contract_api import ContractApi
from ..operators.failed_logins import FailedLogin
from ..operators.guard import BehindFront
from ..operators.metrics_api import MetricsApi
from ..operators.parts import fleet_parts
from ..operators.tap_routes import TapRoutes
from ..redis import RedisStore
from ..settings import InvalidSetting, Settings
from ..spool.file import SpoolUnusable
from ..waiting import in_time, pause
from ..websocket import tcp
from ..websocket.certificate import Certificate
from ..websocket.charger_tls import ChargerTlsFactory
from ..websocket.client_certificates import Authorities
from ..websocket.factory import ChargerFactory
from . import descriptors
from .authority_files import AuthorityFile
from .compose import Application, compose
from .credentials_key import KeyFile
from .find_redis import find_redis
from .listening import Endpoints, chargers_of, listen
from .openness import tell_open_doors
from .operators_door import OperatorsDoor
from .tracing import tracing_of
from .what_runs import tell_what_is_missing

log = Logger()

DISMISSED_AT_ONCE = 200
"""Chargers that are dismissed in one turn of the reactor, so that they do not all reconnect at the same moment."""


class GatewayService(MultiService):
    """Built from settings alone; started and stopped by twistd, or by a test. ``give_up`` is called when it cannot start.

    A worker among several is given the ``endpoints`` it listens at, and the secret of their ``front``. ``application`` is None until the
    store is open.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        give_up: Callable[[], None] = lambda: None,
        endpoints: Endpoints | None = None,
        front: str = "",
    ) -> None:
        super().__init__()
        self.settings = settings
        self.application: Application | None = None
        self.started: Deferred[None] | None = None
        self._give_up = give_up
        self._endpoints = endpoints or Endpoints.own(settings, reactor)
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._tracing = tracing_of(settings, reactor)
        self._backend = None
        if settings.base_url:
            timeout, limit = settings.backend_timeout, settings.backend_limit
            self._backend = HttpBackend(settings.base_url, reactor, timeout, limit, tracer=self._tracing.tracer)
        self._breaker = Breaker(self._backend, reactor) if self._backend else None
        self._handlers = find(settings, self._breaker)
        self._tolerance = Tolerance.from_settings(settings)
        self._keys = KeyFile(settings.credentials_key)
        self._authorities = Authorities.of(settings, reactor)
        self._authority = AuthorityFile.of(settings, reactor)
        self._certificate = Certificate.of(settings, reactor, self._authorities)
        self._front = front
        self._door = OperatorsDoor(settings, reactor)
        self._files = [each for each in (self._certificate, self._authorities, self._authority, self._door) if each is not None]

    def startService(self) -> None:
        super().startService()
        self.started = Deferred.fromCoroutine(self._start())
        self.started.addErrback(self._failed)

    async def _start(self) -> None:
        settings, reactor = self.settings, self._reactor
        if not settings.redis:
            settings = replace(settings, redis=await find_redis(self, reactor, settings.data))
        self._store = store = RedisStore(settings, reactor)
        try:
            await store.open()
        except SpoolUnusable as why:
            raise InvalidSetting(f"--spool: {why}") from None
        # with no key there has been no password, and with no authority no certificate: then a gateway may begin without Redis
        store.register.presumed = self._keys.exists or bool(settings.tls_client_ca)
        store.setServiceParent(self)
        Deferred.fromCoroutine(self._log_durability(store)).addErrback(lambda failure: None)
        application = compose(
            settings,
            reactor,
            store,
            handlers=self._handlers,
            passwords=Passwords(self._keys),
            authority=self._authority.authority if self._authority else None,
            backend=self._breaker,
            tolerance=self._tolerance,
            reserve=store.spool,
            tracer=self._tracing.tracer,
        )
        self.application = application
        self._factory = ChargerFactory(application.gateway, settings, reactor, descriptors.limit(), self._authorities)
        await self._listen_for_operators(application)
        await self._listen_for_chargers()
        self._factory.start()
        application.start()

    async def _listen_for_operators(self, application: Application) -> None:
        evidence, door = application.reader.evidence, self._door
        application.metrics.expiries = self._expiries
        parts = fleet_parts(application.monitoring, enabled_versions(self.settings), self._reactor)
        parts.append(MetricsApi(application.metrics))
        operators = OperatorsApi(
            application.gateway, application.dispatcher, application.verdicts, self._store, evidence, application.security
        )
        tap = TapRoutes(FleetTap(self._store.fleet) if application.tap else None, self._reactor)
        guard = BehindFront(self._front) if self._front else door.guard(self.login_failed)
        site = door.served(operators.site(guard, self.settings.http_connections, others=[ContractApi(_contract), tap, *parts]))
        self._ports.append(await listen(self._endpoints.operators, site, self.settings.http, door.clients))

    def _expiries(self) -> dict[str, float]:
        """When the certificates expire that are shown to chargers and to operators, in Unix time."""
        certificates = {"chargers": self._certificate, "operators": self._door.certificate}
        return {clients: each.expires for clients, each in certificates.items() if each is not None}

    def login_failed(self, failed: FailedLogin) -> None:
        """Publish that somebody has shown wrong tokens on operators' HTTP, here or at the front of all workers."""
        if self.application is not None:
            self.application.security.tell(
                "login_failed", "wrong token", address=failed.address, count=failed.count, left_out=failed.left_out
            )

    async def _listen_for_chargers(self) -> None:
        settings, certificate = self.settings, self._certificate
        factory: Any = self._factory
        if certificate is not None:
            factory = ChargerTlsFactory(certificate, factory, self._reactor, plain_too=not settings.tls_only)
        self._ports.append(port := await listen(self._endpoints.chargers, factory, settings.port, chargers_of(settings)))
        tcp.use_charger_connections(port)
        for each in self._files:
            each.start()
        if not self._front:
            tell_open_doors(settings)
        tell_what_is_missing()

    def reload(self) -> None:
        """Read again what may have changed while the gateway runs: certificates, those that vouch for chargers' own,
        the authority that issues them, operators' tokens."""
        for each in self._files:
            each.reload()

    async def _log_durability(self, store: RedisStore) -> None:
        guarantee, well = await store.guarantee()
        (log.info if well else log.warn)("Redis at {address}: {guarantee}", address=str(store.address), guarantee=guarantee)

    def _failed(self, failure: Any) -> None:
        """A gateway that cannot start says why in one line, and ends."""
        if not failure.check(CancelledError):
            log.error("the gateway cannot start: {why}", why=failure.getErrorMessage())
            self._give_up()

    def stopService(self) -> Any:
        stopping = Deferred.fromCoroutine(self._stop())
        stopping.addErrback(lambda failure: log.failure("while stopping", failure))
        return stopping.addCallback(lambda _: Deferred.fromCoroutine(self._stop_parts()))

    async def _stop(self) -> None:
        deadline = time.monotonic() + self.settings.drain
        if self.started is not None:
            self.started.cancel()  # if it has not finished yet
        for each in self._files:
            each.stop()
        for port in self._ports:
            await _maybe(port.stopListening())
        if self.application is not None:
            await self._drain(self.application, deadline)

    async def _drain(self, application: Application, deadline: float) -> None:
        """Let what is being served finish, dismiss all chargers, and make their events durable: until ``deadline`` at the latest."""
        application.stop()
        gateway, events = application.gateway, self._store.events
        while not gateway.idle and time.monotonic() < deadline - self.settings.drain / 2:
            await pause(0.05, self._reactor)
        while gateway.dismiss(DISMISSED_AT_ONCE):
            await pause(0.02, self._reactor)
        while not gateway.drained and time.monotonic() < deadline:
            await pause(0.05, self._reactor)
        self._factory.stop()
        try:
            await in_time(events.flushed(), max(0.1, deadline - time.monotonic()), self._reactor)
        except Exception:
            log.error("{count} events could not be published before the end", count=events.waiting)

    async def _stop_parts(self) -> None:
        if self._backend is not None:
            await self._backend.close()
        await self._tracing.stop()
        stopped = super().stopService()
        if stopped is not None:
            await stopped


async def _maybe(value: Any) -> None:
    if isinstance(value, Deferred):
        await value


def _contract(name: str) -> Deferred[bytes]:
    """A document of the contract for machines; what makes it is loaded when the first is asked for, and takes half a second, in which chargers are served."""

    def made() -> bytes:
        from ..contract.documents import as_json

        return as_json(name)

    return deferToThread(made)
