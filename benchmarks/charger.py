"""One simulated charger of the load generator, on a plain socket: handshake, BootNotification, then one CALL after the other.

What it says, and in which version, is its script (`messages.py`). Knows not how many of them there are, nor when each has to speak.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
import time
from base64 import b64encode

from messages import Script
from websockets.speedups import apply_mask

CHARGERS_PER_ADDRESS = 4000
"""Chargers that share a source address (127.0.0.1, 127.0.0.2, …), which has at most 28,000 ports."""

PING = 9


class Charger:
    """One charger; it sends a CALL only after the previous one was answered."""

    __slots__ = ("answer", "buffer", "expected", "id", "kind", "mask", "number", "password", "protocol", "script", "sent", "socket", "tls")

    def __init__(
        self, number: int, kind: str, script: Script, protocol: bytes, tls: ssl.SSLContext | None = None, password: bytes = b""
    ) -> None:
        self.number, self.kind, self.script, self.protocol = number, kind, script, protocol
        self.tls, self.password = tls, password
        self.buffer = self.answer = b""
        self.mask = os.urandom(4)
        self.id = self.expected = 0
        self.sent = 0.0

    def connect(self, port: int) -> None:
        self.socket: socket.socket = socket.socket()
        if self.number >= CHARGERS_PER_ADDRESS:
            self.socket.bind((f"127.0.0.{1 + self.number // CHARGERS_PER_ADDRESS}", 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            self.socket = self.tls.wrap_socket(self.socket)
        self.socket.setblocking(False)
        self.sent = time.perf_counter()
        if self.kind == "raw":
            self.send(next(self.script))
        else:
            id = b"bench-%d-%05d" % (port, self.number)
            shown = b"Authorization: Basic %b\r\n" % b64encode(b"%b:%b" % (id, self.password)) if self.password else b""
            self.socket.send(
                b"GET /%b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n%b"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %b\r\n\r\n" % (id, shown, self.protocol)
            )

    def upgraded(self) -> bool:
        """Whether the handshake's response has arrived; then the BootNotification is sent at once."""
        self.buffer += self.receive()
        head, end, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if not end:
            self.buffer = head
            return False
        assert head.startswith(b"HTTP/1.1 101"), head
        self.send(next(self.script))
        return True

    def receive(self) -> bytes:
        """The data that has arrived."""
        try:
            data = self.socket.recv(65536)
        except ssl.SSLWantReadError:  # it was data of TLS itself: a session ticket
            return b""
        assert data, "the server closed the connection"
        return data

    def send(self, tail: bytes) -> None:
        self.id += 1
        text = b'[2,"%08d' % self.id + tail
        size = len(text)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
        self.expected = len(head) + 4 + size
        if self.socket.send(head + self.mask + apply_mask(text, self.mask)) != self.expected:
            raise RuntimeError("the socket took only a part of a message")

    def call(self) -> None:
        """Send the next CALL."""
        self.sent = time.perf_counter()
        self.send(self.script.send(self.answer))

    def answered(self) -> bool:
        """Whether the answer to the last CALL has arrived; asserts that it is right."""
        data = self.receive()
        data = self.buffer + data if self.buffer else data
        if self.kind == "raw":
            self.buffer = data if len(data) < self.expected else b""
            return not self.buffer
        while len(data) > 1:
            kind, size, at = data[0] & 15, data[1], 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            if len(data) < at + size:
                break
            text, data = data[at : at + size], data[at + size :]
            if kind == PING:
                self.socket.send(b"\x8a" + bytes((0x80 | size,)) + self.mask + apply_mask(text, self.mask))
                continue
            self.buffer = data
            if self.kind == "ocpp":
                assert text.startswith(b'[3,"%08d"' % self.id), text
                self.answer = text
            return True
        self.buffer = data
        return False

    def leave(self) -> None:
        """Close the socket without a word, as a modem does that loses power."""
        self.socket.close()
