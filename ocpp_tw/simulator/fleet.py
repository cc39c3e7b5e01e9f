"""Many chargers in one process: connected at a steady rate, played until they are done, and counted.

Knows the plan of a run; what a charger does is its own matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from .charger import Charger
from .drive import keep_charging
from .link import Link, Refused
from .pace import Pace
from .power import Outlet
from .report import Tally
from .trace import Trace, silent
from .v2 import V21, V201
from .v16 import V16

log = Logger()

DIALECTS = {each.ocpp: each for each in (V16, V201, V21)}

PATIENCE = 8
"""How many attempts in a row may fail before a charger is given up, in a run that ends by itself."""

FAREWELL = 5.0
"""Real seconds in which the last messages of an ending run are still delivered."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. ``duration`` in real seconds (None: until the transactions are done), ``interval`` and ``minutes`` in
    simulated time, ``power`` in W, ``rate`` in new connections per second. ``transactions`` None: until ``duration`` is over.
    ``flow`` (2.x) says what a driver does first: present the tag ("id") or plug in ("plug"); ``stream`` (2.1) streams values."""

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
    timeout: float = 30.0
    fresh_ids: bool = False
    ocpp: str = "1.6"
    flow: str = "id"
    stream: bool = False

    @property
    def ends(self) -> bool:
        """Whether the run ends when all transactions are done."""
        return self.duration is None and not self.wait


class Fleet:
    """One run of a plan. ``say`` is told, in a line, what a person should know; ``done`` counts the chargers that are."""

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
        self._links: list[Link] = []
        self._plays: list[Deferred[None]] = []
        self._timers: list[IDelayedCall] = []
        self._stopping: Deferred[None] | None = None
        self._seed = plan.seed if plan.seed is not None else time.time_ns()

    @property
    def chargers(self) -> list[Charger]:
        """Those that were started so far."""
        return [link.charger for link in self._links]

    @property
    def links(self) -> list[Link]:
        """Their lines."""
        return list(self._links)

    @property
    def seconds(self) -> float:
        """How long the run has taken so far, in real seconds."""
        return (self._ended if self._ended is not None else self._reactor.seconds()) - self._began

    def start(self) -> Deferred[None]:
        """Begin; fires when the run is over."""
        self._began = self._reactor.seconds()
        self.tally.chargers = len(self.plan.ids)
        # one calendar for all; a seeded run also has the same dates
        self._pace = Pace(self._reactor, self.plan.speed_up, None if self.plan.seed is None else 1_800_000_000.0)
        self._add()
        if self.plan.duration is not None:
            self._timers.append(self._reactor.callLater(self.plan.duration, self.stop))
        return self.finished

    def stop(self) -> Deferred[None]:
        """End the run: transactions are stopped and told, lines closed."""
        if self._stopping is None:
            self._stopping = Deferred.fromCoroutine(self._stop())
            self._stopping.addErrback(lambda failure: log.failure("while stopping", failure))
        return self._stopping

    def _add(self) -> None:
        """Start as many chargers as are due by now."""
        due = min(len(self.plan.ids), int(self.seconds * self.plan.rate) + 1)
        while len(self._links) < due and self._stopping is None:
            self._start(self.plan.ids[len(self._links)])
        if len(self._links) < len(self.plan.ids) and self._stopping is None:
            self._timers = [each for each in self._timers if each.active()]
            self._timers.append(self._reactor.callLater(max(0.005, (due / self.plan.rate) - self.seconds), self._add))

    def _start(self, id: str) -> None:
        plan = self.plan
        charger = Charger(
            id,
            self._pace,
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
        )
        charger.configuration.set("MeterValueSampleInterval", str(plan.interval))
        link = Link(self._reactor, plan.url, charger, password=plan.password, insecure=plan.insecure, refused=self._refused)
        self._links.append(link)
        link.start()
        if not plan.wait and self._stopping is None:
            play = Deferred.fromCoroutine(keep_charging(charger, plan.tag, plan.transactions, plan.minutes))
            self._plays.append(play)
            play.addCallbacks(lambda _: self._played(link), self._broke)

    def _refused(self, link: Link, why: Refused) -> bool:
        """Whether the charger is to try again."""
        if self.tally.connections == 0 and (why.status is None or len(self.plan.ids) == 1):
            self.failed = str(why)  # nobody is there: no use in a thousand attempts more
            self.stop()
            return False
        self._say(f"{link.charger.id} could not connect: {why}")
        if self.plan.ends and link.failures >= PATIENCE:
            self._finish(link)
            return False
        return True

    def _played(self, link: Link) -> None:
        """All transactions of a charger are done."""
        if self.plan.ends and self._stopping is None:
            self._finish(link)

    def _finish(self, link: Link) -> None:
        closing = Deferred.fromCoroutine(self._close(link))
        closing.addCallbacks(lambda _: self._count(), self._broke)

    def _count(self) -> None:
        self.done += 1
        if self.done == len(self.plan.ids):
            self.stop()

    async def _stop(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        for play in self._plays:
            play.cancel()
        closing = [Deferred.fromCoroutine(self._close(link)) for link in self._links if not link.stopped]
        for each in closing:
            await each
        for link in self._links:
            await link.stop()
        self._ended = self._reactor.seconds()
        self.finished.callback(None)

    async def _close(self, link: Link) -> None:
        """Let a charger deliver what it has to say, then hang up."""
        charger = link.charger
        for connector in charger.connectors:
            connector.stop("Local")
            connector.unplug()
        for _ in range(int(FAREWELL * 20)):
            if not charger.online or charger.voice.quiet:
                break
            await Pace(self._reactor).sleep(0.05)
        self.tally.undelivered += len(charger.outbox) + charger.outbox.lost
        await link.stop()

    def _broke(self, failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            log.failure("a charger broke", failure)
            self.failed = self.failed or failure.getErrorMessage()
