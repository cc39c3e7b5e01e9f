"""Passes a worker's answer that is a stream on to the client, piece by piece, at the client's pace, until either of them ends it.

Knows no route.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse

from .request import OperatorsRequest
from .streams import StreamedAnswer

STREAMS = (b"text/event-stream", b"application/jsonl", b"text/csv")
"""Content types of answers that are passed on as they come; all others are read as a whole."""


def is_stream(response: IResponse) -> bool:
    """Whether the answer is to be passed on piece by piece."""
    return _content_type(response).partition(b";")[0].strip().lower() in STREAMS


def _content_type(response: IResponse) -> bytes:
    found: bytes = (response.headers.getRawHeaders(b"content-type") or [b""])[-1]
    return found


class Passing(Protocol):
    """The body of a worker's answer. ``ended`` fires once the client's answer has ended. Raises `TooManyStreams`."""

    def __init__(self, response: IResponse, request: OperatorsRequest, clock: IReactorTime) -> None:
        self._answer = StreamedAnswer(request, clock, _content_type(response), self._flows)
        self.ended: Deferred[None] = self._answer.ended
        self._complete = False
        self._waiting = b""
        self.ended.addBoth(self._leave)

    def dataReceived(self, data: bytes) -> None:
        # it is not left out: at most what was on its way when the worker was told to wait
        self._waiting += data
        self._flows(not self._answer.full)

    def _flows(self, flows: bool) -> None:
        if flows and self._waiting:
            waiting, self._waiting = self._waiting, b""
            self._answer.write(waiting)
        transport: Any = self.transport
        if transport is not None and not self._complete:
            if self._answer.full:
                transport.pauseProducing()
            else:
                transport.resumeProducing()
        if self._complete and not self._waiting:
            self._answer.finish()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.ended.called:
            return
        if reason.check(ResponseDone):
            self._complete = True
            self._flows(not self._answer.full)
        else:  # the worker has ended, and the client is to see that this was not all
            self._answer.abort()

    def _leave(self, result: Any) -> Any:
        """The client has it all, or is gone: the worker need not go on."""
        connection = getattr(self.transport, "_producer", None)
        if connection is not None and not self._complete:
            connection.abortConnection()
        return result
