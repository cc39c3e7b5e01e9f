"""Asking Redis things as a backend does that must know what became of what it asked: done, certainly not done, or unknown.

Knows neither events nor commands.
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
    """It was certainly not done; the text says why."""


class Unsure(Exception):
    """It may have been done."""


class _Line(Protocol):
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
            waiting.errback(Unsure("the line was lost"))


class Store:
    """One line to Redis, one question at a time; opened when it is needed."""

    def __init__(self, port: int, password: Callable[[], str] = lambda: "") -> None:
        self._port, self._password = port, password
        self._line: _Line | None = None
        self._turn = DeferredLock()

    async def ask(self, *args: str | bytes | int, within: float = 2.0) -> Any:
        """What it answers.

        Raises:
            Refused: it was not done.
            Unsure: nobody knows.
        """
        await self._turn.acquire()
        try:
            return await self._say(await self._open(), args, within)
        finally:
            self._turn.release()

    async def _open(self) -> _Line:
        if self._line is not None and not self._line.gone:
            return self._line
        line = _Line()
        try:
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self._port, timeout=2), line)
            if self._password():
                await self._say(line, ("AUTH", self._password()), 2.0)
        except Exception as why:
            if line.transport is not None:
                line.transport.abortConnection()
            raise Refused(str(why) or type(why).__name__) from None
        self._line = line
        return line

    async def _say(self, line: _Line, args: tuple[str | bytes | int, ...], within: float) -> Any:
        line.waiting = waiting = Deferred()
        # One who stops waiting cannot tell what a late answer belongs to.
        timer = reactor.callLater(within, line.transport.abortConnection)
        line.transport.write(hiredis.pack_command(args))
        try:
            reply = await waiting
        finally:
            if timer.active():
                timer.cancel()
        if isinstance(reply, hiredis.ReplyError):
            if str(reply).startswith("NOAUTH"):
                line.transport.abortConnection()
            raise Refused(str(reply))
        return reply

    def close(self) -> None:
        """Hang up."""
        if self._line is not None and not self._line.gone:
            self._line.transport.abortConnection()
