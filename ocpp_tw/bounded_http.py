"""HTTP that cannot hurt: answers as long as we let them be, never inflated, and gone at once when nobody wants them any more.

Knows nothing of the backend, nor of what a question or an answer says.
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

LONGEST = 64 * 1024
"""Bytes of an answer's body; a proper one has a few hundred."""

LONGEST_QUESTION = 256 * 1024
"""Bytes of a question's body; it has a charger's message in it."""


class BodyRejected(Exception):
    """The answer is not one to read; the text completes "the answer is …"."""


@implementer(IAgent)
class Plain:
    """Has answers sent uncompressed, since treq would inflate a compressed one without a limit. Cookies stay out as well."""

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
        """Only of a 200 is the body ever read."""
        encodings = b",".join(response.headers.getRawHeaders(b"Content-Encoding", [])).lower()
        response.headers.removeHeader(b"Content-Encoding")
        response.headers.removeHeader(b"Set-Cookie")
        if response.code == 200 and encodings not in (b"", b"identity"):
            drop(response, self._reactor)
            raise BodyRejected("compressed, though it was asked not to be")
        return response


@implementer(IBodyProducer)
class RequestBody:
    """A request's body that is handed over in one piece: nothing of it is left to do when the request is given up."""

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


class Pool(HTTPConnectionPool):
    """``size`` connections to each host are kept for later requests, without Twisted's two log lines for every one."""

    cachedConnectionTimeout = 30

    class _factory(HTTPConnectionPool._factory):  # type: ignore[misc, valid-type] # noqa: N801
        noisy = False

    def __init__(self, reactor: IReactorTime, size: int) -> None:
        super().__init__(reactor)
        self._clock = reactor
        self.maxPersistentPerHost = size

    def close(self) -> Deferred[None]:
        """Keep none any more; fires when those that were kept are closed. The last answer's own comes back only after it was taken."""
        self.persistent = False
        return deferLater(self._clock, 0, self.closeCachedConnections)


class Body(Protocol):
    """Collects a body of at most so many bytes into ``done``; cancelling that aborts the connection."""

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self.done: Deferred[bytes] = Deferred(lambda _done: self.abort())
        self._parts = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._parts += data
        if len(self._parts) > self._longest and not self.done.called:
            self.done.errback(BodyRejected(f"longer than {self._longest} bytes"))
            self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: HTTP/1.0, where the end of the connection is the end of the body
            self.done.callback(bytes(self._parts))
        else:
            self.done.errback(BodyRejected("broken off"))

    def abort(self) -> None:
        """Be rid of the connection at once. The transport we are given can only close it, and with TLS that waits for the peer."""
        transport = getattr(self.transport, "_producer", None)
        if transport is not None:
            transport.abortConnection()


def collect(response: IResponse, longest: float = LONGEST) -> Deferred[bytes]:
    """The whole body; fails with `Unfit`."""
    body = Body(longest)
    response.deliverBody(body)
    return body.done


def drop(response: IResponse, reactor: IReactorTime) -> None:
    """Leave the body unread. What came along with the headers is taken, so that a short one leaves its connection fit for use."""
    body = Body()
    body.done = succeed(b"")
    response.deliverBody(body)
    reactor.callLater(0, body.abort)
