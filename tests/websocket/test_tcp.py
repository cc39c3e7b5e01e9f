"""A charger's connection writes at once what can leave at once, and sends the same bytes as Twisted's in any case."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor, tcp
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from fleets import pause, until
from ocpp_tw.websocket.tcp import MAX_ACCEPTS_PER_TURN, ChargerConnection, use_charger_connections


class Echo(Protocol):
    """Records what it receives and how it ends; as a producer, records when it is paused and resumed."""

    def __init__(self) -> None:
        self.heard, self.flow, self.lost = b"", [], []  # type: tuple[bytes, list[str], list[Any]]
        self.gone: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason.type)
        self.gone.callback(None)

    def pauseProducing(self) -> None:
        self.flow.append("pause")

    def resumeProducing(self) -> None:
        self.flow.append("resume")

    def stopProducing(self) -> None:
        pass


class Pair:
    """Our end and the peer's plain socket."""

    def __init__(self, ours: Echo, peer: socket.socket) -> None:
        self.protocol, self.peer = ours, peer
        self.transport: Any = ours.transport

    async def received(self, count: int) -> bytes:
        """That many bytes, as the peer gets them."""
        data = b""
        for _ in range(2000):
            with suppress(BlockingIOError):
                data += self.peer.recv(1 << 20)
            if len(data) >= count:
                break
            await pause(0.002)
        return data


@pytest_twisted.async_yield_fixture(params=["Twisted's own", "ours"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    made: list[Echo] = []
    came: Deferred[None] = Deferred()

    class Port(Factory):
        noisy = False

        def buildProtocol(self, address: Any) -> Echo:
            made.append(Echo())
            reactor.callLater(0, came.callback, None)
            return made[-1]

    port = reactor.listenTCP(0, Port(), interface="127.0.0.1")
    if request.param == "ours":
        use_charger_connections(port)
    peer = socket.create_connection(("127.0.0.1", port.getHost().port))
    peer.setblocking(False)
    await came
    pair = Pair(made[0], peer)
    assert type(pair.transport) is (ChargerConnection if request.param == "ours" else tcp.Server)
    yield pair
    peer.close()
    if not pair.protocol.lost:
        pair.transport.abortConnection()
        await pair.protocol.gone
    await port.stopListening()


async def test_written_bytes_arrive_whole_and_in_order(pair: Pair) -> None:
    """However large it is and however slowly the peer reads; the protocol is told to pause and to go on."""
    pair.transport.registerProducer(pair.protocol, True)
    chance, said = random.Random(1), b""
    for _ in range(60):
        piece = chance.randbytes(chance.choice([0, 1, 30, 5000, 1_000_000]))
        said += piece
        if chance.random() < 0.2:
            pair.transport.writeSequence([piece[:7], piece[7:]])
        else:
            pair.transport.write(piece)
    assert await pair.received(len(said)) == said
    assert pair.protocol.flow[:1] == ["pause"] and pair.protocol.flow[-1] == "resume"
    pair.transport.write(b"and on")
    assert await pair.received(6) == b"and on"
    pair.transport.unregisterProducer()


async def test_bytes_are_received_and_the_end_reported_once(pair: Pair) -> None:
    pair.peer.send(b"hello")
    pair.peer.close()
    await pair.protocol.gone
    assert pair.protocol.heard == b"hello" and len(pair.protocol.lost) == 1


async def test_a_reset_by_the_peer_is_reported_once_and_never_raised(pair: Pair) -> None:
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.peer.close()
    for _ in range(3):
        pair.transport.write(b"is anybody there?")
    await pair.protocol.gone
    pair.transport.write(b"no")
    assert len(pair.protocol.lost) == 1


async def test_nothing_leaves_after_an_abort(pair: Pair) -> None:
    pair.transport.abortConnection()
    pair.transport.write(b"too late")
    await pair.protocol.gone
    with pytest.raises(ConnectionResetError):
        await pair.received(1)


async def test_the_last_bytes_leave_before_the_end(pair: Pair) -> None:
    pair.transport.write(b"x" * 20_000_000)
    pair.transport.write(b"goodbye")
    pair.transport.loseConnection()
    assert (await pair.received(20_000_007)).endswith(b"xgoodbye")
    await pair.protocol.gone


async def test_a_half_closed_connection_sends_nothing_more(pair: Pair) -> None:
    pair.transport.write(b"all")
    pair.transport.loseWriteConnection()
    await pause(0.05)
    pair.transport.write(b"more")
    assert await pair.received(3) == b"all"
    await pause(0.05)
    assert pair.peer.recv(100) == b"" and not pair.protocol.lost


@pytest.mark.parametrize("pair", ["ours"], indirect=True)
async def test_a_write_leaves_at_once(pair: Pair) -> None:
    """Without a turn of the loop, also again after the line was full for a while."""
    pair.transport.write(b"now")
    assert pair.peer.recv(100) == b"now"
    pair.transport.write(b"x" * 20_000_000)
    await pair.received(20_000_000)
    await pause(0.05)
    pair.transport.write(b"again")
    assert pair.peer.recv(100) == b"again"


@pytest.mark.parametrize("pair", ["ours"], indirect=True)
async def test_it_is_known_what_is_in_transit(pair: Pair) -> None:
    """Bytes that we have not read, and bytes that the peer has not got: then it is not the peer that a handshake waits for."""
    assert not pair.transport.in_transit()
    pair.transport.pauseProducing()
    pair.peer.send(b"x")
    await pause(0.05)
    assert pair.transport.in_transit()
    pair.transport.resumeProducing()
    await pause(0.05)
    assert not pair.transport.in_transit()
    pair.transport.write(b"x" * 20_000_000)
    assert pair.transport.in_transit()
    await pair.received(20_000_000)
    await pause(0.05)
    assert not pair.transport.in_transit()
    pair.transport.loseConnection()
    await pause(0.05)
    assert not pair.transport.in_transit()


async def test_connections_are_accepted_a_few_at_a_time() -> None:
    """FIELD 4: a storm after a restart does not delay the answers to connected chargers; all are accepted."""
    came: list[int] = []
    turn = [0]

    class Crowd(Factory):
        noisy = False

        def buildProtocol(self, address: Any) -> Protocol:
            came.append(turn[0])
            return Protocol()

    def next_turn() -> None:
        turn[0] += 1
        if len(came) < 100:
            turns[0] = reactor.callLater(0, next_turn)

    port = reactor.listenTCP(0, Crowd(), interface="127.0.0.1", backlog=200)
    use_charger_connections(port)
    crowd = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in range(100)]
    turns = [reactor.callLater(0, next_turn)]
    await until(lambda: len(came) == 100)
    await until(lambda: not turns[0].active())
    assert max(came.count(each) for each in came) == MAX_ACCEPTS_PER_TURN
    for each in crowd:
        each.close()
    await port.stopListening()
    await pause(0.05)


@pytest.mark.parametrize("pair", ["ours"], indirect=True)
async def test_it_names_its_peer(pair: Pair) -> None:
    assert "127.0.0.1" in repr(pair.transport) and pair.transport.logPrefix()
