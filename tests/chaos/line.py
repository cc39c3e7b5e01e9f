"""A charger's end of a WebSocket, written from RFC 6455 alone, so that it shares no mistake with the gateway's library.

Knows nothing of OCPP. Frames are masked with zeroes, which costs the server what any mask costs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from twisted.internet.protocol import Protocol

PATIENCE = 5.0
"""Seconds that the opening handshake may take."""


class Line(Protocol):
    """One connection; tells of its ``opened``, of each text it ``heard`` and, once, that it is ``lost``."""

    def __init__(
        self, path: str, subprotocol: str, opened: Callable[[], None], heard: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        self._path, self._subprotocol = path, subprotocol
        self._opened, self._heard, self._lost = opened, heard, lost
        self._buffer = bytearray()
        self._timer = None
        self.open = False

    def connectionMade(self) -> None:
        from twisted.internet import reactor

        self.transport.setTcpNoDelay(True)
        self._timer = reactor.callLater(PATIENCE, self.hang_up)
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: chaos.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {self._subprotocol}\r\n\r\n".encode()
        )

    def connectionLost(self, reason=None) -> None:
        self.open = False
        self._calm()
        self._lost()

    def _calm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        if not self.open:
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.hang_up()
                return
            self._buffer = bytearray(rest)
            self.open = True
            self._calm()
            self._opened()
        while self._frame():
            pass

    def _frame(self) -> bool:
        """Take one whole frame out of the buffer; whether there was one."""
        buffer = self._buffer
        if len(buffer) < 2 or not self.open:
            return False
        size, start = buffer[1] & 0x7F, 2
        if size > 125:
            wide = "!H" if size == 126 else "!Q"
            start += struct.calcsize(wide)
            if len(buffer) < start:
                return False
            size = struct.unpack_from(wide, buffer, 2)[0]
        if len(buffer) < start + size:
            return False
        kind, text = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        if kind == 1:
            self._heard(text)
        elif kind == 9:
            self._write(0x8A, text)
        elif kind == 8:
            self._write(0x88, text)
            self.open = False
            self.transport.loseConnection()
        return True

    def _write(self, head: int, text: bytes) -> None:
        size = len(text)
        length = struct.pack("!BB", head, 0x80 | size) if size < 126 else struct.pack("!BBH", head, 0xFE, size)
        self.transport.write(length + b"\0\0\0\0" + text)

    def say(self, text: str) -> None:
        """Send a text message."""
        self._write(0x81, text.encode())

    def close(self) -> None:
        """Say goodbye, as RFC 6455 has it."""
        if self.open:
            self._write(0x88, struct.pack("!H", 1000))
        self.open = False
        self.transport.loseConnection()

    def hang_up(self) -> None:
        """End it without a word."""
        self.open = False
        self.transport.abortConnection()
