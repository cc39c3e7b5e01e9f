"""Many chargers in one process: connected at a steady rate, run until they are done, and counted.

Knows the plan of a run; what a charger does is in `charger` and `scenario`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .charger import SimulatedCharger
from .own_certificates import OwnCertificate
from .power import Outlet
from .report import Tally
from .scenario import keep_charging
from .security import Provision
from .security_changes import password_bytes
from .simulated_clock import SimulatedClock
from .trace import Trace, silent
from .v2.dialect import V21, V201
from .v16.dialect import V16
from .websocket_client import ConnectFailed, WebSocketClient

log = Logger()

DIALECTS = {each.ocpp: each for each in (V16, V201, V21)}

MAX_FAILED_ATTEMPTS = 8
"""Failed attempts to connect in a row after which a charger is given up, in a run that ends by itself."""

DELIVERY_TIMEOUT = 5.0
"""Real seconds for delivering the last messages of a run; what is left then is counted as undelivered."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. ``duration`` in real seconds (None: until the transactions are done), ``interval`` and ``minutes`` in
    simulated time, ``power`` in W, ``rate`` in new connections per second. ``transactions`` None: until ``duration`` is over.
    ``flow`` (2.x) is what a driver does first: present the tag ("id") or plug in ("plug"); ``stream`` (2.1) streams values.
    ``security_profile`` None: the one that ``url`` and the credentials are for; ``own`` are the chargers' certificates, by id."""

    url: str = "ws://127.0.0.1:10800/"
    ids: tuple[str, ...] = ("charger-001",)
    connectors: int = 1
    duration: float | None = None
    speed_up: float = 60.0
    rate: float = 100.0
    tag: str = "RFID-12345"
    transactions: int | None = 1
    wait: bool = False
    interval: int = 120
    minutes: float = 30.0
    power: float = 22_000.0
    password: str | None = None
    seed: int | None = None
    insecure: bool = False
    security_profile: int | None = None
    roots: tuple[str, ...] = ()
    own: Mapping[str, OwnCertificate] = field(default_factory=dict)
    tls_url: str | None = None
    timeout: float = 30.0
    fresh_ids: bool = False
    ocpp: str = "1.6"
    flow: str = "id"
    stream: bool = False

    @property
    def ends(self) -> bool:
        """Whether the run ends when all transactions are done."""
        return self.duration is None and not self.wait

    @property
    def profile(self) -> int:
        """The security profile with which the chargers begin."""
        if self.security_profile is not None:
            return self.security_profile
        if not self.url.startswith("wss:"):
            return 0 if self.password is None else 1
        return 3 if self.own else 2 if self.password is not None else 0

    def provision(self, id: str) -> Provision:
        """What one of the chargers has been given."""
        password = None if self.password is None else password_bytes(self.password, self.ocpp)
        return Provision(self.url, self.profile, password, self.roots, self.own.get(id), self.insecure, self.tls_url)


class Fleet:
    """One run of a plan. ``say`` is called with each line for the person at the terminal; ``done`` counts the chargers that are done."""

    def __init__(self, reactor: Any, plan: Plan, trace: Trace = silent, say: Callable[[str], object] = lambda _: None) -> None:
        self.plan = plan
        self.tally = Tally()
        self.done = 0
        self.failed: str | None = None
        self.finished: Deferred[None] = Deferred()
        self._reactor = reactor
        self._trace = trace
        self._say = say
        self._began = 0.0
        self._ended: float | None = None
        self._clients: list[WebSocketClient] = []
        self._scenarios: list[Deferred[None]] = []
        self._timers: list[IDelayedCall] = []
        self._stopping: Deferred[None] | None = None
        self._seed = plan.seed if plan.seed is not None else time.time_ns()

    @property
    def chargers(self) -> list[SimulatedCharger]:
        """The chargers started so far."""
        return [client.charger for client in self._clients]

    @property
    def clients(self) -> list[WebSocketClient]:
        """Their connections."""
        return list(self._clients)

    @property
    def seconds(self) -> float:
        """The duration of the run so far, in real seconds."""
        return (self._ended if self._ended is not None else self._reactor.seconds()) - self._began

    def start(self) -> Deferred[None]:
        """Begin; fires when the run is over."""
        self._began = self._reactor.seconds()
        self.tally.chargers = len(self.plan.ids)
        # one clock for all; runs with the same seed also have the same dates
        self._clock = SimulatedClock(self._reactor, self.plan.speed_up, None if self.plan.seed is None else 1_800_000_000.0)
        self._start_due()
        if self.plan.duration is not None:
            self._timers.append(self._reactor.callLater(self.plan.duration, self.stop))
        return self.finished

    def stop(self) -> Deferred[None]:
        """End the run: stop the transactions, deliver their messages, close the connections."""
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
            self._stopping.addErrback(lambda failure: log.failure("simulation failed to stop", failure))
        return self._stopping

    def _start_due(self) -> None:
        """Start the chargers that are due by now."""
        due = min(len(self.plan.ids), int(self.seconds * self.plan.rate) + 1)
        while len(self._clients) < due and self._stopping is None:
            self._start(self.plan.ids[len(self._clients)])
        if len(self._clients) < len(self.plan.ids) and self._stopping is None:
            self._timers = [each for each in self._timers if each.active()]
            self._timers.append(self._reactor.callLater(max(0.005, (due / self.plan.rate) - self.seconds), self._start_due))

    def _start(self, id: str) -> None:
        plan = self.plan
        charger = SimulatedCharger(
            id,
            self._clock,
            DIALECTS[plan.ocpp],
            connectors=plan.connectors,
            outlet=Outlet(plan.power),
            timeout=plan.timeout,
            fresh_ids=plan.fresh_ids,
            tally=self.tally,
            random=Random(f"{self._seed}/{id}"),  # noqa: S311 - a simulation, no secret
            trace=self._trace,
            id_first=plan.flow == "id",
            stream=plan.stream,
            provision=plan.provision(id),
        )
        charger.configuration.set("MeterValueSampleInterval", str(plan.interval))
        client = WebSocketClient(self._reactor, charger, on_failure=self._connect_failed)
        self._clients.append(client)
        client.start()
        if not plan.wait and self._stopping is None:
            scenario = Deferred.fromCoroutine(keep_charging(charger, plan.tag, plan.transactions, plan.minutes))
            self._scenarios.append(scenario)
            scenario.addCallbacks(lambda _: self._scenario_done(client), self._failed)

    def _connect_failed(self, client: WebSocketClient, why: ConnectFailed) -> bool:
        """Whether the charger is to try again."""
        if self.tally.connections == 0 and (why.status is None or len(self.plan.ids) == 1):
            self.failed = str(why)  # no gateway there: every other attempt would fail, too
            self.stop()
            return False
        self._say(f"{client.charger.id} could not connect: {why}")
        if self.plan.ends and client.failures >= MAX_FAILED_ATTEMPTS:
            self._finish(client)
            return False
        return True

    def _scenario_done(self, client: WebSocketClient) -> None:
        """All transactions of a charger are done."""
        if self.plan.ends and self._stopping is None:
            self._finish(client)

    def _finish(self, client: WebSocketClient) -> None:
        closing = Deferred.fromCoroutine(self._close(client))
        closing.addCallbacks(lambda _: self._count_done(), self._failed)

    def _count_done(self) -> None:
        self.done += 1
        if self.done == len(self.plan.ids):
            self.stop()

    async def _stop(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        for scenario in self._scenarios:
            scenario.cancel()
        closing = [Deferred.fromCoroutine(self._close(client)) for client in self._clients if not client.stopped]
        for each in closing:
            await each
        for client in self._clients:
            await client.stop()
        self._ended = self._reactor.seconds()
        self.finished.callback(None)

    async def _close(self, client: WebSocketClient) -> None:
        """Let a charger deliver its last messages, then close its connection."""
        charger = client.charger
        for connector in charger.connectors:
            connector.stop("Local")
            connector.unplug()
        for _ in range(int(DELIVERY_TIMEOUT * 20)):
            if not charger.online or charger.messaging.quiet:
                break
            await SimulatedClock(self._reactor).sleep(0.05)
        self.tally.undelivered += len(charger.queue) + charger.queue.lost
        await client.stop()

    def _failed(self, failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            log.failure("simulated charger failed", failure)
            self.failed = self.failed or failure.getErrorMessage()
