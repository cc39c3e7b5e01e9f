"""What the WebSocket server asks of the application behind it, and what a connection asks of its factory.

Signatures only: nothing is implemented here, and nothing of Autobahn is known.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from ..interfaces import HandshakeRequest, IWire, Maybe
from ..settings import Settings
from .addresses import Addresses
from .proxies import Proxies
from .room import Room
from .turns import ConnectionTurns


class MessageSink(Protocol):
    """The receiver of one connection's messages: in order, and none after `IWire.close`."""

    received: int
    """How many messages it was given."""

    def frame(self, text: bytes) -> None: ...

    def unreadable(self, text: bytes) -> None:
        """A whole message came that is not UTF-8: the connection is being closed with 1007."""

    def frames_beside(self, count: int) -> None:
        """The connection sends more than its share, among it so many frames that are no messages: control frames, parts of messages."""


S = TypeVar("S", bound=MessageSink)


class Admissions(Protocol[S]):
    """Decides which chargers may connect, and is informed of their arrivals and departures."""

    def admit(self, request: HandshakeRequest, wire: IWire) -> Maybe[tuple[S, str | None]]:
        """The connection's sink, and the subprotocol as the charger spelled it; raises `HandshakeRefused`."""

    def has_room(self, size: int, may_wait: bool) -> bool:
        """Whether a large message of so many bytes may be processed now: those before it may take all the memory that they may.
        One that ``may_wait`` waits for events to become durable, too.
        """

    def handshake_refused(self, request: HandshakeRequest, status: int, reason: str) -> None:
        """A handshake was refused. The reason may quote the charger, in printable ASCII."""

    def arrived(self, sink: S) -> None:
        """The handshake is complete and the subprotocol agreed."""

    def departed(self, sink: S, code: int, reason: str) -> None:
        """The connection ended; called once for each sink that `admit` returned, also for one that never arrived."""


class ConnectionOwner(Protocol):
    """The factory, as a connection sees it."""

    admissions: Admissions[Any]
    settings: Settings
    server: str
    reactor: IReactorTime
    tick: int
    """Seconds since the factory was started, as counted by its timer: it stands still while the process is suspended."""
    connected: dict[Any, None]
    """All connections that have not ended, handshakes included."""
    addresses: Addresses
    """What they have taken, by address."""
    proxies: Proxies
    countConnections: int
    turns: ConnectionTurns
    room: Room
