"""Operators' HTTP for several workers behind one address: forwards a request to all of them and merges the answers, or to one of them.

Knows of a worker only where its own HTTP is (`ocpp_tw.operators.api`), and whether it serves; `ocpp_tw.operators.merge` merges.
"""

# mypy: disallow-untyped-calls=False
# (Twisted's web client has types in part.)

from __future__ import annotations

from itertools import count
from math import inf
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ..bounded_http import BodyRejected, ConnectionPool, RequestBody, collect, drop
from ..log import Logger
from .channel import OperatorsSite
from .guard import ADDRESS, OPERATOR, Admission
from .merge import WorkerAnswer, WorkerAnswers, WorkerEndpoint, WorkerPool, merge_for, no_worker
from .metrics_merge import PATH as METRICS
from .metrics_merge import WorkersMetrics
from .pages import with_pages
from .passing import Passing, is_stream
from .request import OperatorsRequest
from .streams import TooManyStreams

log = Logger()

WORKER_TIMEOUT = 5.0
"""Seconds that each worker has to answer a request that goes to all; then the answer is 503."""

MAX_ASKING_ALL = 16
"""Most requests that go to all workers at once, each over a connection of its own to every worker; further ones wait."""

REQUEST_HEADERS = (b"content-type", b"host", b"accept", b"if-none-match")
RESPONSE_HEADERS = (
    *(
        b"content-type",
        b"www-authenticate",
        b"allow",
        b"retry-after",
        b"content-disposition",
        b"cache-control",
        b"etag",
        b"location",
        b"x-missing",
        b"x-cursor",
    ),
    *(b"content-security-policy", b"x-content-type-options", b"referrer-policy"),
)
"""Headers that are forwarded, of requests and of responses."""


class WorkerTimeout(Exception):
    """A worker is running and does not answer; the text names it."""


class WorkerGone(Exception):
    """A worker has closed the connection before it had answered; the text names it."""


@implementer(IAgentEndpointFactory)
class _UnixSockets:
    """Connects to a Unix socket whose path is in the URL, in hexadecimal, in place of the host."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def endpointForURI(self, uri: URI) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, bytes.fromhex(uri.host.decode()).decode(), WORKER_TIMEOUT)


class FanOut(Resource):
    """The HTTP resource of all workers. Who may ask, and how much, `OperatorsSite` has decided before; the workers are told who it is, and
    believe that for the ``secret``.
    """

    isLeaf = True

    def __init__(self, workers: WorkerPool, reactor: Any, secret: str) -> None:
        super().__init__()
        self._workers = workers
        self._reactor = reactor
        self._authorization = b"Bearer " + secret.encode()
        pool = ConnectionPool(reactor, 1)
        pool.persistent = False  # a worker that ended would leave dead connections
        self._agent = Agent.usingEndpointFactory(reactor, _UnixSockets(reactor), pool)
        self._next = count()
        self._asking_all = DeferredSemaphore(MAX_ASKING_ALL)
        self._metrics = WorkersMetrics()

    def site(self, guard: Admission, limit: int = 0) -> OperatorsSite:
        """The site for a port to serve; see there."""
        return OperatorsSite(with_pages(self, guard), guard, limit)

    def render(self, request: OperatorsRequest) -> int:
        """Answer later; cancelled when the client disconnects."""
        answer = Deferred.fromCoroutine(self._answer(request)).addErrback(self._failed, request)
        request.notifyFinish().addErrback(lambda _: answer.cancel())
        answer.addCallback(_send, request)
        return NOT_DONE_YET

    def _failed(self, why: Failure, request: OperatorsRequest) -> WorkerAnswer | None:
        channel: Any = request.channel
        if channel is None:  # the client has disconnected
            return None
        if why.check(WorkerTimeout):
            return WorkerAnswer.of(503, {"detail": why.getErrorMessage()})
        if why.check(WorkerGone):
            worker = why.getErrorMessage()
            log.warn(
                "operator request {method} {path} failed: {worker} closed the connection before it had answered, as one does that is killed",
                method=request.method.decode("latin-1"), path=request.path.decode("latin-1"), worker=worker,
            )  # fmt: skip
            return WorkerAnswer.of(502, {"detail": f"No answer from {worker}, which has ended; it may have acted on the request"})
        log.failure("operator request failed", why)
        return WorkerAnswer.of(502, {"detail": "No answer from the worker, see the log"})

    async def _answer(self, request: OperatorsRequest) -> WorkerAnswer | None:
        """None: it has been answered already."""
        reads = request.method in (b"GET", b"HEAD")
        merge = self._metrics.merge if reads and request.path == METRICS else merge_for(request.method, request.path)
        return merge(await self._ask_all(request), self._workers) if merge else await self._ask_any(request)

    async def _ask_any(self, request: OperatorsRequest) -> WorkerAnswer | None:
        """The answer of the first worker that can be connected to. It may have acted on the request, so no other is asked then.

        One that is a stream is passed on, until it has ended.
        """
        endpoints = self._serving()
        first = next(self._next)
        for offset in range(len(endpoints)):
            endpoint = endpoints[(first + offset) % len(endpoints)]
            try:
                response = await self._respond(endpoint, request)
                if not is_stream(response):
                    return await _read(response)
            except ConnectError:
                continue
            except (ResponseFailed, BodyRejected):
                raise WorkerGone(endpoint.name) from None
            return await self._pass_on(response, request)
        return no_worker()

    async def _pass_on(self, response: IResponse, request: OperatorsRequest) -> WorkerAnswer | None:
        if request.method == b"HEAD":  # the worker was asked for all of it
            drop(response, self._reactor)
            return WorkerAnswer(response.code, _passed_on(response), b"")
        try:
            passing = Passing(response, request, self._reactor)
        except TooManyStreams as why:
            drop(response, self._reactor)
            return WorkerAnswer.of(503, {"detail": str(why)}, {b"retry-after": [b"5"]})
        request.setResponseCode(response.code)
        for name, values in _passed_on(response).getAllRawHeaders():
            request.responseHeaders.setRawHeaders(name, values)
        response.deliverBody(passing)
        await passing.ended
        return None

    async def _ask_all(self, request: OperatorsRequest) -> WorkerAnswers:
        """The answers of all that serve, without one that ends meanwhile: it has no chargers any more."""
        async with self._asking_all:
            requests = [self._ask_in_time(endpoint, request) for endpoint in self._serving()]
            try:
                return [answer for pending in requests if (answer := await pending) is not None]
            finally:
                for pending in requests:
                    pending.cancel()

    def _serving(self) -> list[WorkerEndpoint]:
        return [endpoint for endpoint in self._workers.endpoints() if endpoint.serving]

    def _ask_in_time(self, endpoint: WorkerEndpoint, request: OperatorsRequest) -> Deferred[tuple[WorkerEndpoint, WorkerAnswer] | None]:
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

    async def _ask(self, endpoint: WorkerEndpoint, request: OperatorsRequest) -> WorkerAnswer:
        return await _read(await self._respond(endpoint, request))

    async def _respond(self, endpoint: WorkerEndpoint, request: OperatorsRequest) -> IResponse:
        headers = Headers({name: request.requestHeaders.getRawHeaders(name, []) for name in REQUEST_HEADERS})
        if not headers.getRawHeaders(b"host"):  # HTTP/1.0; the agent would make a header of the socket's name
            headers.setRawHeaders(b"host", [b"localhost"])
        headers.setRawHeaders(b"authorization", [self._authorization])
        headers.setRawHeaders(OPERATOR, [request.operator.name.encode()])
        headers.setRawHeaders(ADDRESS, [request.operator.address.encode()])
        method = b"GET" if request.method == b"HEAD" else request.method
        assert request.content is not None
        request.content.seek(0)
        body = request.content.read()
        url = b"http://" + endpoint.path.encode().hex().encode() + request.uri
        response: IResponse = await self._agent.request(method, url, headers, RequestBody(body) if body else None)
        return response


async def _read(response: IResponse) -> WorkerAnswer:
    return WorkerAnswer(response.code, _passed_on(response), await collect(response, inf))


def _passed_on(response: IResponse) -> Headers:
    return Headers({name: response.headers.getRawHeaders(name, []) for name in RESPONSE_HEADERS})


def _send(answer: WorkerAnswer | None, request: OperatorsRequest) -> None:
    if answer is None:
        return
    request.setResponseCode(answer.status)
    for name, values in answer.headers.getAllRawHeaders():
        request.responseHeaders.setRawHeaders(name, values)
    request.setHeader(b"content-length", b"%d" % len(answer.body))
    request.write(answer.body)
    request.finish()
