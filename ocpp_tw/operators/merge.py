"""How the answers of several workers to one request become one answer.

Knows the JSON of `ocpp_tw.operators.api`; sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.web.http_headers import Headers


class WorkerEndpoint(NamedTuple):
    """Where a worker's HTTP is."""

    name: str
    path: str
    """Of its Unix socket."""
    serving: bool


class WorkerAnswer(NamedTuple):
    """A worker's HTTP response, or one merged from several."""

    status: int
    headers: Headers
    body: bytes

    @classmethod
    def of(cls, status: int, body: Any, headers: dict[bytes, list[bytes]] | None = None) -> WorkerAnswer:
        return cls(status, Headers({b"content-type": [b"application/json"], **(headers or {})}), msgspec.json.encode(body) + b"\n")

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class WorkerPool(Protocol):
    """The workers."""

    stopping: bool
    complete: bool
    """Whether all workers have served at some time."""

    def endpoints(self) -> Sequence[WorkerEndpoint]:
        """Those of all workers, always in the same order."""


WorkerAnswers = list[tuple[WorkerEndpoint, WorkerAnswer]]
Merge = Callable[[WorkerAnswers, WorkerPool], WorkerAnswer]


def merge_for(method: bytes, path: bytes) -> Merge | None:
    """How the answers to such a request are merged; None for a request that goes to one worker only."""
    if method not in (b"GET", b"HEAD"):
        return None
    return MERGES.get(path) or (one_charger if path.startswith(b"/api/chargers/") else None)


def no_worker() -> WorkerAnswer:
    """The answer when no worker can be connected to."""
    return WorkerAnswer.of(503, {"detail": "No worker is there at the moment"})


def health(answers: WorkerAnswers, workers: WorkerPool) -> WorkerAnswer:
    """The sum of all chargers, and those of each worker."""
    chargers = {endpoint.name: answer.json["chargers"] for endpoint, answer in answers}
    return WorkerAnswer.of(200, {"status": "ok", "chargers": sum(chargers.values()), "workers": chargers})


def readiness(answers: WorkerAnswers, workers: WorkerPool) -> WorkerAnswer:
    """Ready as long as one worker is, since chargers and requests then reach it; but not before all have served."""
    redis = bool(answers) and all(answer.json["redis"] for _, answer in answers)
    ready_workers = dict.fromkeys((endpoint.name for endpoint in workers.endpoints()), False)
    ready_workers |= {endpoint.name: answer.status == 200 for endpoint, answer in answers}
    ready = workers.complete and not workers.stopping and any(ready_workers.values())
    spools = [answer.json["spool"] for _, answer in answers if answer.json["spool"]]
    total = {
        "groups": sum(spool["groups"] for spool in spools),
        "events": sum(spool["events"] for spool in spools),
        "trouble": next((spool["trouble"] for spool in spools if spool["trouble"]), ""),
    }
    body = {
        "ready": ready,
        "redis": redis,
        "unread": max((answer.json["unread"] or 0 for _, answer in answers), default=None),  # of one list
        "spool": total if spools else None,
        "stopping": workers.stopping,
        "credentials_key": next((key for _, answer in answers if (key := answer.json["credentials_key"])), None),
        "open": answers[0][1].json["open"] if answers else [],  # the same settings
        "workers": ready_workers,
    }
    return WorkerAnswer.of(200 if ready else 503, body)


def all_chargers(answers: WorkerAnswers, workers: WorkerPool) -> WorkerAnswer:
    """The lists of all workers, one after another; a refusal (of the token) by one is that of all."""
    refused = next((answer for _, answer in answers if answer.status != 200), None)
    return refused or WorkerAnswer.of(200, [charger for _, answer in answers for charger in answer.json])


def violations(answers: WorkerAnswers, workers: WorkerPool) -> WorkerAnswer:
    """The counts of all workers, added up."""
    # imported only if needed: it brings the schemas with it, and the parent of workers is to stay small
    from ..ocpp.tolerance.evidence import merged

    refused = next((answer for _, answer in answers if answer.status != 200), None)
    return refused or WorkerAnswer.of(200, merged([answer.json for _, answer in answers]))


def one_charger(answers: WorkerAnswers, workers: WorkerPool) -> WorkerAnswer:
    """The answer of the worker that has the charger; else that of a failed one, which might have it; else the record, which all share. With
    the last refusal by any of them."""

    def rank(answer: WorkerAnswer) -> int:
        if answer.status == 200:
            return 0 if answer.json["connected"] else 2
        return 3 if answer.status == 404 else 1

    def refused(answer: WorkerAnswer) -> str:
        last = answer.json.get("last_refusal") if answer.status in (200, 404) else None
        return last["time"] if last else ""

    latest = sorted((answer for _, answer in answers), key=refused, reverse=True)
    if not latest:
        return no_worker()
    best = min(latest, key=rank)
    if best.status != 200 or refused(best) == refused(latest[0]):
        return best
    return best._replace(body=WorkerAnswer.of(200, {**best.json, "last_refusal": latest[0].json["last_refusal"]}).body)


MERGES: dict[bytes, Merge] = {
    b"/api/chargers": all_chargers,
    b"/api/violations": violations,
    b"/healthz": health,
    b"/readyz": readiness,
}
"""Path -> how its answers are merged."""
