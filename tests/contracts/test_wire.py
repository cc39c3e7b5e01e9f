"""`IWire`: what every implementer does, the WebSocket server over a fake and over a real transport, and the twin in memory."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from zope.interface.verify import verifyObject

from fleets import pause, until
from ocpp_tw.interfaces import IWire
from ocpp_tw.memory import MemoryWire
from ocpp_tw.settings import Settings
from ocpp_tw.websocket.factory import ChargerFactory
from ocpp_tw.websocket.tcp import use_charger_connections
from websocket_peer import CLOSE, TEXT, FakeAdmissions, Server, frame, frames, request


class Memory:
    """The twin; its charger is played by `MemoryWire` itself."""

    def __init__(self) -> None:
        self.delivered: list[bytes] = []
        self.on_message: Callable[[bytes], None] = lambda text: None
        self.wire = MemoryWire(self._deliver)

    def _deliver(self, text: bytes) -> None:
        self.delivered.append(text)
        self.on_message(text)

    async def sends(self, *texts: bytes) -> None:
        """The charger sends messages."""
        for text in texts:
            self.wire.receive(text)

    async def received(self) -> tuple[list[bytes], tuple[int, str] | None]:
        """The messages that the charger has got, and the code and reason of the close."""
        return self.wire.sent, self.wire.closed

    async def leaves(self) -> None:
        """The charger disconnects without a word."""
        self.wire.leave()

    async def ends(self) -> None:
        pass


class WebSocket:
    """The WebSocket server; its charger is played by the test, byte by byte."""

    def __init__(self, admissions: FakeAdmissions) -> None:
        self.admissions = admissions
        self.data = b""

    @property
    def wire(self) -> Any:
        return self.admissions.wires[0]

    @property
    def delivered(self) -> list[bytes]:
        return [call for call in self.admissions.calls if isinstance(call, bytes)]

    @property
    def on_message(self) -> Callable[[bytes], None]:
        return self.admissions.sink.on_frame

    @on_message.setter
    def on_message(self, react: Callable[[bytes], None]) -> None:
        self.admissions.sink.on_frame = react

    async def received(self) -> tuple[list[bytes], tuple[int, str] | None]:
        self.data += await self.read()
        all_frames = frames(self.data)
        closes = [(struct.unpack("!H", payload[:2])[0], payload[2:].decode()) for opcode, payload in all_frames if opcode == CLOSE]
        assert len(closes) <= 1 and (not closes or all_frames[-1][0] == CLOSE), "nothing may follow a Close frame"
        return [payload for opcode, payload in all_frames if opcode == TEXT], closes[0] if closes else None

    async def read(self) -> bytes:
        raise NotImplementedError


class OverFakeTransport(WebSocket):
    """Without a network."""

    def __init__(self) -> None:
        self.server = Server()
        self.connection = self.server.connect_charger()
        super().__init__(self.server.admissions)

    async def sends(self, *texts: bytes) -> None:
        self.data += self.connection.exchange(*map(frame, texts))

    async def read(self) -> bytes:
        return b"" if self.connection.peer.lost else self.connection.exchange()

    async def leaves(self) -> None:
        self.connection.disconnect()

    async def ends(self) -> None:
        self.server.close()


class OverTcp(WebSocket):
    """Over a real connection, as in production."""

    async def begin(self) -> None:
        self.factory = ChargerFactory(self.admissions, Settings(), reactor)  # type: ignore[arg-type]
        self.port = reactor.listenTCP(0, self.factory, interface="127.0.0.1")
        use_charger_connections(self.port)
        self.socket = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.socket.sendall(request())
        head = b""
        while b"\r\n\r\n" not in head:
            head += await self.read()
        self.data = head.partition(b"\r\n\r\n")[2]

    async def sends(self, *texts: bytes) -> None:
        for text in texts:
            self.socket.sendall(frame(text))
        await pause(0.03)

    async def read(self) -> bytes:
        await pause(0.03)
        data = b""
        with suppress(OSError):  # nothing to read, or closed
            while piece := self.socket.recv(1 << 16):
                data += piece
        return data

    async def leaves(self) -> None:
        self.socket.close()
        await until(lambda: not self.factory.connected)

    async def ends(self) -> None:
        self.wire.hold(False)  # one that is not read from would not notice the end
        self.socket.close()
        await self.port.stopListening()
        await until(lambda: not self.factory.connected)


@pytest_twisted.async_yield_fixture(params=["memory", "fake transport", "TCP"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A wire under test, with a charger at its other end."""
    made: Any
    if request.param == "memory":
        made = Memory()
    elif request.param == "fake transport":
        made = OverFakeTransport()
    else:
        made = OverTcp(FakeAdmissions())
        await made.begin()
    yield made
    await made.ends()


async def test_it_provides_the_interface(line):
    assert verifyObject(IWire, line.wire)


async def test_messages_arrive_in_the_order_of_sending(line):
    texts = [b"%d" % number * (1 + number % 3 * 400) for number in range(30)]
    for text in texts:
        line.wire.send(text)
    assert await line.received() == (texts, None)


async def test_a_message_may_be_sent_while_one_is_received(line):
    line.on_message = lambda text: line.wire.send(text.upper())
    await line.sends(b"one", b"two")
    assert await line.received() == ([b"ONE", b"TWO"], None)


async def test_nothing_is_sent_after_a_close(line):
    line.wire.send(b"before")
    line.wire.close(1001, "going away")
    line.wire.send(b"after")
    assert await line.received() == ([b"before"], (1001, "going away"))


async def test_nothing_is_delivered_after_a_close(line):
    await line.sends(b"before")
    line.wire.close(1000, "enough")
    await line.sends(b"after")
    assert line.delivered == [b"before"]


async def test_a_close_within_a_delivery_ends_the_deliveries(line):
    line.on_message = lambda text: line.wire.close(1008, "enough")
    await line.sends(b"one", b"two")
    assert line.delivered == [b"one"]


async def test_only_the_first_close_counts(line):
    line.wire.close(1012, "service restart")
    line.wire.close(1008, "another reason")
    assert await line.received() == ([], (1012, "service restart"))


async def test_a_reason_is_cut_to_123_bytes_between_characters(line):
    line.wire.close(1000, "ä" * 100)
    assert await line.received() == ([], (1000, "ä" * 61))


async def test_a_ping_is_answered_once_at_the_next_sign_of_life(line):
    answers: list[bool] = []
    line.wire.ping(lambda: answers.append(True))
    await line.received()
    assert answers == []
    await line.sends(b"one", b"two")
    assert answers == [True]
    assert line.delivered == [b"one", b"two"]


async def test_a_ping_is_never_answered_when_the_charger_leaves(line):
    answers: list[bool] = []
    line.wire.ping(lambda: answers.append(True))
    await line.leaves()
    line.wire.ping(lambda: answers.append(True))
    assert answers == []


async def test_a_hold_stops_delivery_until_it_ends(line):
    line.wire.hold(True)
    await line.sends(b"one", b"two")
    assert line.delivered == []
    line.wire.hold(False)
    await line.sends(b"three")
    assert line.delivered == [b"one", b"two", b"three"]


async def test_a_hold_within_a_delivery_stops_at_once(line):
    """Even what has arrived together with the message."""
    line.on_message = lambda text: line.wire.hold(True)
    await line.sends(b"one", b"two")
    assert line.delivered == [b"one"]
    line.on_message = lambda text: None
    line.wire.hold(False)
    await line.sends(b"three")
    assert line.delivered == [b"one", b"two", b"three"]


async def test_a_hold_that_ends_within_a_delivery_changes_nothing(line):
    def react(text: bytes) -> None:
        line.wire.hold(True)
        line.wire.hold(False)

    line.on_message = react
    await line.sends(b"one", b"two", b"three")
    assert line.delivered == [b"one", b"two", b"three"]


async def test_messages_may_be_sent_to_a_charger_that_is_held(line):
    line.wire.hold(True)
    line.wire.send(b"to you")
    assert await line.received() == ([b"to you"], None)


async def test_after_the_charger_has_left_nothing_does_anything(line):
    line.wire.send(b"before")
    before = await line.received()
    await line.leaves()
    line.wire.send(b"lost")
    line.wire.hold(True)
    line.wire.hold(False)
    line.wire.close(1000, "too late")
    assert await line.received() == before == ([b"before"], None)
    assert line.delivered == []
