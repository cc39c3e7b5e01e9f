"""A Redis client that knows the fate of each command it sends: executed, certainly not executed, or unknown.

Knows neither events nor commands of the gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hiredis
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol


class Refused(Exception):
    """The command was certainly not executed; the text says why."""


class Unsure(Exception):
    """The command may have been executed."""


class _Connection(Protocol):
    def __init__(self) -> None:
        self.reader = hiredis.Reader()
        self.waiting: Deferred[Any] | None = None
        self.gone = False

    def dataReceived(self, data: bytes) -> None:
        self.reader.feed(data)
        reply = self.reader.gets()
        if reply is not False and self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.callback(reply)

    def connectionLost(self, reason=None) -> None:
        self.gone = True
        if self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting.errback(Unsure("the connection was lost"))


class Store:
    """One connection to Redis with one command at a time; opened on demand."""

    def __init__(self, port: int, password: Callable[[], str] = lambda: "") -> None:
        self._port, self._password = port, password
        self._connection: _Connection | None = None
        self._lock = DeferredLock()

    async def execute(self, *args: str | bytes | int, within: float = 2.0) -> Any:
        """The reply to a command.

        Raises:
            Refused: it was not executed.
            Unsure: it may have been executed.
        """
        await self._lock.acquire()
        try:
            return await self._send(await self._open(), args, within)
        finally:
            self._lock.release()

    async def _open(self) -> _Connection:
        if self._connection is not None and not self._connection.gone:
            return self._connection
        connection = _Connection()
        try:
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self._port, timeout=2), connection)
            if self._password():
                await self._send(connection, ("AUTH", self._password()), 2.0)
        except Exception as why:
            if connection.transport is not None:
                connection.transport.abortConnection()
            raise Refused(str(why) or type(why).__name__) from None
        self._connection = connection
        return connection

    async def _send(self, connection: _Connection, args: tuple[str | bytes | int, ...], within: float) -> Any:
        connection.waiting = waiting = Deferred()
        # After a timeout a late reply could not be matched to its command, so the connection is closed.
        timer = reactor.callLater(within, connection.transport.abortConnection)
        connection.transport.write(hiredis.pack_command(args))
        try:
            reply = await waiting
        finally:
            if timer.active():
                timer.cancel()
        if isinstance(reply, hiredis.ReplyError):
            if str(reply).startswith("NOAUTH"):
                connection.transport.abortConnection()
            raise Refused(str(reply))
        return reply

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and not self._connection.gone:
            self._connection.transport.abortConnection()
