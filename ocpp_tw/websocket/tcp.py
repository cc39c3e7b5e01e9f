"""A charger's TCP connection as Twisted's, but what is written leaves at once: no turn of the loop, no asking epoll whether it may.

Knows nothing of what is said over it.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet import tcp
from twisted.internet.main import CONNECTION_DONE

ACCEPTS_PER_TURN = 16
"""How many connections a port takes in a turn of the loop; the others wait in its backlog. A handshake costs as much as ten messages:
thousands of chargers that come at once, after a restart, would else stand between those that are in and their answers."""


class ChargerConnection(tcp.Server):
    """Reads and writes the usual case itself, and has Twisted do the rest."""

    _straight = True
    """Whether Twisted holds nothing back that would have to leave first, and nothing forbids to write."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._straight = True  # beside the others of the instance, where every write finds it sooner
        # said when they are asked for: half a KiB of text that nobody reads
        del self.logstr, self.repstr

    def logPrefix(self) -> str:
        return "charger"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} #{self.sessionno} of {self.hostname}>"

    def doRead(self) -> Any:
        try:
            data = self.socket.recv(self.bufferSize)
        except OSError:
            return super().doRead()  # it tries again, and knows what the error means
        if not data:
            return CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def write(self, data: bytes) -> None:
        if self._straight:
            try:
                sent = self.socket.send(data)
            except OSError:
                sent = 0  # the line is full, or gone: Twisted finds out which
            if sent == len(data):
                return
            self._straight = False
            data = data[sent:]
        super().write(data)

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def doWrite(self) -> Any:
        result = super().doWrite()
        self._straight = not (result or self.dataBuffer or self._tempDataLen or self._aborting or self._writeDisconnected)
        return result

    def loseWriteConnection(self) -> None:
        self._straight = False
        super().loseWriteConnection()

    def abortConnection(self) -> None:
        self._straight = False
        super().abortConnection()

    def connectionLost(self, reason: Any) -> None:
        self._straight = False
        super().connectionLost(reason)


def _let_come(port: tcp.Port) -> None:
    port.numberAccepts = ACCEPTS_PER_TURN  # Twisted would take more with each turn
    tcp.Port.doRead(port)


def use_charger_connections(port: Any) -> None:
    """Have a listening port make connections of this kind, a few at a time, if it is one of Twisted's TCP ports."""
    if isinstance(port, tcp.Port) and port.transport is tcp.Server:
        port.doRead = partial(_let_come, port)  # type: ignore[method-assign]
        port.transport = ChargerConnection  # type: ignore[assignment]  # "so it can be replaced", says its docstring
