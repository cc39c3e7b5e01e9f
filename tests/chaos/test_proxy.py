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
        client = await self.connect()
        client.transport.write(b"hello")
        await until(lambda: len(self.server_ends) > before and self.server_ends[-1].data == b"hello")
        return client, self.server_ends[-1]

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
    client, server = await network.connected_pair()
    server.transport.write(b"good day")
    await until(lambda: client.data == b"good day")
    client.transport.loseConnection()
    await until(lambda: server.read_closed)
    server.transport.loseConnection()
    await until(lambda: not network.proxy.pairs)


async def test_a_paused_connection_is_silent_and_then_all_data_arrives(network):
    client, server = await network.connected_pair()
    network.proxy.pause()
    client.transport.write(b" you")
    server.transport.write(b"good day")
    late = await network.connect()
    late.transport.write(b"anybody?")
    await pause(0.1)
    assert server.data == b"hello" and client.data == b"" and client.end is None
    network.proxy.resume()
    await until(lambda: server.data == b"hello you" and client.data == b"good day" and network.server_ends[-1].data == b"anybody?")


async def test_a_frozen_connection_does_not_notice_a_close_and_others_continue(network):
    client, server = await network.connected_pair()
    other, beyond = await network.connected_pair()
    network.proxy.pause(network.proxy.pairs[:1])
    client.transport.abortConnection()
    other.transport.write(b"!")
    await until(lambda: beyond.data == b"hello!")
    await pause(0.1)
    assert server.end is None and not server.read_closed
    network.proxy.resume()
    await until(lambda: server.end is not None or server.read_closed)


async def test_data_is_delayed(network):
    client, server = await network.connected_pair()
    network.proxy.delay = 0.2
    before = reactor.seconds()
    client.transport.write(b"!")
    await until(lambda: server.data == b"hello!")
    assert 0.15 < reactor.seconds() - before < 3


async def test_delayed_data_is_not_overtaken_when_the_delay_ends(network):
    client, server = await network.connected_pair()
    for number, delay in enumerate((0.3, 0.1, 0.0)):
        network.proxy.delay = delay
        client.transport.write(b"%d" % number)
        await pause(0.03)
    network.proxy.resume()
    client.transport.write(b"3")
    await until(lambda: len(server.data) == len("hello0123"))
    assert server.data == b"hello0123"


@pytest.mark.parametrize(("verb", "why"), [("drop", ConnectionDone), ("reset", ConnectionLost)])
async def test_drop_and_reset(network, verb, why):
    client, server = await network.connected_pair()
    getattr(network.proxy, verb)()
    await until(lambda: client.end is not None)
    assert client.end.check(why)
    await until(lambda: server.end is not None or server.read_closed)


async def test_half_close_leaves_the_way_back_open(network):
    client, server = await network.connected_pair()
    network.proxy.half_close()
    await until(lambda: server.read_closed)
    server.transport.write(b"still here")
    await until(lambda: client.data == b"still here")
    assert client.end is None


async def test_refuse_and_go_on(network):
    network.proxy.refuse()
    refused = await network.connect()
    await until(lambda: refused.end is not None)
    assert not network.server_ends
    network.proxy.resume()
    await soon(network.connected_pair())


async def test_an_unreachable_server_closes_the_connection(network):
    network.proxy.target = 1
    client = await network.connect()
    await until(lambda: client.end is not None)
