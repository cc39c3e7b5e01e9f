"""Every boundary of the house: read this first.

An interface has at most four members, or one for each fact. ``Maybe[T]`` is a value or something to await:
whoever can answer at once returns the value itself, since waiting doubles the price of a message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, Union

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from .core.commands import Claim, Command, Outcome, Taken
    from .core.entries import Entry, Record
    from .facts import (
        Answer,
        Authorization,
        Authorize,
        BootNotification,
        DataTransfer,
        DataTransferResult,
        Heartbeat,
        MeterValues,
        Other,
        Registration,
        Start,
        Started,
        StatusNotification,
        Stopped,
        Updated,
    )
    from .ocpp.frames import Payload
    from .settings import Settings

T = TypeVar("T")
Maybe: TypeAlias = Union[T, Awaitable[T]]  # noqa: UP007  # an alias with a type variable has to be spelled so


# What crosses the boundaries beside facts, entries and commands: a value, and the failures that callers must handle.


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """What a charger sent in its opening handshake. ``headers`` have lower-case names and must not be logged (credentials)."""

    id: str
    domain: str
    address: str
    offered: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    repairs: tuple[str, ...] = ()


class HandshakeRefused(Exception):
    """The charger is refused with this HTTP status, reason (our own text, sent to the charger) and further headers."""

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


class BackendFailed(Exception):
    """The backend gave no usable answer in time. The text is safe to log: it quotes neither the tag nor the answer."""


class StoreUnavailable(Exception):
    """The store is known to be unavailable at the moment, so nobody needs to wait for it."""


class IWire(Interface):
    """The line to one charger: what a charger needs of a transport."""

    def send(text: bytes) -> None:
        """Write one text message (UTF-8). Does nothing when the peer has left."""

    def close(code: int, reason: str) -> None:
        """Begin the closing handshake (RFC 6455 §7.4); ``reason`` is cut to 123 bytes."""

    def ping(answered: Callable[[], None]) -> None:
        """Send a WebSocket ping; ``answered`` is called at the next sign of life, or never."""

    def hold(held: bool) -> None:
        """Stop (or go on) reading from a peer that sends faster than it can be served."""


class ICharger(Interface):
    """A connected charger, as handlers and commands see it."""

    id: str = Attribute("its identity, percent-decoded from the URL")
    domain: str = Attribute("the Host header it sent")
    ocpp: str = Attribute("the OCPP version spoken on this connection: 1.6")
    record: Record = Attribute("what an operator has decided about it, beside what else is remembered of it")
    registration: str = Attribute("the registration status last given: Accepted, Pending, Rejected, or empty when unknown")

    def call(action: str, payload: Payload, timeout: float | None = None) -> Awaitable[Outcome]:
        """Ask the charger and wait for what came of it: fires once with the outcome, and never fails.

        ``payload`` is sent as it is; ``timeout`` (seconds, from the moment of sending) defaults to the gateway's setting.
        """


class IHandlers(Interface):
    """What is done with a charger's messages: one method for each fact.

    A method decides and returns its verdict, at once or later. It need not publish anything: the event has the verdict in it.
    An exception is logged; a transaction then goes on under a provisional id, everything else is answered InternalError.
    """

    def boot_notification(charger: ICharger, fact: BootNotification) -> Maybe[Registration]:
        """BootNotification."""

    def heartbeat(charger: ICharger, fact: Heartbeat) -> Maybe[None]:
        """Heartbeat."""

    def authorize(charger: ICharger, fact: Authorize) -> Maybe[Authorization]:
        """Authorize."""

    def status_notification(charger: ICharger, fact: StatusNotification) -> Maybe[None]:
        """StatusNotification."""

    def started(charger: ICharger, fact: Started) -> Maybe[Start]:
        """StartTransaction, TransactionEvent Started; once for each transaction: repeats are recognised before.

        In 2.x the transaction has its id from the charger; one in the verdict is the backend's own for it.
        """

    def updated(charger: ICharger, fact: Updated) -> Maybe[Authorization | None]:
        """TransactionEvent Updated of 2.x; the verdict is on the tag that was presented with it, None without one."""

    def stopped(charger: ICharger, fact: Stopped) -> Maybe[Authorization | None]:
        """StopTransaction, TransactionEvent Ended; the verdict is on the tag that stopped it, None to say nothing about it."""

    def meter_values(charger: ICharger, fact: MeterValues) -> Maybe[None]:
        """MeterValues."""

    def data_transfer(charger: ICharger, fact: DataTransfer) -> Maybe[DataTransferResult]:
        """DataTransfer."""

    def other(charger: ICharger, fact: Other) -> Maybe[Answer]:
        """Any other action."""


class IHandlersPlugin(Interface):
    """An operator's own handlers: an object with this interface in a module of ``twisted/plugins`` (docs/extending.md)."""

    name: str = Attribute("what the setting `handlers` names it by")

    def handlers(settings: Settings, backend: IBackend | None) -> IHandlers:
        """Make them; ``backend`` is None when the settings name none."""


class IGate(Interface):
    """Who may come in."""

    def admit(request: HandshakeRequest) -> Maybe[None]:
        """Let the charger in, or raise `HandshakeRefused` with the HTTP status to answer."""


class IVendor(Interface):
    """What is done with the DataTransfer of one vendor: an object with this interface in a module of ``twisted/plugins``."""

    vendor_id: str = Attribute("the vendorId that its messages name, in exactly this spelling")

    def data_transfer(charger: ICharger, fact: DataTransfer) -> Maybe[DataTransferResult]:
        """DataTransfer of this vendor."""


class IBackend(Interface):
    """The operator's own system. Every method fails with `BackendFailed` when it is of no use in time."""

    def transaction(tag: str, charger: str, connector: int, key: str = "") -> Awaitable[int | None]:
        """The id of the transaction that this tag may begin; None: the tag has none.

        ``key`` is the same whenever the same start is asked about again, so that it is one transaction to the backend too.
        """

    def authorize(tag: str, charger: str, connector: int | None, tag_type: str = "") -> Awaitable[Authorization]:
        """What the backend says of the tag; ``kind`` is the tag's type in 2.x."""

    def answer(charger: str, ocpp: str, action: str, payload: bytes) -> Awaitable[dict[str, Any] | None]:
        """Members to set in the answer to a message whose ``payload`` is JSON; None: the backend has nothing to say to it."""


class IEvents(Interface):
    """Where events go: one ordered stream. Nothing is lost once it is safe, and nothing is in it twice."""

    waiting: int = Attribute("how many entries are not safe yet")
    overloaded: bool = Attribute("whether nothing more should be taken in: what waits can be made safe nowhere")

    def publish(entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """Append the entry's event and carry out its effects, both or neither.

        ``then(value)`` is called once that can no longer be lost, in the order of the calls; never, when it never is.
        """

    def flushed() -> Awaitable[None]:
        """Fires once all that was published so far is safe."""


class IRoster(Interface):
    """Which gateway of the fleet has which charger. The last one to arrive has it.

    `arrive` and `leave` fail with `StoreUnavailable` while the fleet's memory is known to be away; what they said is made good later.
    """

    def arrive(charger: str, connection: str) -> Awaitable[Record]:
        """This gateway has the charger now, on that connection; what is remembered of the charger."""

    def leave(charger: str, connection: str) -> Awaitable[bool]:
        """The connection ended, or is given up; whether it still was the one that had the charger."""

    def locate(charger: str) -> Awaitable[str | None]:
        """The name of the living gateway that has the charger."""


class IRecords(Interface):
    """What the fleet remembers beside events; it is written by an entry's effects."""

    def transactions(charger: str) -> Awaitable[list[bytes]]:
        """The JSON of each transaction kept for the charger."""

    def record(charger: str) -> Awaitable[Record]:
        """What is remembered of the charger."""

    def table(table: str, owner: str) -> Awaitable[dict[str, bytes]]:
        """What `Keep` effects have put on a shelf that is somebody's own: value by name."""

    def lease(count: int) -> Awaitable[int]:
        """Reserve ``count`` transaction ids for this gateway; the first of them. No two leases overlap, ever."""


class ICommands(Interface):
    """Where commands come from. An element that was taken stays in hand until an entry's `Settled` effect (or a hand-over)."""

    def take() -> Awaitable[Taken]:
        """The next element, whenever it comes; first what an earlier run of this gateway, or one that is gone for good, has left over."""

    def claim(command: Command, connection: str) -> Awaitable[Claim]:
        """Whether the command may be sent on that connection of its charger, at once; asked right before it is.

        If so its id is taken from now on (for 24 hours), and its element marked as ``sent`` (see `Keep`) until an entry takes the mark away.
        """

    def forward(element: bytes, gateway: str) -> Awaitable[None]:
        """Give an element in hand to the gateway that has its charger."""

    def dead_letter(element: bytes, reason: str) -> Awaitable[None]:
        """Put an element that nobody can answer where a person finds it (``commands:dead``)."""


class Store(Protocol):
    """The four drivers of one gateway's store, as they are handed to its parts."""

    @property
    def events(self) -> IEvents: ...

    @property
    def roster(self) -> IRoster: ...

    @property
    def records(self) -> IRecords: ...

    @property
    def commands(self) -> ICommands: ...
