"""The addresses that a gateway listens at, and one clear line when it cannot.

Knows nothing of what is served there.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger

from ..accepting import accept_few
from ..settings import Address, InvalidSetting, Settings

log = Logger()

BACKLOG = 4096
"""Most connections that may wait to be accepted: after a restart all chargers connect at once."""

MAX_ACCEPTS_PER_TURN = 4
"""Most connections that a port accepts in one turn of the loop, unless it is the chargers' (`ocpp_tw.websocket.tcp`): those are who all
others keep waiting."""

MAX_SOCKET_DIRECTORY = 80
"""Longest path, in bytes, of the place for workers' sockets: a socket's own has at most 103 on some systems (sun_path)."""

KERNEL_BALANCES = sys.platform == "linux"
"""Whether the kernel balances connections over the sockets of one address (SO_REUSEPORT)."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The two endpoints that a gateway serves."""

    chargers: IStreamServerEndpoint
    operators: IStreamServerEndpoint

    @classmethod
    def own(cls, settings: Settings, reactor: Any) -> Endpoints:
        """The addresses that the settings name."""
        return cls(endpoint_at(settings.port, reactor), endpoint_at(settings.http, reactor))

    @classmethod
    def adopted(cls, reactor: Any, descriptor: int, family: int, path: str) -> Endpoints:
        """A socket for chargers that another process has bound, and a path that only this user can connect to."""
        operators = UNIXServerEndpoint(reactor, path, mode=0o600)
        return cls(AdoptedStreamServerEndpoint(reactor, descriptor, family), operators)


def endpoint_at(address: Address, reactor: Any) -> IStreamServerEndpoint:
    """The endpoint of an address."""
    kind = TCP6ServerEndpoint if ":" in address.host else TCP4ServerEndpoint
    return kind(reactor, address.port, backlog=BACKLOG, interface=address.host)


def chargers_of(settings: Settings) -> str:
    """Who connects to the chargers' port, for the log line."""
    if not settings.tls:
        return "chargers"
    return "chargers over TLS" if settings.tls_only else "chargers, over TLS or without"


async def listen(endpoint: IStreamServerEndpoint, factory: Any, address: Address, clients: str) -> IListeningPort:
    """Serve ``factory`` there; the address and ``clients`` are for the log line.

    Raises:
        InvalidSetting: the address is in use.
    """
    try:
        port = await endpoint.listen(factory)
    except CannotListenError as why:
        raise InvalidSetting(_in_use(address, clients, why.socketError)) from None
    accept_few(port, MAX_ACCEPTS_PER_TURN)
    if not isinstance(endpoint, AdoptedStreamServerEndpoint | UNIXServerEndpoint):  # whoever created those has logged them
        host: Any = port.getHost()
        _log_address(address, clients, host.port)
    return port


def socket_directory() -> Path:
    """A new directory for workers' sockets, for this user only; in /tmp if the usual place (TMPDIR) has too long a path for a socket."""
    place = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="ocpp-", dir=place if len(os.fsencode(place)) <= MAX_SOCKET_DIRECTORY else "/tmp"))  # noqa: S108


class SharedPort:
    """One address at which several processes accept: a listening socket for each, over which the kernel balances connections.

    This process holds the sockets too, so that connections queued for a process that has just ended are not lost. Where the kernel does not
    balance (anywhere but on Linux) all processes share one socket, and the quickest accepts: two of them up to 2 : 1.

    Raises:
        InvalidSetting: the address is in use.
    """

    def __init__(self, address: Address, clients: str, count: int) -> None:
        self.address = address
        self._clients = clients
        self._sockets: dict[int, socket.socket] = {}
        # The kernel would let another gateway share the address as well: hence a first attempt without sharing.
        first = self._bound(address, False)
        self.address = Address(address.host, first.getsockname()[1])
        if KERNEL_BALANCES:
            first.close()
            # All from the beginning: otherwise the first process would get every charger that connects before the last one is started.
            for number in range(1, count + 1):
                self.socket_of(number)
        else:
            self._sockets[0] = first
        _log_address(address, clients, self.address.port)

    def socket_of(self, number: int) -> socket.socket:
        """The socket that a process is to accept from; processes are numbered from 1."""
        number = number if KERNEL_BALANCES else 0
        if number not in self._sockets:
            self._sockets[number] = self._bound(self.address, True)
        return self._sockets[number]

    def withdraw(self, number: int) -> None:
        """Close the socket of a process that will not accept for a while, so that the others get its connections."""
        if KERNEL_BALANCES and number in self._sockets and len(self._sockets) > 1:
            self._sockets.pop(number).close()

    def close(self) -> None:
        """Stop accepting connections."""
        for listener in self._sockets.values():
            listener.close()
        self._sockets.clear()

    def _bound(self, address: Address, shared: bool) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as why:
            listener.close()
            raise InvalidSetting(_in_use(self.address, self._clients, why)) from None
        listener.setblocking(False)
        return listener


def _log_address(address: Address, clients: str, port: int) -> None:
    log.info("listening for {clients} at {host}:{port}", clients=clients, host=address.host or "*", port=port)


def _in_use(address: Address, clients: str, why: Any) -> str:
    return f"cannot listen for {clients} at {address}: {why}"
