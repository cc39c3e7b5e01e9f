"""Each disturbance of the proxy does what its name says."""

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
    """One end of a connection; ``end`` is the reason why it was lost."""

    def __init__(self) -> None:
        self.data, self.end = b"", None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason=None) -> None:
        self.end = reason


@implementer(IHalfCloseableProtocol)
class HalfCloseablePeer(Peer):
    """A peer that can still send after the other one has closed its direction."""

    def __init__(self) -> None:
        super().__init__()
        self.read_closed = False

    def readConnectionLost(self) -> None:
        self.read_closed = True

    def writeConnectionLost(self) -> None:
        pass


class Network:
    """A server, a proxy in front of it, and clients."""

    def __init__(self) -> None:
        self.server_ends: list[HalfCloseablePeer] = []
        self.client_ends: list[Peer] = []
        self._server = reactor.listenTCP(0, _ServerFactory(self), interface="127.0.0.1")
        self.proxy = Proxy(self._server.getHost().port)

    async def connect(self) -> Peer:
        peer = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.proxy.port), Peer())
        self.client_ends.append(peer)
        return peer

    async def connected_pair(self) -> tuple[Peer, HalfCloseablePeer]:
        """A connection over which the first data has passed."""
        before = len(self.server_ends)
        here = await self.connect()
        here.transport.write(b"hello")
        await until(lambda: len(self.server_ends) > before and self.server_ends[-1].data == b"hello")
        return here, self.server_ends[-1]

    async def close(self) -> None:
        await maybeDeferred(self.proxy.close)
        for each in (*self.client_ends, *self.server_ends):
            if each.end is None:
                each.transport.abortConnection()
        await until(lambda: all(each.end for each in (*self.client_ends, *self.server_ends)))
        await maybeDeferred(self._server.stopListening)


class _ServerFactory(Factory):
    noisy = False

    def __init__(self, network: Network) -> None:
        self.network = network

    def buildProtocol(self, address) -> HalfCloseablePeer:
        self.network.server_ends.append(HalfCloseablePeer())
        return self.network.server_ends[-1]


@pytest_twisted.async_yield_fixture
async def network() -> AsyncIterator[Network]:
    network = Network()
    yield network
    await network.close()


async def test_data_and_close_pass_both_ways(network):
    here, there = await network.connected_pair()
    there.transport.write(b"good day")
    await until(lambda: here.data == b"good day")
    here.transport.loseConnection()
    await until(lambda: there.read_closed)
    there.transport.loseConnection()
    await until(lambda: not network.proxy.pairs)


async def test_a_paused_connection_is_silent_and_then_all_data_arrives(network):
    here, there = await network.connected_pair()
    network.proxy.pause()
    here.transport.write(b" you")
    there.transport.write(b"good day")
    late = await network.connect()
    late.transport.write(b"anybody?")
    await pause(0.1)
    assert there.data == b"hello" and here.data == b"" and here.end is None
    network.proxy.resume()
    await until(lambda: there.data == b"hello you" and here.data == b"good day" and network.server_ends[-1].data == b"anybody?")


async def test_a_frozen_connection_does_not_notice_a_close_and_others_continue(network):
    here, there = await network.connected_pair()
    other, beyond = await network.connected_pair()
    network.proxy.pause(network.proxy.pairs[:1])
    here.transport.abortConnection()
    other.transport.write(b"!")
    await until(lambda: beyond.data == b"hello!")
    await pause(0.1)
    assert there.end is None and not there.read_closed
    network.proxy.resume()
    await until(lambda: there.end is not None or there.read_closed)


async def test_data_is_delayed(network):
    here, there = await network.connected_pair()
    network.proxy.delay = 0.2
    before = reactor.seconds()
    here.transport.write(b"!")
    await until(lambda: there.data == b"hello!")
    assert 0.15 < reactor.seconds() - before < 3


async def test_delayed_data_is_not_overtaken_when_the_delay_ends(network):
    here, there = await network.connected_pair()
    for number, delay in enumerate((0.3, 0.1, 0.0)):
        network.proxy.delay = delay
        here.transport.write(b"%d" % number)
        await pause(0.03)
    network.proxy.resume()
    here.transport.write(b"3")
    await until(lambda: len(there.data) == len("hello0123"))
    assert there.data == b"hello0123"


@pytest.mark.parametrize(("verb", "why"), [("drop", ConnectionDone), ("reset", ConnectionLost)])
async def test_drop_and_reset(network, verb, why):
    here, there = await network.connected_pair()
    getattr(network.proxy, verb)()
    await until(lambda: here.end is not None)
    assert here.end.check(why)
    await until(lambda: there.end is not None or there.read_closed)


async def test_half_close_leaves_the_way_back_open(network):
    here, there = await network.connected_pair()
    network.proxy.half_close()
    await until(lambda: there.read_closed)
    there.transport.write(b"still here")
    await until(lambda: here.data == b"still here")
    assert here.end is None


async def test_refuse_and_go_on(network):
    network.proxy.refuse()
    refused = await network.connect()
    await until(lambda: refused.end is not None)
    assert not network.server_ends
    network.proxy.resume()
    await soon(network.connected_pair())


async def test_an_unreachable_server_closes_the_connection(network):
    network.proxy.target = 1
    here = await network.connect()
    await until(lambda: here.end is not None)
