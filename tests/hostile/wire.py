"""A WebSocket client on plain sockets: frames prepared beforehand, sent as fast as the gateway takes them.

Knows no OCPP beyond the frames that it is given.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

from websockets.speedups import apply_mask

from hostile.attack import Target

CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10
MASK = b"\x11\x22\x33\x44"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"


class Refused(Exception):
    """The handshake was not answered with 101; ``status`` is what it was answered with, 0 for nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the handshake was answered with {status or 'nothing'}")
        self.status = status


def frame(payload: bytes = b"", opcode: int = TEXT, *, fin: bool = True, compressed: bool = False) -> bytes:
    """A client's frame (RFC 6455 §5.2)."""
    size = len(payload)
    first = 0x80 * fin | 0x40 * compressed | opcode
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 0xFE, size)
    else:
        head = struct.pack("!BBQ", first, 0xFF, size)
    return head + MASK + apply_mask(payload, MASK)


def deflated(text: bytes) -> bytes:
    """A compressed text frame (RFC 7692 §7.2.1)."""
    compressor = zlib.compressobj(9, wbits=-15)
    data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return frame(data[:-4], compressed=True)


def call(action: str, payload: Any, id: str = "1") -> bytes:
    """The text of a CALL."""
    return json.dumps([2, id, action, payload], separators=(",", ":")).encode()


def request(id: str, protocol: str = "ocpp1.6", more: str = "") -> bytes:
    """An opening handshake."""
    return (
        f"GET /{id} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}\r\n{more}\r\n"
    ).encode()


def connect(port: int, source: str = "127.0.0.1", timeout: float = 10.0) -> socket.socket:
    """A TCP connection without Nagle's delay."""
    connection = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Line:
    """A charger's connection, upgraded.

    Raises:
        Refused: the gateway does not take it.
        OSError: it does not even answer.
    """

    def __init__(
        self, port: int, id: str, protocol: str = "ocpp1.6", *, more: str = "", source: str = "127.0.0.1", tls: bool = False, timeout: float = 10.0
    ) -> None:  # fmt: skip
        self.socket = connect(port, source, timeout)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.socket.sendall(request(id, protocol, more))
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            heard = self.socket.recv(4096)
            if not heard:
                self.socket.close()
                raise Refused(int(self.buffer.split()[1]) if self.buffer else 0)
            self.buffer += heard
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            self.socket.close()
            raise Refused(int(head.split()[1]))

    def send(self, text: bytes, opcode: int = TEXT) -> None:
        self.socket.sendall(frame(text, opcode))

    def receive(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame.

        Raises:
            OSError: the connection is closed, or nothing came in time.
        """
        head = self._take(2)
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        return head[0] & 15, self._take(size)

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            heard = self.socket.recv(1 << 16)
            if not heard:
                raise ConnectionResetError("the gateway closed the connection")
            self.buffer += heard
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def close(self) -> None:
        self.socket.close()


class Sender:
    """One connection of a flood: ``chunks`` are sent one after the other, and a new connection is opened for the rest when it is closed."""

    def __init__(self, target: Target, open: Callable[[], Line], chunks: Callable[[], Iterable[bytes]], reads: bool = True) -> None:
        self.target, self.open, self.chunks, self.reads = target, open, chunks, reads
        self.line: Line | None = None
        self.again = 0.0

    def opened(self) -> bool:
        """Whether it is connected; tries to connect if it is time to."""
        if self.line is None and time.monotonic() >= self.again:
            try:
                self.line = self.open()
            except (Refused, OSError) as why:
                self.target.counts[f"refused {getattr(why, 'status', '')}".strip()] += 1
                self.again = time.monotonic() + 0.1
            else:
                self.target.counts["connections"] += 1
                self.line.socket.setblocking(False)
                self.rest: Iterator[bytes] = iter(self.chunks())
                self.pending = memoryview(b"")
        return self.line is not None

    @property
    def events(self) -> int:
        return (select.POLLIN if self.reads else 0) | (select.POLLOUT if self.pending is not None else 0)

    def turn(self, event: int) -> None:
        """Read what there is and send what the socket takes."""
        assert self.line is not None
        try:
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                heard = self.line.socket.recv(1 << 18)
                if not heard:
                    raise ConnectionResetError
                self.target.counts["bytes read"] += len(heard)
            if event & select.POLLOUT:
                self._send()
        except BlockingIOError:
            pass
        except OSError:
            self.line.close()
            self.line = None

    def _send(self) -> None:
        assert self.line is not None
        if not self.pending:
            chunk = next(self.rest, None)
            if chunk is None:
                self.pending = None  # everything is sent: only read
                return
            self.target.counts["chunks"] += 1
            self.pending = memoryview(chunk)
        sent = self.line.socket.send(self.pending)
        self.target.counts["bytes"] += sent
        self.pending = self.pending[sent:]


def flood(target: Target, senders: list[Sender]) -> None:
    """Let them all send until the time is over."""
    while target.lasts:
        poll, by_fd = select.poll(), {}
        for each in senders:
            if each.opened():
                by_fd[each.line.socket.fileno()] = each
                poll.register(each.line.socket, each.events)
        ready = poll.poll(50)
        for fd, event in ready:
            by_fd[fd].turn(event)
    for each in senders:
        if each.line is not None:
            each.line.close()


def again_and_again(target: Target, open: Callable[[], Line], data: Iterable[bytes]) -> None:
    """Each on a connection of its own, until the gateway closes that."""
    for each in data:
        if not target.lasts:
            return
        try:
            line = open()
            target.counts["connections"] += 1
            line.socket.settimeout(max(0.1, target.seconds))
            with suppress(OSError):  # it may close before it has read everything
                line.socket.sendall(each)
            while line.receive()[0] != CLOSE:
                pass
            line.close()
        except (Refused, OSError):
            target.counts["closed"] += 1


def endlessly(data: bytes, *before: bytes) -> Callable[[], Iterable[bytes]]:
    """The chunks of a sender that sends the same again and again, after what it sends first."""
    return lambda: chain(before, repeat(data))


def packed(frames: Iterable[bytes], size: int = 1 << 16) -> list[bytes]:
    """Frames joined to chunks of at least that size, so that a system call sends many."""
    chunks, waiting = [], bytearray()
    for each in frames:
        waiting += each
        if len(waiting) >= size:
            chunks.append(bytes(waiting))
            waiting.clear()
    return [*chunks, bytes(waiting)] if waiting else chunks
