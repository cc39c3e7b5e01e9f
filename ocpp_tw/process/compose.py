"""Puts a gateway together on given drivers, clock and settings: the same for the service, for tests, and for whoever tests handlers.

Knows every part of the application by name and does no part's work; which drivers and which clock, its caller decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from twisted.internet.interfaces import IReactorTime

from ..core.authority import Authority
from ..core.conclude import Conclusions
from ..core.passwords import Passwords
from ..core.stamps import Stamps
from ..dispatch.dispatcher import Dispatcher
from ..dispatch.handing_over import HandingOver
from ..dispatch.upgrades import Upgrades
from ..gateway.additions import Additions
from ..gateway.authentication import Policy
from ..gateway.backend_register import BackendRegister
from ..gateway.breaker import Breaker
from ..gateway.credentials import Credentials
from ..gateway.gate import Gate
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..gateway.issuing import Issuing
from ..gateway.message_refusals import MessageRefusals
from ..gateway.publisher import Publisher
from ..gateway.reading import CallReader
from ..gateway.reconcile import Reconciler
from ..gateway.renewals import Renewals
from ..gateway.security import SecurityEvents
from ..gateway.signing import Signing
from ..gateway.transaction_ids import Reserve, TransactionIds
from ..gateway.verdicts import Verdicts
from ..interfaces import IGate, IHandlers, ITracer, Store
from ..monitoring.metrics import Metrics
from ..monitoring.monitoring import Monitoring
from ..monitoring.tap import Tap
from ..monitoring.tap_answers import TapAnswers
from ..ocpp.negotiation import enabled_versions
from ..ocpp.tolerance.rules import Tolerance
from ..settings import Settings
from ..untraced import Untraced


@dataclass(frozen=True, slots=True)
class Application:
    """A gateway without its endpoints. ``reconciler`` is None where there is no backend to ask, ``tap`` where no frames are kept."""

    gateway: Gateway
    dispatcher: Dispatcher
    verdicts: Verdicts
    incoming: IncomingCalls
    reader: CallReader
    ids: TransactionIds
    security: SecurityEvents
    renewals: Renewals
    reconciler: Reconciler | None
    tap: Tap | None
    monitoring: Monitoring
    metrics: Metrics

    def start(self) -> None:
        """Lease transaction ids, take commands, check liveness and budgets, look for orphans, for the key of passwords and for certificates that expire, reconcile provisional starts."""
        self.ids.lease()
        self.gateway.fleet_key.start()
        self.dispatcher.start()
        self.gateway.liveness.start()
        self.gateway.budgets.start()
        self.gateway.orphans.start()
        self.renewals.start()
        if self.tap is not None:
            self.tap.start()
        self.monitoring.start()
        if self.reconciler is not None:
            self.reconciler.start()

    def stop(self) -> None:
        """Admit nobody and take no commands any more; those who are connected are served until `Gateway.dismiss`."""
        self.gateway.stopping = True
        self.dispatcher.stop()
        self.gateway.fleet_key.stop()
        self.gateway.liveness.stop()
        self.gateway.budgets.stop()
        self.gateway.orphans.stop()
        self.renewals.stop()
        if self.tap is not None:
            self.tap.stop()
        self.monitoring.stop()
        if self.reconciler is not None:
            self.reconciler.stop()


def compose(
    settings: Settings,
    clock: IReactorTime,
    store: Store,
    *,
    handlers: IHandlers,
    passwords: Passwords,
    authority: Authority | None = None,
    backend: Breaker | None = None,
    gate: IGate | None = None,
    tolerance: Tolerance | None = None,
    reserve: Reserve | None = None,
    stamps: Stamps | None = None,
    tracer: ITracer | None = None,
) -> Application:
    """The gateway on these drivers; nothing is started.

    ``authority`` signs what chargers ask to have signed, ``backend`` is what provisional starts are reconciled with, and asked about chargers
    where it is the register, ``reserve`` where transaction ids are kept for a start without the store, ``stamps`` the time of day and the ids
    of events. Left out: the handlers decide about signing, nothing is reconciled, the register and the settings say who is admitted,
    violations are tolerated as the settings say, no ids are kept, the system's time, and nothing
    is traced by the ``tracer``.
    """
    stamps = stamps or Stamps()
    ids = TransactionIds(store.records, clock, reserve)
    publisher = Publisher(settings.name, stamps, store.events)
    security = SecurityEvents(clock, publisher)
    credentials = Credentials(clock, publisher, store.register, store.records)
    issuing = Issuing(credentials, security)
    signing = None if authority is None else Signing(authority, settings.client_organization, clock, issuing, security)
    verdicts = Verdicts(handlers, store.records, ids, stamps.unix, with_backend=bool(settings.base_url), signing=signing)
    reader = CallReader(tolerance or Tolerance.from_settings(settings), stamps)
    conclusions = Conclusions(settings, clock.seconds, stamps.unix)
    additions, refusals = Additions(settings, handlers, clock), MessageRefusals(settings, clock, stamps, store.events, publisher.counts)
    incoming = IncomingCalls(settings, clock, stamps, reader, verdicts, conclusions, publisher, store.events, additions, refusals)
    register = None
    if backend is not None and settings.register == "backend":
        register = BackendRegister(backend, clock, publisher, max(1, settings.backend_limit // 2))
    own = Gate(Policy.of(settings), clock, store.register, passwords, publisher, security, store.records, register, stamps.unix)
    gateway = Gateway(
        settings, clock, gate or own, passwords, incoming, publisher, stamps.unix, store, enabled_versions(settings), security
    )
    if register is not None:
        register.on_changed = gateway.decisions.apply
    handing_over = HandingOver(passwords, gateway.fleet_key, credentials, issuing, security)
    upgrades = Upgrades(settings, clock, credentials, security, stamps.unix)
    own.on_awaited = upgrades.wait
    dispatcher = Dispatcher(
        settings, clock, stamps, gateway, incoming, verdicts, store, handing_over, upgrades, security, tracer or Untraced()
    )
    monitoring = Monitoring(settings, clock, stamps, publisher, gateway, incoming, verdicts, reader.evidence, dispatcher, store, backend)
    metrics = Metrics(
        clock,
        monitoring.started,
        gateway.chargers,
        monitoring.rows.state,
        stamps.unix,
        publisher.counts,
        incoming.answers.took,
        store,
        backend,
        monitoring.health,
    )
    reconciler = None if backend is None else Reconciler(settings, backend, clock, gateway, verdicts, publisher, store)
    renewals = Renewals(gateway.chargers, clock, security, authority)
    tap = None
    if settings.tap:
        tap = Tap(settings.tap << 20, clock, stamps.unix, store.events.events_in, partial(setattr, incoming, "moment"))
        incoming.record = tap.frames.record
        store.events.tap = tap.published
        TapAnswers(tap, store.fleet, settings.name, clock)
    return Application(gateway, dispatcher, verdicts, incoming, reader, ids, security, renewals, reconciler, tap, monitoring, metrics)
