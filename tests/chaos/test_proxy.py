"""The proxy does what its verbs say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from chaos.proxy import Proxy
from fleets import pause, soon, until


class Peer(Protocol):
    """One end of a conversation; ``end`` is why it was over."""

    def __init__(self) -> None:
        self.heard, self.end = b"", None

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason=None) -> None:
        self.end = reason


@implementer(IHalfCloseableProtocol)
class Patient(Peer):
    """One that goes on talking when the other has said all."""

    def __init__(self) -> None:
        super().__init__()
        self.heard_all = False

    def readConnectionLost(self) -> None:
        self.heard_all = True

    def writeConnectionLost(self) -> None:
        pass


class Town:
    """A server, a proxy before it, and those who connect."""

    def __init__(self) -> None:
        self.there: list[Patient] = []
        self.here: list[Peer] = []
        self._server = reactor.listenTCP(0, _Door(self), interface="127.0.0.1")
        self.proxy = Proxy(self._server.getHost().port)

    async def call(self) -> Peer:
        peer = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.proxy.port), Peer())
        self.here.append(peer)
        return peer

    async def both(self) -> tuple[Peer, Patient]:
        """A conversation that has begun."""
        before = len(self.there)
        here = await self.call()
        here.transport.write(b"hello")
        await until(lambda: len(self.there) > before and self.there[-1].heard == b"hello")
        return here, self.there[-1]

    async def close(self) -> None:
        await maybeDeferred(self.proxy.close)
        for each in (*self.here, *self.there):
            if each.end is None:
                each.transport.abortConnection()
        await until(lambda: all(each.end for each in (*self.here, *self.there)))
        await maybeDeferred(self._server.stopListening)


class _Door(Factory):
    noisy = False

    def __init__(self, town: Town) -> None:
        self.town = town

    def buildProtocol(self, address) -> Patient:
        self.town.there.append(Patient())
        return self.town.there[-1]


@pytest_twisted.async_yield_fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    yield made
    await made.close()


async def test_it_passes_both_ways_and_on_the_end(town):
    here, there = await town.both()
    there.transport.write(b"good day")
    await until(lambda: here.heard == b"good day")
    here.transport.loseConnection()
    await until(lambda: there.heard_all)
    there.transport.loseConnection()
    await until(lambda: not town.proxy.pairs)


async def test_a_paused_line_is_silent_and_then_all_arrives(town):
    here, there = await town.both()
    town.proxy.pause()
    here.transport.write(b" you")
    there.transport.write(b"good day")
    late = await town.call()
    late.transport.write(b"anybody?")
    await pause(0.1)
    assert there.heard == b"hello" and here.heard == b"" and here.end is None
    town.proxy.go_on()
    await until(lambda: there.heard == b"hello you" and here.heard == b"good day" and town.there[-1].heard == b"anybody?")


async def test_a_frozen_line_does_not_notice_that_one_has_left_and_others_go_on(town):
    here, there = await town.both()
    other, beyond = await town.both()
    town.proxy.pause(town.proxy.pairs[:1])
    here.transport.abortConnection()
    other.transport.write(b"!")
    await until(lambda: beyond.heard == b"hello!")
    await pause(0.1)
    assert there.end is None and not there.heard_all
    town.proxy.go_on()
    await until(lambda: there.end is not None or there.heard_all)


async def test_delay(town):
    here, there = await town.both()
    town.proxy.wait = 0.2
    before = reactor.seconds()
    here.transport.write(b"!")
    await until(lambda: there.heard == b"hello!")
    assert 0.15 < reactor.seconds() - before < 3


async def test_what_was_delayed_is_not_overtaken_when_the_delay_is_over(town):
    here, there = await town.both()
    for number, wait in enumerate((0.3, 0.1, 0.0)):
        town.proxy.wait = wait
        here.transport.write(b"%d" % number)
        await pause(0.03)
    town.proxy.go_on()
    here.transport.write(b"3")
    await until(lambda: len(there.heard) == len("hello0123"))
    assert there.heard == b"hello0123"


@pytest.mark.parametrize(("verb", "why"), [("drop", ConnectionDone), ("reset", ConnectionLost)])
async def test_drop_and_reset(town, verb, why):
    here, there = await town.both()
    getattr(town.proxy, verb)()
    await until(lambda: here.end is not None)
    assert here.end.check(why)
    await until(lambda: there.end is not None or there.heard_all)


async def test_half_close_leaves_the_way_back_open(town):
    here, there = await town.both()
    town.proxy.half_close()
    await until(lambda: there.heard_all)
    there.transport.write(b"still here")
    await until(lambda: here.heard == b"still here")
    assert here.end is None


async def test_refuse_and_go_on(town):
    town.proxy.refuse()
    refused = await town.call()
    await until(lambda: refused.end is not None)
    assert not town.there
    town.proxy.go_on()
    await soon(town.both())


async def test_a_server_that_is_not_there_is_a_line_that_is_closed(town):
    town.proxy.target = 1
    here = await town.call()
    await until(lambda: here.end is not None)
