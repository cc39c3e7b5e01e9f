"""Bounds for Twisted's HTTP client: bodies of limited size, no decompression, and connections that end at once when a request is cancelled.

Knows nothing of the backend, nor of the content of requests and responses.
"""

# mypy: disallow-untyped-calls=False
# (Twisted's web client has types in part.)

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

MAX_RESPONSE_BODY = 64 * 1024
"""Longest body of a response, in bytes (a proper one has a few hundred); a longer one is rejected and its connection aborted."""

MAX_REQUEST_BODY = 256 * 1024
"""Longest body of a request, in bytes, which contains a charger's message; a longer one is not sent."""


class BodyRejected(Exception):
    """The body of a response is not usable; the text completes "the answer is …"."""


@implementer(IAgent)
class UncompressedAgent:
    """Requests uncompressed responses, since treq would inflate a compressed one without a limit. Ignores cookies as well."""

    def __init__(self, agent: IAgent, reactor: IReactorTime) -> None:
        self._agent = agent
        self._reactor = reactor

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        headers = Headers() if headers is None else headers.copy()
        headers.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self._agent.request(method, uri, headers, bodyProducer).addCallback(self._checked)

    def _checked(self, response: IResponse) -> IResponse:
        """Reject a compressed body, if it is one that is going to be read: only that of a 200 is."""
        encodings = b",".join(response.headers.getRawHeaders(b"Content-Encoding", [])).lower()
        response.headers.removeHeader(b"Content-Encoding")
        response.headers.removeHeader(b"Set-Cookie")
        if response.code == 200 and encodings not in (b"", b"identity"):
            drop(response, self._reactor)
            raise BodyRejected("compressed, though it was asked not to be")
        return response


@implementer(IBodyProducer)
class RequestBody:
    """A request's body that is written in one piece: nothing of it is left to do when the request is cancelled."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """There is nothing to pause."""

    def resumeProducing(self) -> None:
        """There is nothing to resume."""

    def stopProducing(self) -> None:
        """There is nothing to stop."""


class ConnectionPool(HTTPConnectionPool):
    """Keeps ``size`` connections to each host for later requests, without Twisted's two log lines for each."""

    cachedConnectionTimeout = 30

    class _factory(HTTPConnectionPool._factory):  # type: ignore[misc, valid-type] # noqa: N801
        noisy = False

    def __init__(self, reactor: IReactorTime, size: int) -> None:
        super().__init__(reactor)
        self._clock = reactor
        self.maxPersistentPerHost = size

    def close(self) -> Deferred[None]:
        """Keep no connection any more; fires when the kept ones are closed. That of the last response returns to the pool a turn after it."""
        self.persistent = False
        return deferLater(self._clock, 0, self.closeCachedConnections)


class BodyCollector(Protocol):
    """Collects a body of at most ``max_size`` bytes into ``done``; cancelling that aborts the connection."""

    def __init__(self, max_size: float = MAX_RESPONSE_BODY) -> None:
        self._max_size = max_size
        self.done: Deferred[bytes] = Deferred(lambda _done: self.abort())
        self._parts = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._parts += data
        if len(self._parts) > self._max_size and not self.done.called:
            self.done.errback(BodyRejected(f"longer than {self._max_size} bytes"))
            self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: HTTP/1.0, where the end of the connection is the end of the body
            self.done.callback(bytes(self._parts))
        else:
            self.done.errback(BodyRejected("broken off"))

    def abort(self) -> None:
        """Abort the connection. The transport given to a body can only close it, and with TLS that waits for the peer."""
        transport = getattr(self.transport, "_producer", None)
        if transport is not None:
            transport.abortConnection()


def collect(response: IResponse, max_size: float = MAX_RESPONSE_BODY) -> Deferred[bytes]:
    """The whole body; fails with `BodyRejected`."""
    body = BodyCollector(max_size)
    response.deliverBody(body)
    return body.done


def drop(response: IResponse, reactor: IReactorTime) -> None:
    """Ignore the body. The part that came with the headers is consumed, so that the connection of a short one can be used again."""
    body = BodyCollector()
    body.done = succeed(b"")
    response.deliverBody(body)
    reactor.callLater(0, body.abort)
