"""Where a gateway listens, and one clear line when it cannot.

Knows nothing of what is served there.
"""

from __future__ import annotations

import socket
import sys
from dataclasses import dataclass
from typing import Any

from twisted.internet.endpoints import AdoptedStreamServerEndpoint, TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger

from ..settings import Address, InvalidSetting, Settings

log = Logger()

BACKLOG = 4096
"""Connections that may wait to be accepted: after a restart all chargers come at once."""

KERNEL_BALANCES = sys.platform == "linux"
"""Whether the kernel spreads connections over sockets of one address (SO_REUSEPORT)."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The two ends at which a gateway is reached."""

    chargers: IStreamServerEndpoint
    operators: IStreamServerEndpoint

    @classmethod
    def own(cls, settings: Settings, reactor: Any) -> Endpoints:
        """The addresses that the settings name."""
        return cls(at(settings.port, reactor), at(settings.http, reactor))

    @classmethod
    def lent(cls, reactor: Any, descriptor: int, family: int, path: str) -> Endpoints:
        """A socket for chargers that another process has bound, and a path that only this user can reach."""
        operators = UNIXServerEndpoint(reactor, path, mode=0o600)
        return cls(AdoptedStreamServerEndpoint(reactor, descriptor, family), operators)


def at(where: Address, reactor: Any) -> IStreamServerEndpoint:
    """The endpoint of an address."""
    kind = TCP6ServerEndpoint if ":" in where.host else TCP4ServerEndpoint
    return kind(reactor, where.port, backlog=BACKLOG, interface=where.host)


async def listen(endpoint: IStreamServerEndpoint, factory: Any, where: Address, whom: str) -> IListeningPort:
    """Serve ``factory`` there; the address and ``whom`` are for the line that says so.

    Raises:
        Wrong: somebody else has the address.
    """
    try:
        port = await endpoint.listen(factory)
    except CannotListenError as why:
        raise InvalidSetting(_taken(where, whom, why.socketError)) from None
    if not isinstance(endpoint, AdoptedStreamServerEndpoint | UNIXServerEndpoint):  # of those, whoever made them has told
        host: Any = port.getHost()
        _tell(where, whom, host.port)
    return port


class SharedPort:
    """One address at which several processes accept: a socket for each, among which the kernel spreads whoever comes.

    They are held here as well, so that nobody who knocks at the door of a process that has just ended is lost. Where the kernel does not
    spread (anywhere but on Linux) all processes have one socket, and whoever is quickest has the charger: two of them up to 2 : 1.

    Raises:
        Wrong: somebody else has the address.
    """

    def __init__(self, where: Address, whom: str, count: int) -> None:
        self.where = where
        self._whom = whom
        self._open: dict[int, socket.socket] = {}
        # The kernel would let another gateway share the address as well: hence a first try that shares with nobody.
        first = self._bound(where, False)
        self.where = Address(where.host, first.getsockname()[1])
        if KERNEL_BALANCES:
            first.close()
            # All from the beginning: those who come before the last process is there are not all for the first.
            for number in range(1, count + 1):
                self.socket_of(number)
        else:
            self._open[0] = first
        _tell(where, whom, self.where.port)

    def socket_of(self, number: int) -> socket.socket:
        """The socket that this process is to accept from; they are counted from 1."""
        number = number if KERNEL_BALANCES else 0
        if number not in self._open:
            self._open[number] = self._bound(self.where, True)
        return self._open[number]

    def withdraw(self, number: int) -> None:
        """This process will not accept for a while: let the others have whoever comes."""
        if KERNEL_BALANCES and number in self._open and len(self._open) > 1:
            self._open.pop(number).close()

    def close(self) -> None:
        """Nobody may come in any more."""
        for each in self._open.values():
            each.close()
        self._open.clear()

    def _bound(self, where: Address, shared: bool) -> socket.socket:
        line = socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET)
        try:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            line.bind(where)
            line.listen(BACKLOG)
        except OSError as why:
            line.close()
            raise InvalidSetting(_taken(self.where, self._whom, why)) from None
        line.setblocking(False)
        return line


def _tell(where: Address, whom: str, port: int) -> None:
    log.info("{whom} at {host}:{port}", whom=whom, host=where.host or "*", port=port)


def _taken(where: Address, whom: str, why: Any) -> str:
    return f"nothing can listen for {whom} at {where}: {why}"
