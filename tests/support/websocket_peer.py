"""A WebSocket server and its peers, without a network and on a clock that only tests move: support of the tests of `ocpp_tw.websocket`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.test import iosim

from ocpp_tw.interfaces import HandshakeRequest, IWire
from ocpp_tw.settings import Settings
from ocpp_tw.websocket.factory import ChargerFactory
from ocpp_tw.websocket.turns import ConnectionTurns

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="

ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What RFC 6455 §1.3 has a server answer to that key."""

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class RecordingSink:
    """A sink that records its messages among its owner's ``calls``."""

    def __init__(self, calls: list[Any]) -> None:
        self.calls = calls
        self.received = self.beside = 0
        self.not_utf8: list[bytes] = []
        self.on_frame: Callable[[bytes], None] = lambda text: None

    def frame(self, text: bytes) -> None:
        self.received += 1
        self.calls.append(text)
        self.on_frame(text)

    def unreadable(self, text: bytes) -> None:
        self.not_utf8.append(text)

    def frames_beside(self, count: int) -> None:
        self.beside += count


class FakeAdmissions:
    """Admits every charger with the first subprotocol that it offers, and records the calls; ``decide`` may be replaced."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.requests: list[HandshakeRequest] = []
        self.wires: list[Any] = []
        self.sink = RecordingSink(self.calls)
        self.room = True
        self.decide: Callable[[HandshakeRequest, IWire], Any] = lambda handshake, wire: (
            self.sink,
            handshake.offered[0] if handshake.offered else None,
        )

    def admit(self, request: HandshakeRequest, wire: IWire) -> Any:
        self.requests.append(request)
        self.wires.append(wire)
        return self.decide(request, wire)

    def has_room(self, size: int, may_wait: bool) -> bool:
        return self.room

    def handshake_refused(self, request: HandshakeRequest, status: int, reason: str) -> None:
        self.calls.append(("refused", request.id, status, reason))

    def arrived(self, sink: Any) -> None:
        assert sink is self.sink
        self.calls.append("arrived")

    def departed(self, sink: Any, code: int, reason: str) -> None:
        assert sink is self.sink
        self.calls.append(("departed", code, reason))


class FakeTransport(iosim.FakeTransport):
    """Our end of a connection: like Twisted's TCP it pauses a producer whose peer does not read, and stops reading on demand."""

    full = 65536
    peer_reads = True
    reading = True
    leaving = False
    aborted = False
    pending = 0

    def __init__(self, protocol: Any, address: str = "192.0.2.7") -> None:
        super().__init__(protocol, True, peerAddress=IPv4Address("TCP", address, 50123))
        self.unread: list[bytes] = []
        self.paused = False

    def write(self, data: bytes) -> None:
        assert type(data) is bytes
        if self.leaving or self.disconnecting:
            return
        super().write(data)
        self.pending += len(data)
        if self.producer is not None and not self.paused and self.pending > self.full:
            self.paused = True
            self.producer.pauseProducing()

    def getOutBuffer(self) -> Any:
        if self.reading and self.unread:
            data, self.unread = b"".join(self.unread), []
            self.protocol.dataReceived(data)
        if not self.peer_reads:
            return None
        data, self.pending = super().getOutBuffer(), 0
        if self.paused and self.producer is not None:
            self.paused = False
            self.producer.resumeProducing()
        self.disconnecting = self.disconnecting or (self.leaving and not self.stream)
        return data

    def bufferReceived(self, buf: bytes) -> None:
        if self.reading:
            self.protocol.dataReceived(buf)
        else:
            self.unread.append(buf)

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.leaving = True
        self.disconnecting = self.peer_reads

    def abortConnection(self) -> None:
        self.aborted = self.disconnecting = True
        self.disconnectReason = ConnectionAborted()


class RawPeer(Protocol):
    """The other end, which sends whatever bytes it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


class AutobahnPeer(WebSocketClientProtocol):
    """Autobahn's own client, which records what happens."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def onOpen(self) -> None:
        self.seen.append(("open", self.websocket_protocol_in_use))

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.seen.append(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.seen.append(("closed", code, reason))


class PeerConnection:
    """One connection: ``protocol`` is the one under test."""

    def __init__(self, factory: ChargerFactory, peer: Any, clock: Clock, address: str) -> None:
        self.protocol: Any = factory.buildProtocol(IPv4Address("TCP", address, 50123))
        self.peer = peer
        self.transport = FakeTransport(self.protocol, address)
        self.pump = iosim.connect(self.protocol, self.transport, peer, iosim.makeFakeClient(peer), clock=clock)

    def exchange(self, *pieces: bytes) -> bytes:
        """Send pieces, each in a segment of its own; the bytes that came back since the last time."""
        for piece in pieces:
            self.peer.transport.write(piece)
            self.pump.flush()
        self.pump.flush()
        data: bytes = self.peer.data
        self.peer.data = b""
        return data

    def disconnect(self) -> None:
        """Break the connection, without a closing handshake."""
        self.peer.transport.loseConnection()
        self.pump.flush()


class Server:
    """A server, its clock, and all connections made by the test."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.admissions = FakeAdmissions()
        self.calls = self.admissions.calls
        self.factory = ChargerFactory(self.admissions, Settings(**settings), self.clock)
        self.factory.turns = ConnectionTurns(self.clock, self.admissions.has_room, self.clock.seconds)
        self.factory.start()
        self.connections: list[PeerConnection] = []

    def connect(self, peer: Any = None, address: str = "192.0.2.7") -> PeerConnection:
        """A connection on which nothing has been sent."""
        connection = PeerConnection(self.factory, peer or RawPeer(), self.clock, address)
        self.connections.append(connection)
        return connection

    def connect_charger(
        self, *more: bytes, target: str = "/cp1", headers: tuple[bytes, ...] = (), address: str = "192.0.2.7", **asked: Any
    ) -> PeerConnection:
        """A connection with its handshake done; ``more`` follows it in the same segment."""
        connection = self.connect(address=address)
        answer = connection.exchange(request(target, *headers, **asked) + b"".join(more))
        head, end, connection.peer.data = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ") and end, answer
        connection.peer.head = head + end
        return connection

    def connect_autobahn(self, path: str = "/cp1", protocols: tuple[str, ...] = ("ocpp1.6",), **options: Any) -> PeerConnection:
        """A connection by Autobahn's client."""
        factory = WebSocketClientFactory(f"ws://csms.example.com:10800{path}", protocols=list(protocols))
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0, **options)
        factory.protocol = AutobahnPeer
        return self.connect(factory.buildProtocol(None))

    def wait(self, seconds: int) -> None:
        """Let time pass, second by second."""
        for _ in range(seconds):
            self.clock.advance(1)
            for connection in self.connections:
                connection.pump.flush()

    def close(self) -> None:
        """Disconnect everybody; nothing may be left of them."""
        for connection in self.connections:
            connection.transport.peer_reads = True
            if not connection.transport.disconnected:
                connection.disconnect()
        assert not self.factory.connected
        self.factory.stop()
        assert not self.clock.getDelayedCalls()


def request(
    target: str = "/cp1", *headers: bytes, without: tuple[bytes, ...] = (), protocols: bytes | None = b"ocpp1.6", **replaced: bytes
) -> bytes:
    """An opening handshake."""
    usual = {
        b"Host": b"csms.example.com:10800",
        b"Upgrade": b"websocket",
        b"Connection": b"Upgrade",
        b"Sec-WebSocket-Version": b"13",
        b"Sec-WebSocket-Key": KEY,
    }
    usual |= {name.replace("_", "-").encode(): value for name, value in replaced.items()}
    lines = [name + b": " + value for name, value in usual.items() if name not in without]
    if protocols is not None:
        lines.append(b"Sec-WebSocket-Protocol: " + protocols)
    return b"\r\n".join([b"GET " + target.encode() + b" HTTP/1.1", *lines, *headers, b"", b""])


def frame(payload: bytes = b"", opcode: int = TEXT, *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x11\x22\x33\x44") -> bytes:
    """A client's frame (RFC 6455 §5.2)."""
    size, masked = len(payload), 0x80 if mask else 0
    head = bytes([0x80 * fin | rsv << 4 | opcode])
    if size < 126:
        head += bytes([masked | size])
    elif size < 65536:
        head += struct.pack("!BH", masked | 126, size)
    else:
        head += struct.pack("!BQ", masked | 127, size)
    if mask is None:
        return head + payload
    keys = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The opcodes and payloads of a server's frames."""
    found = []
    while data:
        opcode, size, start = data[0] & 0x0F, data[1], 2
        assert data[0] & 0xB0 == 0x80 and size < 128, data
        if size > 125:
            start, wide = (4, "!H") if size == 126 else (10, "!Q")
            (size,) = struct.unpack_from(wide, data, 2)
        found.append((opcode, data[start : start + size]))
        assert len(found[-1][1]) == size
        data = data[start + size :]
    return found


def close_frame(data: bytes) -> tuple[int, str]:
    """Code and reason of the Close frame that ``data`` ends with."""
    opcode, payload = frames(data)[-1]
    assert opcode == CLOSE, data
    return struct.unpack("!H", payload[:2])[0], payload[2:].decode()


def client_close(code: int | None = 1000, reason: str = "") -> bytes:
    """A client's Close frame."""
    return frame(b"" if code is None else struct.pack("!H", code) + reason.encode(), CLOSE)
