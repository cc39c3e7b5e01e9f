"""Operators' HTTP of several workers behind one address: asked for all of them together, or of whichever can answer.

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

from ..bounded_http import BodyRejected, Pool, RequestBody, collect

log = Logger()

WORKER_TIMEOUT = 5.0
"""Seconds that each worker has when all are asked."""

REQUEST_HEADERS = (b"authorization", b"content-type")
RESPONSE_HEADERS = (b"content-type", b"www-authenticate", b"allow")
"""Headers that pass, of questions and of answers."""


class Peer(NamedTuple):
    """A worker, as it is found."""

    name: str
    path: str
    serving: bool


class WorkerAnswer(NamedTuple):
    """What a worker answered, or what is made of it."""

    status: int
    headers: Headers
    body: bytes

    @classmethod
    def of(cls, status: int, body: Any) -> WorkerAnswer:
        return cls(status, Headers({b"content-type": [b"application/json"]}), msgspec.json.encode(body) + b"\n")

    @property
    def told(self) -> Any:
        """Its JSON."""
        return msgspec.json.decode(self.body)


class WorkerTimeout(Exception):
    """A worker lives and does not answer; the text names it."""


class WorkerPool(Protocol):
    """The workers."""

    stopping: bool
    complete: bool
    """Whether all have begun to serve at some time."""

    def peers(self) -> Sequence[Peer]:
        """All of them, always in the same order."""


WorkerAnswers = list[tuple[Peer, WorkerAnswer]]


@implementer(IAgentEndpointFactory)
class _Paths:
    """A worker's path is in the URL, in hexadecimal, where the host is."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def endpointForURI(self, uri: URI) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, bytes.fromhex(uri.host.decode()).decode(), WORKER_TIMEOUT)


class FanOut(Resource):
    """Everything under one address."""

    isLeaf = True

    def __init__(self, fleet: WorkerPool, reactor: Any) -> None:
        super().__init__()
        self._fleet = fleet
        self._reactor = reactor
        pool = Pool(reactor, 1)
        pool.persistent = False  # a worker that ended would leave dead connections
        self._agent = Agent.usingEndpointFactory(reactor, _Paths(reactor), pool)
        self._turns = count()

    def site(self) -> Site:
        """What a port serves."""
        site = Site(self, timeout=60)
        site.noisy = False
        site.displayTracebacks = False
        site.log = lambda request: None  # type: ignore[method-assign]  # the workers log what matters
        return site

    def render(self, request: Request) -> int:
        """Answer in time; nothing is left to do when whoever asks goes away."""
        answering = Deferred.fromCoroutine(self._answer(request)).addErrback(self._failed, request)
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        answering.addCallback(_send, request)
        return NOT_DONE_YET

    def _failed(self, why: Failure, request: Request) -> WorkerAnswer | None:
        channel: Any = request.channel
        if channel is None:  # nobody waits for it any more
            return None
        if why.check(WorkerTimeout):
            return WorkerAnswer.of(503, {"detail": why.getErrorMessage()})
        log.failure("a request of an operator's failed", why)
        return WorkerAnswer.of(502, {"detail": "No answer from the worker, see the log"})

    async def _answer(self, request: Request) -> WorkerAnswer:
        joined: Callable[[WorkerAnswers], WorkerAnswer] | None = None
        if request.method in (b"GET", b"HEAD"):
            joined = {
                b"/api/chargers": _everyone,
                b"/api/violations": _violations,
                b"/healthz": self._health,
                b"/readyz": self._ready,
            }.get(request.path)
            if joined is None and request.path.startswith(b"/api/chargers/"):
                joined = _one
        return joined(await self._all(request)) if joined else await self._any(request)

    async def _any(self, request: Request) -> WorkerAnswer:
        """Whoever can be reached first; one that was reached may have done what was asked, so nobody else is asked then."""
        peers = [peer for peer in self._fleet.peers() if peer.serving]
        first = next(self._turns)
        for turn in range(len(peers)):
            try:
                return await self._ask(peers[(first + turn) % len(peers)], request)
            except ConnectError:
                continue
        return WorkerAnswer.of(503, {"detail": "No worker is there at the moment"})

    async def _all(self, request: Request) -> WorkerAnswers:
        """Everyone who serves; one that ends meanwhile has no chargers any more."""
        asked = [self._in_time(peer, request) for peer in self._fleet.peers() if peer.serving]
        try:
            return [answer for asking in asked if (answer := await asking) is not None]
        finally:
            for each in asked:
                each.cancel()

    def _in_time(self, peer: Peer, request: Request) -> Deferred[tuple[Peer, WorkerAnswer] | None]:
        def failed(why: Failure) -> None:
            if timer.called:
                raise WorkerTimeout(f"{peer.name} does not answer")
            timer.cancel()
            why.trap(ConnectError, ResponseFailed, BodyRejected, CancelledError)

        def answered(answer: WorkerAnswer) -> tuple[Peer, WorkerAnswer]:
            timer.cancel()
            return peer, answer

        asking = Deferred.fromCoroutine(self._ask(peer, request))
        timer = self._reactor.callLater(WORKER_TIMEOUT, asking.cancel)
        return asking.addCallbacks(answered, failed)

    async def _ask(self, peer: Peer, request: Request) -> WorkerAnswer:
        headers = Headers({name: request.requestHeaders.getRawHeaders(name, []) for name in REQUEST_HEADERS})
        method = b"GET" if request.method == b"HEAD" else request.method
        assert request.content is not None
        request.content.seek(0)
        body = request.content.read()
        url = b"http://" + peer.path.encode().hex().encode() + request.uri
        response = await self._agent.request(method, url, headers, RequestBody(body) if body else None)
        brought = Headers({name: response.headers.getRawHeaders(name, []) for name in RESPONSE_HEADERS})
        return WorkerAnswer(response.code, brought, await collect(response, inf))

    # what is made of everyone's answers

    def _health(self, told: WorkerAnswers) -> WorkerAnswer:
        chargers = {peer.name: answer.told["chargers"] for peer, answer in told}
        return WorkerAnswer.of(200, {"status": "ok", "chargers": sum(chargers.values()), "workers": chargers})

    def _ready(self, told: WorkerAnswers) -> WorkerAnswer:
        """Work finds its way as long as one worker can take it."""
        redis = bool(told) and all(answer.told["redis"] for _, answer in told)
        workers = dict.fromkeys((peer.name for peer in self._fleet.peers()), False)
        workers |= {peer.name: answer.status == 200 for peer, answer in told}
        ready = self._fleet.complete and not self._fleet.stopping and any(workers.values())
        spools = [answer.told["spool"] for _, answer in told if answer.told["spool"]]
        spool = {
            "groups": sum(each["groups"] for each in spools),
            "events": sum(each["events"] for each in spools),
            "trouble": next((each["trouble"] for each in spools if each["trouble"]), ""),
        }
        said = {"ready": ready, "redis": redis, "spool": spool if spools else None, "stopping": self._fleet.stopping, "workers": workers}
        return WorkerAnswer.of(200 if ready else 503, said)


def _everyone(told: WorkerAnswers) -> WorkerAnswer:
    refused = next((answer for _, answer in told if answer.status != 200), None)
    return refused or WorkerAnswer.of(200, [charger for _, answer in told for charger in answer.told])


def _violations(told: WorkerAnswers) -> WorkerAnswer:
    from ..ocpp.tolerance.evidence import merged  # with the schemas, which nothing else here needs

    refused = next((answer for _, answer in told if answer.status != 200), None)
    return refused or WorkerAnswer.of(200, merged([answer.told for _, answer in told]))


def _one(told: WorkerAnswers) -> WorkerAnswer:
    """Where the charger is connected they know; else what one remembers they all do. Who failed might have had it."""

    def rank(answer: WorkerAnswer) -> int:
        if answer.status == 200:
            return 0 if answer.told["connected"] else 2
        return 3 if answer.status == 404 else 1

    answers = sorted((answer for _, answer in told), key=rank)
    return answers[0] if answers else WorkerAnswer.of(503, {"detail": "No worker is there at the moment"})


def _send(answer: WorkerAnswer | None, request: Request) -> None:
    if answer is None:
        return
    request.setResponseCode(answer.status)
    for name, values in answer.headers.getAllRawHeaders():
        request.responseHeaders.setRawHeaders(name, values)
    request.setHeader(b"content-length", b"%d" % len(answer.body))
    request.write(answer.body)
    request.finish()
