"""A TCP proxy that can disturb its connections, all of them or some.

Knows nothing of the data it forwards. A frozen connection is one whose peer seems to have vanished: nothing is read or forwarded, and not
even its end is noticed until it is thawed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """One end of a connection through the proxy."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.other: End | None = None
        self.read_closed = self.gone = False
        self.delayed: deque[bytes] = deque()
        """Delayed data, in order: later data waits for it."""
        self.due = 0.0

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.pair.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self.pair.received(self, data)

    def readConnectionLost(self) -> None:
        # The other end is half closed too, and may continue to send.
        self.read_closed = True
        if self.other is None or self.other.gone or self.other.read_closed:
            self.pair.drop()
        else:
            self.other.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason=None) -> None:
        self.gone = True
        self.pair.lost(self)


class Pair:
    """A connection through the proxy: ``front`` is the accepted end, ``back`` the one opened to the target."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.front, self.back = End(self), End(self)
        self.frozen = False
        self._before_connect: list[bytes] = []
        self._timers: list[Any] = []

    @property
    def ends(self) -> list[End]:
        """The ends that are still connected."""
        return [each for each in (self.front, self.back) if each.transport is not None and not each.gone]

    def joined(self, end: End) -> None:
        if end is self.front:
            self._proxy.pairs.append(self)
            there = TCP4ClientEndpoint(reactor, "127.0.0.1", self._proxy.target, timeout=5)
            connectProtocol(there, self.back).addErrback(lambda _: self.drop())
            if self.frozen:
                self.freeze()
            return
        if self.front.gone:
            end.transport.loseConnection()
            return
        self.front.other, self.back.other = self.back, self.front
        data_before_connect, self._before_connect = self._before_connect, []
        for data in data_before_connect:
            self.back.transport.write(data)
        if self.frozen:
            self.freeze()

    def received(self, end: End, data: bytes) -> None:
        now = reactor.seconds()
        end.due = max(end.due, now + self._proxy.delay)
        if end.due <= now and not end.delayed:
            self._forward(end, data)
            return
        end.delayed.append(data)
        self._timers = [each for each in self._timers if each.active()]
        self._timers.append(reactor.callLater(end.due - now, self._forward_delayed, end))

    def _forward_delayed(self, end: End) -> None:
        # Any timer will do: there is one for each piece of data.
        self._forward(end, end.delayed.popleft())

    def _forward(self, end: End, data: bytes) -> None:
        if end.other is None:
            self._before_connect.append(data)
        elif not end.other.gone:
            end.other.transport.write(data)

    def lost(self, end: End) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self.drop()
        if not self.ends and self in self._proxy.pairs:
            self._proxy.pairs.remove(self)

    # disturbances

    def freeze(self) -> None:
        """Stop reading: nothing passes, and nothing is noticed."""
        self.frozen = True
        for end in self.ends:
            end.transport.pauseProducing()

    def thaw(self) -> None:
        """Read again; data that arrived meanwhile passes."""
        self.frozen = False
        for end in self.ends:
            end.transport.resumeProducing()

    def drop(self) -> None:
        """Close both ends."""
        for end in self.ends:
            end.transport.loseConnection()

    def reset(self) -> None:
        """Abort both ends, by RST: data in transit is lost."""
        for end in self.ends:
            end.transport.abortConnection()

    def half_close(self) -> None:
        """Close the direction to the target; the way back stays open."""
        if self.back.transport is not None and not self.back.gone:
            self.back.transport.loseWriteConnection()


class Proxy(Factory):
    """Forwards connections to a port of this machine. ``delay``: seconds by which all data is delayed."""

    noisy = False

    def __init__(self, target: int) -> None:
        self.target = target
        self.pairs: list[Pair] = []
        self.paused = self.refusing = False
        self.delay = 0.0
        self._listener = reactor.listenTCP(0, self, interface="127.0.0.1", backlog=1024)
        self.port: int = self._listener.getHost().port

    def buildProtocol(self, address) -> Protocol:
        if self.refusing:
            return _Closed()
        pair = Pair(self)
        pair.frozen = self.paused
        return pair.front

    def pause(self, pairs: Iterable[Pair] | None = None) -> None:
        """Freeze these connections, or all existing and future ones."""
        self.paused = self.paused or pairs is None
        for pair in list(self.pairs if pairs is None else pairs):
            pair.freeze()

    def resume(self) -> None:
        """End all disturbances."""
        self.paused = self.refusing = False
        self.delay = 0.0
        for pair in list(self.pairs):
            if pair.frozen:
                pair.thaw()

    def drop(self, pairs: Iterable[Pair] | None = None) -> None:
        for pair in list(self.pairs if pairs is None else pairs):
            pair.drop()

    def reset(self, pairs: Iterable[Pair] | None = None) -> None:
        for pair in list(self.pairs if pairs is None else pairs):
            pair.reset()

    def half_close(self, pairs: Iterable[Pair] | None = None) -> None:
        for pair in list(self.pairs if pairs is None else pairs):
            pair.half_close()

    def refuse(self) -> None:
        """Refuse new connections, until `resume`."""
        self.refusing = True

    def close(self) -> Deferred[None]:
        """Stop listening and abort all connections."""
        self.reset()
        return maybeDeferred(self._listener.stopListening)


class _Closed(Protocol):
    def connectionMade(self) -> None:
        self.transport.abortConnection()
