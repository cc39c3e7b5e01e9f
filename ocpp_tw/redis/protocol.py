"""What is said on a line to Redis: commands and scripts over txredisapi's protocol, and which errors will pass.

Knows nothing of opening lines. Of txredisapi only the protocol is used: its pool reorders commands, lets them wait without any limit
while Redis is away, and stops for ever when AUTH or SELECT fail while a server is going down.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, NamedTuple

import hiredis
from twisted.internet.defer import Deferred, maybeDeferred
from txredisapi import ConnectionError as LostError
from txredisapi import RedisError, RedisProtocol, ResponseError

from .address import RedisAddress

__all__ = ["LostError", "Packed", "RedisClient", "RedisError", "ResponseError", "encode", "is_transient", "pack"]

TRANSIENT = frozenset(
    {"LOADING", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM"}
    | {"MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "UNBLOCKED"}
)
"""The first words of errors that are the server's trouble and not the command's: asking again later is right."""


class Packed(NamedTuple):
    """Many arguments of a command that were encoded beforehand, by `pack`."""

    number: int
    data: bytes


def encode(text: str) -> bytes:
    """UTF-8 of any string, for no charger's name may break a batch."""
    return text.encode("utf-8", "surrogatepass")


def pack(*args: str | bytes) -> bytes:
    """Arguments as they go over the line."""
    parts = []
    for each in args:
        raw = encode(each) if isinstance(each, str) else each
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def is_transient(why: BaseException) -> bool:
    """Whether the same command may do better later. Its outcome is unknown when the line was lost."""
    if isinstance(why, ResponseError):
        return str(why).partition(" ")[0] in TRANSIENT
    return isinstance(why, RedisError)


class RedisClient(RedisProtocol):  # type: ignore[misc]
    """A connection. `Connection` makes them. ``number`` is the server's own of it, 0 when it will not tell."""

    def __init__(self, reactor: Any, reply_timeout: float) -> None:
        super().__init__(charset=None, replyTimeout=reply_timeout, convertNumbers=False)
        self.callLater = reactor.callLater
        self.number = 0

    def connectionMade(self) -> None:
        # Not the library's own: its handshake gives up for ever; ours is `greet`.
        transport: Any = getattr(self.transport, "transport", self.transport)
        handle = transport.getHandle()
        if not isinstance(handle, socket.socket) or handle.family == socket.AF_UNIX:
            return
        # The end of a large batch would wait 40 ms for the beginning to be acknowledged.
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        for option, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 4_000)):
            if hasattr(socket, option):
                handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            super().dataReceived(data, unpause)
        except hiredis.ProtocolError:
            self.abort()

    def abort(self) -> None:
        """End it at once; everything that waits for a reply fails."""
        self.transport.abortConnection()

    async def handshake(self, where: RedisAddress) -> None:
        """Make it usable; raises what the server has against it."""
        if where.password:
            await self.auth(where.password, where.username or None)
        if where.db:
            await self.select(where.db)
        await self.ping()
        with suppress(ResponseError):
            self.number = await self.execute_command("CLIENT", "ID")

    async def must_be_master(self) -> None:
        """Raises `ResponseError` when the server is a replica."""
        role: list[Any] = await self.execute_command("ROLE")
        if role[0] != b"master":
            raise ResponseError("READONLY the server is a replica")

    def send(self, *args: Any, wait: float | None = None) -> Deferred[Any]:
        """Send a command; fails with `RedisError`. ``wait`` (seconds) instead of the usual patience, for commands that block."""
        if wait is None:
            return maybeDeferred(self.execute_command, *args)
        watchdog = self.callLater(wait, self.abort)

        def heard(reply: Any) -> Any:
            if watchdog.active():
                watchdog.cancel()
            return reply

        return maybeDeferred(self.execute_command, *args, apply_timeout=False).addBoth(heard)

    def _build_command(self, *args: Any, **_: Any) -> bytes:
        # The library's own takes 2 µs for each argument, and a batch has thousands.
        total, parts = 0, [b""]
        for each in args:
            if isinstance(each, Packed):
                total += each.number
                parts.append(each.data)
            else:
                total += 1
                parts.append(pack(each if isinstance(each, str | bytes) else str(each)))
        parts[0] = b"*%d\r\n" % total
        return b"".join(parts)
