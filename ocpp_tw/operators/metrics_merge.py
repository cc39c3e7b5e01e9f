"""The metrics of several workers as those of one gateway.

Knows of a metric only what `ocpp_tw.monitoring.metric_table` says.

A counter must never fall, or its readers take that for a restart and count all of it once more: so what a worker had counted when it ended
stays in the sum, as far as it was seen here, and so does what one has counted that does not answer at the moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.web.http_headers import Headers

from ..monitoring.metric_table import BY_NAME, TYPE
from .merge import WorkerAnswer, WorkerAnswers, WorkerPool

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

PATH = b"/metrics"

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A sample's name and labels."""

STARTED: Key = ("ocpp_start_time_seconds", ())


class Counted:
    """What a worker had counted when it was asked last, and when it had been started."""

    def __init__(self) -> None:
        self.started: float | None = None
        self.now: dict[Key, float] = {}


class WorkersMetrics:
    """One for the front of several workers."""

    def __init__(self) -> None:
        self._workers: dict[str, Counted] = {}
        self._ended: dict[Key, float] = {}
        """What workers had counted that have ended."""

    def merge(self, answers: WorkerAnswers, workers: WorkerPool) -> WorkerAnswer:
        """The answer of all of them; a refusal by one is that of all."""
        # imported only if needed: the parent of workers is to stay small
        from prometheus_client.exposition import generate_latest
        from prometheus_client.parser import text_string_to_metric_families

        refused = next((answer for _, answer in answers if answer.status != 200), None)
        if refused is not None:
            return refused
        families: dict[str, Family] = {}
        gauges: dict[Key, float] = {}
        for endpoint, answer in answers:
            counted: dict[Key, float] = {}
            started: float | None = None
            for family in text_string_to_metric_families(answer.body.decode()):
                families.setdefault(family.name, family)
                how = _how(family)
                for sample in family.samples:
                    key = sample.name, tuple(sorted(sample.labels.items()))
                    if key == STARTED:
                        started = sample.value
                    if how == "counter":
                        counted[key] = sample.value
                    elif key not in gauges:
                        gauges[key] = sample.value
                    else:
                        gauges[key] = _COMBINED[how]((gauges[key], sample.value))
            self._saw(endpoint.name, started, counted)
        self._fill(families, gauges)
        body = generate_latest(_Collected(families.values()))
        return WorkerAnswer(200, Headers({b"content-type": [TYPE]}), body)

    def _saw(self, name: str, started: float | None, counted: dict[Key, float]) -> None:
        worker = self._workers.setdefault(name, Counted())
        if worker.started != started:
            _add(self._ended, worker.now)
            worker.started, worker.now = started, counted
        else:  # an older answer may come after a newer one
            worker.now = {key: max(value, worker.now.get(key, 0.0)) for key, value in (worker.now | counted).items()}

    def _fill(self, families: dict[str, Family], gauges: dict[Key, float]) -> None:
        """Give the families the samples of all workers."""
        totals = dict(self._ended)
        for worker in self._workers.values():
            _add(totals, worker.now)
        for family in families.values():
            own = {f"{family.name}{suffix}" for suffix in ("", "_total", "_bucket", "_sum", "_count")}
            values = gauges if _how(family) != "counter" else totals
            family.samples = []
            for (name, labels), value in values.items():
                if name in own:
                    family.add_sample(name, dict(labels), value)


class _Collected:
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


_COMBINED: dict[str, Any] = {"sum": sum, "max": max, "min": min}


def _how(family: Family) -> str:
    """``counter`` for what only grows, else how gauges become one: those that are not in the table are added up."""
    if family.type in ("counter", "histogram"):
        return "counter"
    known = BY_NAME.get(family.name)
    return known.workers if known else "sum"


def _add(to: dict[Key, float], counted: dict[Key, float]) -> None:
    for key, value in counted.items():
        to[key] = to.get(key, 0.0) + value
