"""What the gateway has counted, as the text that Prometheus reads: all of it is looked at when somebody asks, and counted as plain numbers before.

Knows neither HTTP nor other workers.
"""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Any, Protocol

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from twisted.internet.interfaces import IReactorTime

from .. import __version__
from ..core.commands import OUTCOMES
from ..core.event_names import NAMES
from ..gateway.breaker import QUESTIONS, REASONS, QuestionCounts
from ..gateway.charger import Charger
from ..gateway.counts import Counts
from ..histogram import Histogram
from ..interfaces import Store
from ..ocpp import compiled
from .metric_table import METRICS
from .slices import slices
from .told import HealthReport

REFUSALS = (400, 401, 403, 404, 503)
"""The statuses of refused handshakes that are told from the start."""

Labels = tuple[str, ...]
Values = defaultdict[str, dict[Labels, float | Histogram]]
"""Metric -> the values of its labels -> its value."""


class Own(Protocol):
    """How the gateway is itself (`ocpp_tw.monitoring.health`)."""

    def report(self) -> HealthReport:
        """As it is told to operators."""


class Asked(Protocol):
    """The backend behind its circuit breaker."""

    counts: QuestionCounts


class Metrics:
    """One for a gateway.

    ``state`` is a charger's; ``answers`` how long answers took. ``expiries`` tells when certificates expire, in Unix time, by who is shown them; it is set by whoever has them.
    """

    def __init__(
        self,
        clock: IReactorTime,
        started: float,
        chargers: Mapping[str, Charger],
        state: Callable[[Charger], str],
        unix: Callable[[], float],
        counts: Counts,
        answers: Histogram,
        store: Store,
        backend: Asked | None,
        health: Own,
    ) -> None:
        self.expiries: Callable[[], Mapping[str, float]] = dict
        self._clock = clock
        self._started = started
        self._chargers = chargers
        self._state = state
        self._unix = unix
        self._counts = counts
        self._answers = answers
        self._store = store
        self._backend = backend
        self._health = health
        self._process = ProcessCollector(registry=None)

    async def text(self) -> bytes:
        """In Prometheus' text format 0.0.4."""
        values: Values = defaultdict(dict)
        await self._add_chargers(values)
        self._add_counted(values)
        self._add_health(values)
        return generate_latest(_Collected(_families(values), self._process))

    async def _add_chargers(self, values: Values) -> None:
        counted: Counter[Labels] = Counter()
        power, now = 0.0, self._unix()
        async for some in slices(list(self._chargers.values()), self._clock):
            for charger in some:
                counted[self._state(charger), charger.ocpp] += 1
                if charger.state is not None and charger.state.running:
                    power += charger.state.power(now)
        values["ocpp_chargers"] = dict(counted)
        values["ocpp_power_watts"][()] = power

    def _add_counted(self, values: Values) -> None:
        counts, events = self._counts, self._store.events
        messages = values["ocpp_messages_total"]
        for direction, by_action in (("in", counts.received), ("out", counts.sent)):
            messages.update({(direction, action): count for action, count in by_action.items()})
        # what has not happened yet is there as zero, or nobody would see the first time as an increase
        events_told, outcomes = dict.fromkeys(NAMES, 0) | counts.events, dict.fromkeys(OUTCOMES, 0) | counts.commands
        values["ocpp_events_total"] = {(name,): count for name, count in events_told.items()}
        values["ocpp_commands_total"] = {(outcome,): count for outcome, count in outcomes.items()}
        refused = dict.fromkeys(REFUSALS, 0) | counts.refused
        values["ocpp_handshakes_refused_total"] = {(str(status),): count for status, count in refused.items()}
        values["ocpp_answer_seconds"][()] = self._answers
        values["ocpp_command_seconds"][()] = counts.commands_took
        values["ocpp_redis_write_seconds"][()] = events.groups.took
        values["ocpp_redis_group_entries"][()] = events.groups.entries
        values["ocpp_waiting_entries"][()] = events.waiting
        values["ocpp_waiting_bytes"][()] = events.waiting_bytes
        values["ocpp_overloaded"][()] = events.overloaded
        if self._backend is not None:
            asked = self._backend.counts
            values["ocpp_backend_failures_total"] = {(question, reason): 0 for question in QUESTIONS for reason in REASONS}
            values["ocpp_backend_request_seconds"] = {(question,): took for question, took in asked.took.items()}
            for (question, reason), count in asked.failures.items():
                values["ocpp_backend_failures_total"][question, reason] = count

    def _add_health(self, values: Values) -> None:
        health = self._health.report()
        values["ocpp_build_info"][__version__, platform.python_version(), "yes" if compiled.IS_USED else "no"] = 1
        values["ocpp_start_time_seconds"][()] = self._started
        values["ocpp_workers"][()] = 1
        values["ocpp_loop_lag_seconds"][()] = health["loop_lag_ms"] / 1000
        redis, spool = health["redis"], health["spool"]
        values["ocpp_redis_up"][()] = redis["connected"]
        if redis["unread"] is not None:
            values["ocpp_redis_unread_events"][()] = redis["unread"]
        if spool:
            values["ocpp_spool_groups"][()], values["ocpp_spool_events"][()] = spool["groups"], spool["events"]
            values["ocpp_spool_bytes"][()], values["ocpp_spool_up"][()] = self._store.spool_bytes(), not spool["trouble"]
        if health["backend"]["state"] != "none":
            values["ocpp_backend_up"][()] = health["backend"]["state"] == "ok"
        values["ocpp_certificate_expiry_timestamp_seconds"] = {(clients,): until for clients, until in self.expiries().items()}


class _Collected:
    """What `generate_latest` renders."""

    def __init__(self, families: list[Family], process: ProcessCollector) -> None:
        self._families = families
        self._process = process

    def collect(self) -> Iterator[Family]:
        yield from self._families
        yield from self._process.collect()


def _families(values: Values) -> list[Family]:
    """Those of the table that have values; a process's own come from elsewhere."""
    families: list[Family] = []
    for name, kind, meaning, labels, _ in METRICS:
        if name.startswith("process_") or not values[name]:
            continue
        family: Any
        if kind == "histogram":
            family = HistogramMetricFamily(name, meaning, labels=labels)
            for of, histogram in values[name].items():
                assert isinstance(histogram, Histogram)
                family.add_metric(of, _buckets(histogram), histogram.sum)
        else:
            family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(name, meaning, labels=labels)
            for of, value in values[name].items():
                family.add_metric(of, float(value))  # type: ignore[arg-type]
        families.append(family)
    return families


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """How many were at most so much, which is what Prometheus wants, where `Histogram` counts ranges."""
    so_far, buckets = 0, []
    for bound, count in zip((*histogram.bounds, inf), histogram.counts, strict=True):
        so_far += count
        buckets.append(("+Inf" if bound == inf else str(bound), float(so_far)))
    return buckets
