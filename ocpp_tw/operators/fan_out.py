"""Operators' HTTP for several workers behind one address: forwards a request to all of them and merges the answers, or to one of them.

Knows of a worker only where its own HTTP is (`ocpp_tw.operators.api`), and whether it serves.
"""

# mypy: disallow-untyped-calls=False
# (Twisted's web client has types in part.)

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from math import inf
from typing import Any, NamedTuple, Protocol

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from ..bounded_http import BodyRejected, ConnectionPool, RequestBody, collect

log = Logger()

WORKER_TIMEOUT = 5.0
"""Seconds that each worker has to answer a request that goes to all; then the answer is 503."""

REQUEST_HEADERS = (b"authorization", b"content-type")
RESPONSE_HEADERS = (b"content-type", b"www-authenticate", b"allow")
"""Headers that are forwarded, of requests and of responses."""


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
    def of(cls, status: int, body: Any) -> WorkerAnswer:
        return cls(status, Headers({b"content-type": [b"application/json"]}), msgspec.json.encode(body) + b"\n")

    @property
    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class WorkerTimeout(Exception):
    """A worker is running and does not answer; the text names it."""


class WorkerPool(Protocol):
    """The workers."""

    stopping: bool
    complete: bool
    """Whether all workers have served at some time."""

    def endpoints(self) -> Sequence[WorkerEndpoint]:
        """Those of all workers, always in the same order."""


WorkerAnswers = list[tuple[WorkerEndpoint, WorkerAnswer]]


@implementer(IAgentEndpointFactory)
class _UnixSockets:
    """Connects to a Unix socket whose path is in the URL, in hexadecimal, in place of the host."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def endpointForURI(self, uri: URI) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, bytes.fromhex(uri.host.decode()).decode(), WORKER_TIMEOUT)


class FanOut(Resource):
    """The HTTP resource of all workers."""

    isLeaf = True

    def __init__(self, workers: WorkerPool, reactor: Any) -> None:
        super().__init__()
        self._workers = workers
        self._reactor = reactor
        pool = ConnectionPool(reactor, 1)
        pool.persistent = False  # a worker that ended would leave dead connections
        self._agent = Agent.usingEndpointFactory(reactor, _UnixSockets(reactor), pool)
        self._next = count()

    def site(self) -> Site:
        """The site for a port to serve."""
        site = Site(self, timeout=60)
        site.noisy = False
        site.displayTracebacks = False
        site.log = lambda request: None  # type: ignore[method-assign]  # the workers log what matters
        return site

    def render(self, request: Request) -> int:
        """Answer later; cancelled when the client disconnects."""
        answer = Deferred.fromCoroutine(self._answer(request)).addErrback(self._failed, request)
        request.notifyFinish().addErrback(lambda _: answer.cancel())
        answer.addCallback(_send, request)
        return NOT_DONE_YET

    def _failed(self, why: Failure, request: Request) -> WorkerAnswer | None:
        channel: Any = request.channel
        if channel is None:  # the client has disconnected
            return None
        if why.check(WorkerTimeout):
            return WorkerAnswer.of(503, {"detail": why.getErrorMessage()})
        log.failure("operator request failed", why)
        return WorkerAnswer.of(502, {"detail": "No answer from the worker, see the log"})

    async def _answer(self, request: Request) -> WorkerAnswer:
        merge: Callable[[WorkerAnswers], WorkerAnswer] | None = None
        if request.method in (b"GET", b"HEAD"):
            merge = {
                b"/api/chargers": _all_chargers,
                b"/api/violations": _violations,
                b"/healthz": self._health,
                b"/readyz": self._ready,
            }.get(request.path)
            if merge is None and request.path.startswith(b"/api/chargers/"):
                merge = _one_charger
        return merge(await self._ask_all(request)) if merge else await self._ask_any(request)

    async def _ask_any(self, request: Request) -> WorkerAnswer:
        """The answer of the first worker that can be connected to. It may have acted on the request, so no other is asked then."""
        endpoints = self._serving()
        first = next(self._next)
        for offset in range(len(endpoints)):
            try:
                return await self._ask(endpoints[(first + offset) % len(endpoints)], request)
            except ConnectError:
                continue
        return WorkerAnswer.of(503, {"detail": "No worker is there at the moment"})

    async def _ask_all(self, request: Request) -> WorkerAnswers:
        """The answers of all that serve, without one that ends meanwhile: it has no chargers any more."""
        requests = [self._ask_in_time(endpoint, request) for endpoint in self._serving()]
        try:
            return [answer for pending in requests if (answer := await pending) is not None]
        finally:
            for pending in requests:
                pending.cancel()

    def _serving(self) -> list[WorkerEndpoint]:
        return [endpoint for endpoint in self._workers.endpoints() if endpoint.serving]

    def _ask_in_time(self, endpoint: WorkerEndpoint, request: Request) -> Deferred[tuple[WorkerEndpoint, WorkerAnswer] | None]:
        def failed(why: Failure) -> None:
            if timer.called:
                raise WorkerTimeout(f"{endpoint.name} does not answer")
            timer.cancel()
            why.trap(ConnectError, ResponseFailed, BodyRejected, CancelledError)

        def answered(answer: WorkerAnswer) -> tuple[WorkerEndpoint, WorkerAnswer]:
            timer.cancel()
            return endpoint, answer

        pending = Deferred.fromCoroutine(self._ask(endpoint, request))
        timer = self._reactor.callLater(WORKER_TIMEOUT, pending.cancel)
        return pending.addCallbacks(answered, failed)

    async def _ask(self, endpoint: WorkerEndpoint, request: Request) -> WorkerAnswer:
        headers = Headers({name: request.requestHeaders.getRawHeaders(name, []) for name in REQUEST_HEADERS})
        method = b"GET" if request.method == b"HEAD" else request.method
        assert request.content is not None
        request.content.seek(0)
        body = request.content.read()
        url = b"http://" + endpoint.path.encode().hex().encode() + request.uri
        response = await self._agent.request(method, url, headers, RequestBody(body) if body else None)
        response_headers = Headers({name: response.headers.getRawHeaders(name, []) for name in RESPONSE_HEADERS})
        return WorkerAnswer(response.code, response_headers, await collect(response, inf))

    # merged answers

    def _health(self, answers: WorkerAnswers) -> WorkerAnswer:
        chargers = {endpoint.name: answer.json["chargers"] for endpoint, answer in answers}
        return WorkerAnswer.of(200, {"status": "ok", "chargers": sum(chargers.values()), "workers": chargers})

    def _ready(self, answers: WorkerAnswers) -> WorkerAnswer:
        """Ready as long as one worker is: chargers and requests reach it."""
        redis = bool(answers) and all(answer.json["redis"] for _, answer in answers)
        workers = dict.fromkeys((endpoint.name for endpoint in self._workers.endpoints()), False)
        workers |= {endpoint.name: answer.status == 200 for endpoint, answer in answers}
        ready = self._workers.complete and not self._workers.stopping and any(workers.values())
        spools = [answer.json["spool"] for _, answer in answers if answer.json["spool"]]
        total = {
            "groups": sum(spool["groups"] for spool in spools),
            "events": sum(spool["events"] for spool in spools),
            "trouble": next((spool["trouble"] for spool in spools if spool["trouble"]), ""),
        }
        body = {"ready": ready, "redis": redis, "spool": total if spools else None, "stopping": self._workers.stopping, "workers": workers}
        return WorkerAnswer.of(200 if ready else 503, body)


def _all_chargers(answers: WorkerAnswers) -> WorkerAnswer:
    refused = next((answer for _, answer in answers if answer.status != 200), None)
    return refused or WorkerAnswer.of(200, [charger for _, answer in answers for charger in answer.json])


def _violations(answers: WorkerAnswers) -> WorkerAnswer:
    from ..ocpp.tolerance.evidence import (
        merged,  # imported only if needed: it brings the schemas with it, and this process is to stay small
    )

    refused = next((answer for _, answer in answers if answer.status != 200), None)
    return refused or WorkerAnswer.of(200, merged([answer.json for _, answer in answers]))


def _one_charger(answers: WorkerAnswers) -> WorkerAnswer:
    """The answer of the worker that has the charger; else that of a failed one, which might have it; else the record, which all share."""

    def rank(answer: WorkerAnswer) -> int:
        if answer.status == 200:
            return 0 if answer.json["connected"] else 2
        return 3 if answer.status == 404 else 1

    ranked = sorted((answer for _, answer in answers), key=rank)
    return ranked[0] if ranked else WorkerAnswer.of(503, {"detail": "No worker is there at the moment"})


def _send(answer: WorkerAnswer | None, request: Request) -> None:
    if answer is None:
        return
    request.setResponseCode(answer.status)
    for name, values in answer.headers.getAllRawHeaders():
        request.responseHeaders.setRawHeaders(name, values)
    request.setHeader(b"content-length", b"%d" % len(answer.body))
    request.write(answer.body)
    request.finish()
