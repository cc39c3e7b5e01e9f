"""Answers that are written as they come: how many there may be, how much of one may wait for its reader, and when a reader is given up.

Knows neither what is written nor where it comes from.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from .request import OperatorsRequest

EVENTS = b"text/event-stream"
"""The content type of answers that have no end of their own."""

MAX_STREAMS = 64
"""Most streams at once, and no more than a quarter of the connections that there may be; a further one is answered 503. Downloads, which come to
an end, are counted apart, to the same number."""

SHARE, LEAST_SHARE = 4, 4
"""One token, or one address that shows none with a name, may have one in so many of them, but so many at the least: a page has several."""

MAX_UNSENT = 256 << 10
"""Bytes of a stream that wait for its reader, beside those that the kernel has; what is written then is left out."""

STALLED_AFTER = 30.0
"""Seconds in which a reader has to take something of what waits for it; then its connection is closed."""

MAX_AGE = 3600.0
"""Seconds after which a stream ends: whoever asks again, as browsers do, shows its token again, which may not be valid any more."""


LOOK_AGAIN = 5.0
"""Seconds between two looks whether who reads a stream may do so still: a browser logs out, and a token is taken out of its file."""


class TooManyStreams(Exception):
    """As many streams are open as may be."""


class Streams:
    """How many streams a site has, or other answers, whose ``name`` says what they are; ``connections`` is the most connections that it may
    have, 0 if that is limited elsewhere.
    """

    def __init__(self, name: str, connections: int) -> None:
        self._name = name
        self._most = min(MAX_STREAMS, max(1, connections // 4)) if connections else MAX_STREAMS
        self._share = max(LEAST_SHARE, self._most // SHARE)
        self._open: Counter[tuple[str, str]] = Counter()

    def open(self, reader: tuple[str, str]) -> None:
        """One more, of that reader. Raises `TooManyStreams`."""
        if self._open.total() >= self._most:
            raise TooManyStreams(f"As many {self._name} are open as may be, {self._most}: close another one, or try again later")
        if self._open[reader] >= self._share:
            raise TooManyStreams(
                f"As many {self._name} are open as one token or address may have, {self._share}: close another one, or try again later"
            )
        self._open[reader] += 1

    def close(self, reader: tuple[str, str]) -> None:
        """One less."""
        self._open[reader] -= 1
        if not self._open[reader]:
            del self._open[reader]


@implementer(IPushProducer)
class StreamedAnswer:
    """The answer to a request, piece by piece. ``ended`` fires once it has ended, for whatever reason, and ends it when it is cancelled.

    It ends early when who asked for it may not any more.
    ``flows`` is called with False when its reader does not keep up, and with True when it may go on. Raises `TooManyStreams`.
    """

    def __init__(
        self, request: OperatorsRequest, clock: IReactorTime, content_type: bytes, flows: Callable[[bool], None] = lambda flows: None
    ) -> None:
        site: Any = request.site
        self._site = site
        self._endless = content_type == EVENTS
        self._streams: Streams = site.streams if self._endless else site.downloads
        self._reader = _reader(request)
        self._streams.open(self._reader)
        self.ended: Deferred[None] = Deferred(lambda _: self.abort())
        self._request = request
        self._clock = clock
        self._flows = flows
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._paused = self._finishing = self._over = False
        self._stalled: IDelayedCall | None = None
        self._old = clock.callLater(MAX_AGE, self.finish)
        self._looks = LoopingCall(self._look_again)
        self._looks.clock = clock
        self._looks.start(LOOK_AGAIN, now=False)
        request.notifyFinish().addBoth(self._finished)
        request.setHeader(b"content-type", content_type)
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-accel-buffering", b"no")  # a proxy is not to collect it
        request.registerProducer(self, True)

    @property
    def full(self) -> bool:
        """Whether its reader does not keep up: what is written waits."""
        return self._paused

    def write(self, data: bytes) -> bool:
        """Send the piece, or keep it until there is room. Whether it was taken: it is left out when too much waits, and after the end."""
        if self._over or self._finishing:
            return False
        if not self._paused:
            self._request.write(data)
            return True
        if self._bytes + len(data) > MAX_UNSENT:
            return False
        self._waiting.append(data)
        self._bytes += len(data)
        return True

    def finish(self) -> None:
        """It is complete, and ends once its reader has taken what waits."""
        if not self._over:
            self._finishing = True
            self._finish_if_sent()

    def abort(self) -> None:
        """End it at once, so that its reader sees that it is not complete."""
        channel: Any = self._request.channel  # None once the client has disconnected
        if not self._over and channel is not None:
            channel.give_up()

    def pauseProducing(self) -> None:
        self._paused = True
        if self._stalled is None:
            self._stalled = self._clock.callLater(STALLED_AFTER, self._give_up)
        self._flows(False)

    def resumeProducing(self) -> None:
        self._paused = False
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        while self._waiting and not self._paused:
            piece = self._waiting.popleft()
            self._bytes -= len(piece)
            self._request.write(piece)
        if not self._paused:
            self._flows(True)
            self._finish_if_sent()

    def stopProducing(self) -> None:
        """The connection is lost, of which the request is told as well."""

    def _finish_if_sent(self) -> None:
        if self._finishing and not self._waiting and not self._over:
            self._request.unregisterProducer()
            self._request.finish()

    def _look_again(self) -> None:
        head, site = self._request.head, self._site
        if head is None or site.admits_still(head):
            return
        if self._endless:
            self.finish()
        else:
            self.abort()  # it is not complete

    def _give_up(self) -> None:
        self._stalled = None
        self.abort()

    def _finished(self, why: Failure | None) -> None:
        """The request has ended, by us or by its reader."""
        self._over = True
        self._waiting.clear()
        for timer in (self._old, self._stalled):
            if timer is not None and timer.active():
                timer.cancel()
        if self._looks.running:
            self._looks.stop()
        self._streams.close(self._reader)
        if not self.ended.called:
            self.ended.callback(None)


def _reader(request: OperatorsRequest) -> tuple[str, str]:
    """Whose share of the streams it is: that of a token's name, else of an address."""
    operator, head = request.operator, request.head
    return (operator.name, "") if operator.name else ("", (head.address if head else "") or operator.address)
