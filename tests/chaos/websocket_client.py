"""A WebSocket client written from RFC 6455 alone, so that it shares no bug with the gateway's library.

Knows nothing of OCPP. Frames are masked with zeroes, which costs the server as much as any mask.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from twisted.internet.protocol import Protocol

HANDSHAKE_TIMEOUT = 5.0
"""Seconds that the opening handshake may take; then the connection is aborted."""


class WebSocketClient(Protocol):
    """One connection; calls ``opened`` after the handshake, ``received`` with each text message and, once, ``lost``."""

    def __init__(
        self, path: str, subprotocol: str, opened: Callable[[], None], received: Callable[[bytes], None], lost: Callable[[], None]
    ) -> None:
        self._path, self._subprotocol = path, subprotocol
        self._opened, self._received, self._lost = opened, received, lost
        self._buffer = bytearray()
        self._timer = None
        self.open = False

    def connectionMade(self) -> None:
        from twisted.internet import reactor

        self.transport.setTcpNoDelay(True)
        self._timer = reactor.callLater(HANDSHAKE_TIMEOUT, self.abort)
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: chaos.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {self._subprotocol}\r\n\r\n".encode()
        )

    def connectionLost(self, reason=None) -> None:
        self.open = False
        self._cancel_timer()
        self._lost()

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        if not self.open:
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.abort()
                return
            self._buffer = bytearray(rest)
            self.open = True
            self._cancel_timer()
            self._opened()
        while self._frame():
            pass

    def _frame(self) -> bool:
        """Take one complete frame out of the buffer; whether there was one."""
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
            self._received(text)
        elif kind == 9:
            self._write(0x8A, text)
        elif kind == 8:
            self._write(0x88, text)
            self.open = False
            self.transport.loseConnection()
        return True

    def _write(self, head: int, text: bytes) -> None:
        size = len(text)
        if size < 126:
            length = struct.pack("!BB", head, 0x80 | size)
        else:
            length = struct.pack("!BBH", head, 0xFE, size) if size < 65536 else struct.pack("!BBQ", head, 0xFF, size)
        self.transport.write(length + b"\0\0\0\0" + text)

    def send(self, text: str) -> None:
        """Send a text message."""
        self._write(0x81, text.encode())

    def close(self) -> None:
        """Send a close frame and close the connection."""
        if self.open:
            self._write(0x88, struct.pack("!H", 1000))
        self.open = False
        self.transport.loseConnection()

    def abort(self) -> None:
        """Abort the TCP connection without a close frame."""
        self.open = False
        self.transport.abortConnection()
