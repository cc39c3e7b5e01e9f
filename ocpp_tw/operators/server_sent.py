"""Server-sent events: a stream of JSON values that a browser reads with EventSource, and any other client line by line.

Knows neither what is sent nor who sends it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from .request import OperatorsRequest
from .streams import EVENTS, StreamedAnswer

TYPE = EVENTS

HEARTBEAT = 15.0
"""Seconds between two comments, by which a client and the proxies before it know that the stream lives."""

_encode = msgspec.json.Encoder().encode


class EventStream:
    """The answer to a request, from its beginning; ``ended`` fires once it has ended, and ends it when it is cancelled.

    Raises `ocpp_tw.operators.streams.TooManyStreams`.
    """

    def __init__(self, request: OperatorsRequest, clock: IReactorTime) -> None:
        self._answer = StreamedAnswer(request, clock, TYPE)
        self._heartbeat = LoopingCall(self._answer.write, b":\n\n")
        self._heartbeat.clock = clock
        self.ended: Deferred[None] = self._answer.ended
        if request.method == b"HEAD":
            self._answer.finish()
            return
        self._heartbeat.start(HEARTBEAT)  # the first at once: then the client has the headers
        self.ended.addBoth(self._stop)

    @property
    def full(self) -> bool:
        """Whether its reader does not keep up: a sender that can wait had better."""
        return self._answer.full

    def send(self, value: Any, event: str = "") -> bool:
        """Send a JSON value, as an event of that type. Whether it was taken: it is left out when too much waits, and after the end."""
        data = b"data: %b\n\n" % _encode(value)
        return self._answer.write(b"event: %b\n%b" % (event.encode(), data) if event else data)

    def finish(self) -> None:
        """End it."""
        self._answer.finish()

    def _stop(self, result: Any) -> Any:
        if self._heartbeat.running:
            self._heartbeat.stop()
        return result
