"""A charger's TCP connection: Twisted's, but `write` sends at once instead of waiting for epoll in the next turn of the loop.

Knows nothing of what is sent over it.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import tcp
from twisted.internet.main import CONNECTION_DONE

from ..accepting import accept_few

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import FIONREAD, TIOCOUTQ

    UNREAD_AND_UNSENT: tuple[int, ...] = (FIONREAD, TIOCOUTQ)
    """What the kernel tells of a socket: bytes not read yet, bytes not acknowledged yet (tcp(7))."""
else:
    UNREAD_AND_UNSENT = ()

MAX_ACCEPTS_PER_TURN = 16
"""Most connections that a port accepts in one turn of the loop; the others wait in its backlog. A handshake costs as much as ten messages:
thousands of chargers that connect at once, after a restart, would otherwise delay the answers to those already connected."""


class ChargerConnection(tcp.Server):
    """Handles the usual read and write itself, and leaves the rest to Twisted."""

    _direct = True
    """Whether a write may go to the socket at once: Twisted has no bytes queued before it, and the connection is not ending."""

    _shouldShutdown = False
    """No ``shutdown`` before ``close``: it costs as much again, and no other process has the socket, as children get none."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._direct = True  # on the instance, where every write finds it sooner
        # half a KiB of text that nobody reads: made on demand, below
        del self.logstr, self.repstr

    def logPrefix(self) -> str:
        return "charger"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} #{self.sessionno} of {self.hostname}>"

    def doRead(self) -> Any:
        try:
            data = self.socket.recv(self.bufferSize)
        except OSError:
            return super().doRead()  # which tries again, and interprets the error
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def in_transit(self) -> bool:
        """Whether the kernel has bytes of the peer that we have not read, or bytes of ours that have not reached the peer."""
        try:
            return any(any(ioctl(self.fileno(), count, bytes(4))) for count in UNREAD_AND_UNSENT)
        except (OSError, ValueError):  # it has ended
            return False

    def write(self, data: bytes) -> None:
        if self._direct:
            try:
                sent = self.socket.send(data)
            except OSError:
                sent = 0  # the buffer is full, or the connection lost: Twisted finds out which
            if sent == len(data):
                return
            self._direct = False
            data = data[sent:]
        super().write(data)

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def doWrite(self) -> Any:
        result = super().doWrite()
        self._direct = not (result or self.dataBuffer or self._tempDataLen or self._aborting or self._writeDisconnected)
        return result

    def loseWriteConnection(self) -> None:
        self._direct = False
        super().loseWriteConnection()

    def abortConnection(self) -> None:
        self._direct = False
        super().abortConnection()

    def readConnectionLost(self, reason: Any) -> None:
        self.connectionLost(reason)  # no charger's protocol cares for half a connection, which Twisted's asks each of them

    def connectionLost(self, reason: Any) -> None:
        self._direct = False
        super().connectionLost(reason)


def use_charger_connections(port: Any) -> None:
    """Make a listening port create `ChargerConnection`s, a few per turn, if it is one of Twisted's TCP ports."""
    if isinstance(port, tcp.Port) and port.transport is tcp.Server:
        accept_few(port, MAX_ACCEPTS_PER_TURN)
        port.transport = ChargerConnection  # type: ignore[assignment]  # "so it can be replaced", says its docstring
