"""A TCP proxy that can be told to treat its connections badly, all of them or some.

Knows nothing of what passes through it. A frozen connection is one whose other end seems to have vanished: bytes go nowhere, and not
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
        self.heard_all = self.gone = False
        self.late: deque[bytes] = deque()
        """What has come in and is delayed; what comes after it has to wait for it, however long."""
        self.due = 0.0

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.pair.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self.pair.passed(self, data)

    def readConnectionLost(self) -> None:
        # The other end hears of it, and may go on talking.
        self.heard_all = True
        if self.other is None or self.other.gone or self.other.heard_all:
            self.pair.drop()
        else:
            self.other.transport.loseWriteConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason=None) -> None:
        self.gone = True
        self.pair.lost(self)


class Pair:
    """A connection through the proxy: its end that was accepted in ``front``, the one that was made for it in ``back``."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.front, self.back = End(self), End(self)
        self.frozen = False
        self._early: list[bytes] = []
        self._timers: list[Any] = []

    @property
    def ends(self) -> list[End]:
        """Those that are still there."""
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
        early, self._early = self._early, []
        for data in early:
            self.back.transport.write(data)
        if self.frozen:
            self.freeze()

    def passed(self, end: End, data: bytes) -> None:
        now = reactor.seconds()
        end.due = max(end.due, now + self._proxy.wait)
        if end.due <= now and not end.late:
            self._pass(end, data)
            return
        end.late.append(data)
        self._timers = [each for each in self._timers if each.active()]
        self._timers.append(reactor.callLater(end.due - now, self._pass_late, end))

    def _pass_late(self, end: End) -> None:
        # Whichever timer this is: as many go off as pieces wait.
        self._pass(end, end.late.popleft())

    def _pass(self, end: End, data: bytes) -> None:
        if end.other is None:
            self._early.append(data)
        elif not end.other.gone:
            end.other.transport.write(data)

    def lost(self, end: End) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        self.drop()
        if not self.ends and self in self._proxy.pairs:
            self._proxy.pairs.remove(self)

    # the verbs

    def freeze(self) -> None:
        """Let nothing through, and notice nothing."""
        self.frozen = True
        for end in self.ends:
            end.transport.pauseProducing()

    def thaw(self) -> None:
        """Let through what came meanwhile."""
        self.frozen = False
        for end in self.ends:
            end.transport.resumeProducing()

    def drop(self) -> None:
        """Close both ends."""
        for end in self.ends:
            end.transport.loseConnection()

    def reset(self) -> None:
        """End both at once, by RST: what was on its way is lost."""
        for end in self.ends:
            end.transport.abortConnection()

    def half_close(self) -> None:
        """Nothing more goes to the one who was connected to; the way back stays open."""
        if self.back.transport is not None and not self.back.gone:
            self.back.transport.loseWriteConnection()


class Proxy(Factory):
    """Passes connections on to a port of this machine. ``wait``: seconds by which everything is delayed."""

    noisy = False

    def __init__(self, target: int) -> None:
        self.target = target
        self.pairs: list[Pair] = []
        self.paused = self.refusing = False
        self.wait = 0.0
        self._listener = reactor.listenTCP(0, self, interface="127.0.0.1", backlog=1024)
        self.port: int = self._listener.getHost().port

    def buildProtocol(self, address) -> Protocol:
        if self.refusing:
            return _Closed()
        pair = Pair(self)
        pair.frozen = self.paused
        return pair.front

    def pause(self, pairs: Iterable[Pair] | None = None) -> None:
        """Freeze these, or all that are and will be."""
        self.paused = self.paused or pairs is None
        for pair in list(self.pairs if pairs is None else pairs):
            pair.freeze()

    def go_on(self) -> None:
        """As if nothing had been."""
        self.paused = self.refusing = False
        self.wait = 0.0
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
        """Nobody comes in any more, until `go_on`."""
        self.refusing = True

    def close(self) -> Deferred[None]:
        """The end of it and of all that pass through it."""
        self.reset()
        return maybeDeferred(self._listener.stopListening)


class _Closed(Protocol):
    def connectionMade(self) -> None:
        self.transport.abortConnection()
