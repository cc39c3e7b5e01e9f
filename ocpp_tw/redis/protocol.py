"""A client of Redis over txredisapi's protocol: how commands are encoded and sent, and which errors are transient.

Knows nothing of connecting. Of txredisapi only the protocol is used: its pool reorders commands, queues them without a bound
while Redis is away, and gives up for ever when AUTH or SELECT fail while a server is going down.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import hiredis
from twisted.internet import tcp
from twisted.internet.defer import Deferred, maybeDeferred
from txredisapi import ConnectionError as LostError
from txredisapi import RedisError, RedisProtocol, ResponseError

from .address import RedisAddress

__all__ = ["LostError", "Packed", "RedisClient", "RedisError", "ResponseError", "encode", "is_transient", "pack"]

GATHERED = 16 << 10
"""Bytes from which the last arguments of a command are sent from where they are, and not copied behind the others."""

TRANSIENT = frozenset(
    {"LOADING", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "NOAUTH", "WRONGPASS", "NOPERM"}
    | {"MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY", "UNBLOCKED"}
)
"""The first words of errors that are about the server and not the command: sending it again later is right."""


UNREAD_AFTER = 0.5
"""Seconds without a reply after which it is looked whether one has come that was not read yet."""


class Packed(NamedTuple):
    """Several arguments of a command that `pack` has encoded beforehand; ``number`` of them."""

    number: int
    data: bytes


def encode(text: str) -> bytes:
    """UTF-8 of any string: no charger's name may break a batch."""
    return text.encode("utf-8", "surrogatepass")


def pack(*args: str | bytes) -> bytes:
    """Arguments as they are sent."""
    parts = []
    for each in args:
        raw = encode(each) if isinstance(each, str) else each
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


def is_transient(why: BaseException) -> bool:
    """Whether the same command may succeed later. Its outcome is unknown when the connection was lost."""
    if isinstance(why, ResponseError):
        return str(why).partition(" ")[0] in TRANSIENT
    return isinstance(why, RedisError)


def write_at_once(transport: tcp.Connection, data: bytes | list[bytes]) -> None:
    """In place of ``transport.write``, which copies what it is given and waits for epoll in the next turn of the loop. ``data`` may be in
    pieces."""
    waits = transport.dataBuffer or transport._tempDataLen or transport.disconnecting or transport._writeDisconnected
    sent = 0
    if transport.connected and not waits:
        with suppress(OSError):  # the buffer is full, or the connection lost: Twisted finds out which
            sent = transport.socket.send(data) if isinstance(data, bytes) else transport.socket.sendmsg(data)
    if isinstance(data, list):
        if sent == sum(map(len, data)):
            return
        data = b"".join(data)
    if sent < len(data):
        type(transport).write(transport, data[sent:])


class RedisClient(RedisProtocol):  # type: ignore[misc]
    """One connection, made by `Connection`. ``number`` is the server's id of it, 0 when the server does not say."""

    _asked = _heard = 0.0

    def __init__(self, reactor: Any, reply_timeout: float) -> None:
        super().__init__(charset=None, replyTimeout=reply_timeout, convertNumbers=False)
        self.callLater = reactor.callLater
        self.number = 0
        self._gathers = False  # whether the transport takes a command in pieces
        self._seconds = reactor.seconds

    @property
    def silence(self) -> float:
        """Seconds for which replies have been waited for without any; 0 while none is waited for, and while one is there that is not read yet."""
        silence = self._seconds() - max(self._asked, self._heard) if self.replyQueue.waiting else 0.0
        return 0.0 if silence > UNREAD_AFTER and self._has_unread() else silence

    def _has_unread(self) -> bool:
        """Whether the loop was too busy to read what has come."""
        transport: Any = getattr(self.transport, "transport", self.transport)
        handle = transport.getHandle()
        try:
            return isinstance(handle, socket.socket) and bool(handle.recv(1, socket.MSG_PEEK))
        except OSError:  # nothing has come
            return False

    def replyReceived(self, reply: Any) -> None:
        self._heard = self._seconds()
        super().replyReceived(reply)

    def connectionMade(self) -> None:
        # Not the library's own: its handshake gives up for ever; ours is `handshake`.
        transport: Any = getattr(self.transport, "transport", self.transport)
        handle = transport.getHandle()
        if not isinstance(handle, socket.socket):
            return
        if isinstance(transport, tcp.Connection):
            transport.write = partial(write_at_once, transport)  # type: ignore[method-assign]
            self._gathers = True
        if handle.family == socket.AF_UNIX:
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
        """Close the connection at once; every command that waits for a reply fails."""
        self.transport.abortConnection()

    async def handshake(self, address: RedisAddress) -> None:
        """Authenticate and select the database; raises the server's refusal."""
        if address.password:
            await self.auth(address.password, address.username or None)
        if address.db:
            await self.select(address.db)
        await self.ping()
        with suppress(ResponseError):
            self.number = await self.execute_command("CLIENT", "ID")

    async def must_be_master(self) -> None:
        """Raises `ResponseError` when the server is a replica."""
        role: list[Any] = await self.execute_command("ROLE")
        if role[0] != b"master":
            raise ResponseError("READONLY the server is a replica")

    def send(self, *args: Any, timeout: float | None = None) -> Deferred[Any]:
        """Send a command; fails with `RedisError`. ``timeout`` (seconds) replaces the reply timeout, for commands that block."""
        if not self.replyQueue.waiting:
            self._asked = self._seconds()
        if timeout is None:
            return maybeDeferred(self.execute_command, *args)
        watchdog = self.callLater(timeout, self.abort)

        def answered(reply: Any) -> Any:
            if watchdog.active():
                watchdog.cancel()
            return reply

        return maybeDeferred(self.execute_command, *args, apply_timeout=False).addBoth(answered)

    def _build_command(self, *args: Any, **_: Any) -> bytes | list[bytes]:
        # The library's own takes 2 µs for each argument, and a batch has thousands.
        total, parts = 0, [b""]
        for each in args:
            if type(each) is bytes:
                total += 1
                parts.append(b"$%d\r\n%b\r\n" % (len(each), each))
            elif isinstance(each, Packed):
                total += each.number
                parts.append(each.data)
            else:
                total += 1
                parts.append(pack(each if isinstance(each, str | bytes) else str(each)))
        parts[0] = b"*%d\r\n" % total
        if self._gathers and len(parts[-1]) >= GATHERED:
            return [b"".join(parts[:-1]), parts[-1]]
        return b"".join(parts)

    def tryConvertData(self, data: Any) -> Any:
        return (
            data  # replies stay bytes: the library's own takes longer to see that, for each value of a list, than the value took to parse
        )
