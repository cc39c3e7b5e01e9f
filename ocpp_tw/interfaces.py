"""Every boundary of the gateway, and the values and failures that cross it: read this first.

An interface has few members: four, but for `ICharger`, and `IHandlers`, which has one for each fact. ``Maybe[T]`` is a value or an awaitable: an implementation that can answer at
once returns the value itself, since awaiting doubles the cost of a message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, Union

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from . import facts
    from .core.commands import Claim, Command, Outcome, Taken
    from .core.entries import Entry, Held, Orphan, Page, Record, Seated
    from .histogram import GroupCounts
    from .ocpp.frames import Payload
    from .settings import Settings

T = TypeVar("T")
Maybe: TypeAlias = Union[T, Awaitable[T]]  # noqa: UP007  # an alias with a type variable has to be spelled so


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate that a charger has shown in its TLS handshake, in which it has proved that it has the private key.

    ``common_name`` and ``organization`` are of its subject, ``names`` are its subject alternative names (DNS names, URIs as they are);
    ``fingerprint`` is the SHA-256 of its DER, in lower-case hexadecimal; ``expires`` is Unix time. ``trouble`` says why it must not be
    trusted, in words that may be logged: no chain to an authority that is trusted, expired, revoked; "" if it may be.
    """

    common_name: str
    organization: str
    names: tuple[str, ...]
    fingerprint: str
    expires: float
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """What a charger sent in its opening handshake. ``headers`` have lower-case names and must not be logged (credentials).

    ``tls`` is whether the charger's own connection is encrypted, up to here or up to a proxy that is trusted; ``certificate`` is the one
    that the charger has shown, None if it has shown none.
    """

    id: str
    domain: str
    address: str
    offered: tuple[str, ...]
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    repairs: tuple[str, ...] = ()
    tls: bool = False
    certificate: ClientCertificate | None = None


class HandshakeRefused(Exception):
    """The charger is refused with this HTTP status, reason (our own text, sent to the charger) and further headers.

    ``detail`` says more than the reason, and no secret: operators are shown it, and the charger is not sent it.
    """

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = (), detail: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers, self.detail = status, reason, headers, detail


class BackendFailed(Exception):
    """The backend gave no usable answer in time. The text is safe to log: it quotes neither the tag nor the answer."""


class StoreUnavailable(Exception):
    """The store is known to be unavailable at the moment, so nobody needs to wait for it."""


class TooManyFollowers(Exception):
    """As many follow feeds on this gateway as may; somebody has to stop first."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a fleet's gateways to a question: gateway -> JSON value. ``missing`` are those that have a lease and have not answered;
    ``trouble`` says why others could not be asked, "" if they could.
    """

    answers: dict[str, Any]
    missing: list[str]
    trouble: str = ""


class IFollowing(Interface):
    """One who follows a feed."""

    def stop() -> None:
        """Follow no more; nothing is received after that."""


class IWire(Interface):
    """The connection to one charger, as the gateway uses it."""

    def send(text: bytes) -> None:
        """Send one text message (UTF-8). Does nothing once the connection is closing or closed."""

    def close(code: int, reason: str) -> None:
        """Begin the closing handshake (RFC 6455 §7.4); ``reason`` is cut to 123 bytes."""

    def ping(answered: Callable[[], None]) -> None:
        """Send a WebSocket ping; ``answered`` is called at the next sign of life, or never."""

    def hold(held: bool) -> None:
        """Pause (or resume) reading from a peer that sends faster than it can be served."""


class ICharger(Interface):
    """A connected charger, as handlers and commands see it."""

    id: str = Attribute("its identity, percent-decoded from the URL")
    domain: str = Attribute("the Host header it sent")
    ocpp: str = Attribute("the OCPP version spoken on this connection, e.g. 1.6")
    record: Record = Attribute("what is stored about it: an operator's decisions, and what it last reported of itself")
    registration: str = Attribute("the registration status last given: Accepted, Pending, Rejected, or empty when unknown")

    def call(action: str, payload: Payload, timeout: float | None = None) -> Awaitable[Outcome]:
        """Send the charger a CALL; fires once with its outcome, and never fails.

        ``payload`` is sent as it is; ``timeout`` (seconds, from the moment of sending) defaults to the gateway's setting.
        """


class IHandlers(Interface):
    """Decides about chargers' messages: one method for each fact.

    A method returns its verdict, at once or later. It need not publish anything: the event contains the verdict.
    An exception is logged; a start then goes on under a provisional id, stops and meter values are answered as always, the rest is
    answered InternalError.
    """

    def boot_notification(charger: ICharger, fact: facts.BootNotification) -> Maybe[facts.Registration]:
        """BootNotification."""

    def heartbeat(charger: ICharger, fact: facts.Heartbeat) -> Maybe[None]:
        """Heartbeat."""

    def authorize(charger: ICharger, fact: facts.Authorize) -> Maybe[facts.Authorization]:
        """Authorize."""

    def status_notification(charger: ICharger, fact: facts.StatusNotification) -> Maybe[None]:
        """StatusNotification."""

    def started(charger: ICharger, fact: facts.Started) -> Maybe[facts.Start]:
        """StartTransaction, TransactionEvent Started; once for each transaction, since repeats are recognized before.

        In 2.x the charger gives the transaction its id; one in the verdict is the backend's own.
        """

    def updated(charger: ICharger, fact: facts.Updated) -> Maybe[facts.Authorization | None]:
        """TransactionEvent Updated of 2.x; the verdict is on the tag presented with it, None without one."""

    def stopped(charger: ICharger, fact: facts.Stopped) -> Maybe[facts.Authorization | None]:
        """StopTransaction, TransactionEvent Ended; the verdict is on the tag that stopped it, None to answer nothing about it."""

    def meter_values(charger: ICharger, fact: facts.MeterValues) -> Maybe[None]:
        """MeterValues."""

    def data_transfer(charger: ICharger, fact: facts.DataTransfer) -> Maybe[facts.DataTransferResult]:
        """DataTransfer."""

    def other(charger: ICharger, fact: facts.Other) -> Maybe[facts.Answer]:
        """Any other action."""


class IHandlersPlugin(Interface):
    """An operator's own handlers: an object with this interface in a module of ``twisted/plugins`` (docs/extending.md)."""

    name: str = Attribute("the name that the setting `handlers` selects it by")

    def handlers(settings: Settings, backend: IBackend | None) -> IHandlers:
        """Make them; ``backend`` is None when the settings name none."""


class IGate(Interface):
    """Decides which chargers are admitted."""

    def admit(request: HandshakeRequest) -> Maybe[int]:
        """Admit the charger: OCPP's security profile that its connection has (0: it has not been authenticated); or raise
        `HandshakeRefused` with the HTTP status to answer."""


class IVendor(Interface):
    """Answers the DataTransfer of one vendor: an object with this interface in a module of ``twisted/plugins``."""

    vendor_id: str = Attribute("the vendorId of its messages, in exactly this spelling")

    def data_transfer(charger: ICharger, fact: facts.DataTransfer) -> Maybe[facts.DataTransferResult]:
        """DataTransfer of this vendor."""


class IBackend(Interface):
    """The operator's own system. Every method fails with `BackendFailed` when there is no usable answer in time."""

    def transaction(tag: str, charger: str, connector: int, key: str = "") -> Awaitable[int | None]:
        """The id of the transaction that this tag may begin; None: the tag has none.

        ``key`` makes the request idempotent: it is the same whenever the same start is asked about again.
        """

    def authorize(tag: str, charger: str, connector: int | None, tag_type: str = "") -> Awaitable[facts.Authorization]:
        """The backend's verdict on the tag; ``tag_type`` is its type in 2.x."""

    def answer(charger: str, ocpp: str, action: str, payload: bytes) -> Awaitable[dict[str, Any] | None]:
        """Members to set in the answer to a message whose ``payload`` is JSON; None: the backend sets none."""

    def admission(charger: str) -> Awaitable[facts.Admission]:
        """Whether the charger may connect."""


Send: TypeAlias = Callable[..., None]
"""``send(items, left_out=0)``, of a feed (see `IFleet`)."""

Received: TypeAlias = Callable[[str, list[Any], int], None]
"""``received(gateway, items, left_out)``, of a follower."""

IN, OUT = 0, 1
"""Directions of a frame: from a charger, and to it."""

Published: TypeAlias = Callable[[bytes, list[int]], None]
"""Is told of entries that are durable, in the order in which they were published: as the driver has them (see `IEvents.events_in`),
and the numbers of their events: 0 of one that was left out, and no numbers at all where the store has not told them.
"""


class IEvents(Interface):
    """Where events go: one ordered stream. Nothing is lost once it is durable, and nothing is in it twice."""

    waiting: int = Attribute("how many entries are not durable yet")
    published: int = Attribute("how many events have been published since the start, counted when they are about to be written")
    waiting_bytes: int = Attribute("how many bytes the events have that are not durable yet")
    groups: GroupCounts = Attribute("how large the groups are that entries are written in, and how long writing them takes")
    strained: bool = Attribute("whether so many entries wait that chargers with several of them should wait first")
    overloaded: bool = Attribute("whether no more work should be accepted, since entries can be made durable nowhere")
    away: bool = Attribute("whether the store takes nothing at the moment, so that what is durable may be so at this gateway only")

    tap: Published | None = Attribute("who is told of entries that are durable; None for nobody")

    def publish(entry: Entry, then: Callable[[Any], None] | None = None, value: Any = None) -> None:
        """Append the entry's event and carry out its effects, both or neither.

        ``then(value)`` is called once the entry is durable, in the order of the calls; never, if it never is.
        """

    def events_in(entries: bytes) -> list[tuple[str, bytes]]:
        """Charger and JSON, without a number, of each event among the entries that ``tap`` was told of."""

    def flushed() -> Awaitable[None]:
        """Fires once all entries published so far are durable."""


class IRoster(Interface):
    """Which gateway of the fleet has which charger. The last one to arrive has it, unless it is held.

    `arrive` and `leave` fail with `StoreUnavailable` while the store is known to be unavailable; they are repeated later.
    """

    on_forgotten: Callable[[str], None] = Attribute(
        """Called with a charger of ours that the roster had no more, and has again: it was taken for an orphan while we were not heard of."""
    )

    def arrive(
        charger: str, connection: str, domain: str = "", ocpp: str = "", network: str = "", security_profile: int = 0, dead: str = ""
    ) -> Awaitable[Seated | Held]:
        """This gateway has the charger now, on that connection (its Host header and OCPP version are for those who find it orphaned).

        But for one without a security profile that comes from another ``network`` than the connection that another living gateway has, or
        where that has one: it is held, and nothing is changed. ``dead`` is a connection that holds it no more. No network is no reason.
        """

    def leave(charger: str, connection: str) -> Awaitable[bool]:
        """The connection ended, or is given up; returns whether it still was the one that had the charger."""

    def locate(charger: str) -> Awaitable[str | None]:
        """The name of the gateway that has the charger; None when none with a valid lease has."""


class IOrphans(Interface):
    """The chargers that the roster has where nobody serves them any more."""

    def found() -> Awaitable[list[Orphan]]:
        """Those of gateways, and of this gateway's earlier runs, that were found gone since the last call; to be called again and
        again. Each is to be published with an `Orphaned` effect."""

    def left_behind(answering: Set[str]) -> Awaitable[list[Orphan]]:
        """Those at other gateways than these, found gone or not, and on connections of earlier runs of this one: nobody else tells of
        them. Fails with `StoreUnavailable` if the store does not answer."""


class IRecords(Interface):
    """What the store has beside events; it is written by the effects of entries."""

    def transactions(charger: str) -> Awaitable[list[bytes]]:
        """The JSON of each transaction stored for the charger."""

    def record(charger: str) -> Awaitable[Record]:
        """What is stored about the charger."""

    def table(name: str, owner: str, remembered: bool = False) -> Awaitable[dict[str, bytes]]:
        """The fields that `Put` effects have set in a table of that owner's. ``remembered``: as this gateway wrote or read them last, without
        asking the store; of what it has read it remembers nothing but `SPELLINGS`."""

    def lease(count: int) -> Awaitable[int]:
        """Lease ``count`` transaction ids to this gateway; returns the first. No two leases ever overlap."""


class IHistory(Interface):
    """What the fleet has done lately: what the `Recorded` effects of entries have appended, as much as the settings say."""

    def recent(history: str, count: int, before: str = "") -> Awaitable[list[tuple[str, bytes]]]:
        """The latest of it, newest first, at most ``count``; each with its cursor. ``before``: only what is older than that cursor.

        Raises:
            ValueError: that is no cursor.
        """


class IStates(Interface):
    """What was known last of the state of chargers, for whoever has them next, and of gateways. What is written may be lost, and belongs to no event."""

    def read(chargers: Sequence[str]) -> Awaitable[dict[str, bytes]]:
        """What is kept of those chargers; those of whom nothing is are left out. Fails with `StoreUnavailable`."""

    def write(states: dict[str, bytes]) -> Awaitable[None]:
        """Keep this of these chargers, in place of what was kept. Fails with `StoreUnavailable`, and then may have been carried out or not."""

    def gateways() -> Awaitable[dict[str, bytes]]:
        """What each gateway of the fleet has told last of itself. Fails with `StoreUnavailable`."""

    def tell(gateways: dict[str, bytes | None]) -> Awaitable[None]:
        """Keep this of these gateways, None for nothing any more. Fails with `StoreUnavailable`, and then may have been carried out in part."""


class IRegister(Interface):
    """What decides in the handshake whether a charger may come in."""

    guarded: bool | None = Attribute(
        """Whether any charger of the fleet has credentials or a least security profile, as far as is known: a second ago; None if it is not.
        Set to True by whoever decides so."""
    )

    def find(charger: str) -> Maybe[Record]:
        """What is stored about the charger, now, by any gateway.

        Fails with `StoreUnavailable` if that cannot be told at the moment and might keep somebody out: nobody is let in by a failure.
        """

    def registered(cursor: str, limit: int) -> Awaitable[Page]:
        """The chargers that operators have decided about, by identity in the order of its bytes: at most so many, those behind the
        ``cursor`` ("": from the beginning). Whoever is registered all the while is in one page, whoever comes or goes meanwhile.

        Fails with `StoreUnavailable` if the store does not answer in time.
        """

    def once(name: str, seconds: int) -> Maybe[bool]:
        """Whether nobody in the fleet has asked this of that name for so many seconds. Fails with `StoreUnavailable` if the store does not
        answer in time; then it may count as asked or not."""


class IQuestion(Interface):
    """A question to the backend, as it is traced."""

    traceparent: str = Attribute("what the backend is told of the trace, as a header of that name; empty if nothing is")

    def answered(answer: T) -> T:
        """The answer is there, or a Failure; returns it."""


class ITracer(Interface):
    """Tells somebody how long commands and questions to the backend take, and what belongs to what (W3C Trace Context)."""

    def begun(command: Command) -> Command:
        """A command has been taken; it goes on as what is returned, whose ``traceparent`` is its own."""

    def ended(command: Command, outcome: str, error: str = "") -> None:
        """It has its result."""

    def left(command: Command) -> None:
        """Another gateway has it now, or this one ends; nothing if it has its result."""

    def question(kind: str, charger: str, tag: str = "") -> IQuestion:
        """The backend is asked about the charger, and maybe a tag."""


class ICommands(Interface):
    """Where commands come from. An element that was taken is in flight until an `Acknowledged` effect, or until it is forwarded."""

    def take() -> Awaitable[Taken]:
        """The next element, as soon as there is one; first those left over by an earlier run of this gateway, or by one taken over."""

    def claim(command: Command, connection: str) -> Awaitable[Claim]:
        """Whether the command may be sent now, on that connection of its charger; asked right before it is.

        If so its id is claimed (for 24 hours), and its element marked in the table ``sent`` (see `Put`) until an entry removes the mark.
        Cancelled, it is undone: at once, or as soon as the store answers, and before it answers another claim of that id.
        """

    def forward(element: bytes, gateway: str, handed_on: bytes) -> Awaitable[None]:
        """Give an element in flight to the gateway that has its charger, as ``handed_on``: with when it was first taken, if that matters."""

    def dead_letter(element: bytes, reason: str) -> Awaitable[None]:
        """Move an element that cannot be answered to the dead letters (``commands:dead``)."""


class IFleet(Interface):
    """What gateways of a fleet ask each other, and tell each other as it happens. Nothing of it is durable, and all of it is bounded: in
    size, in number and in rate.
    """

    trouble: str = Attribute("why other gateways cannot be asked at the moment, empty if they can")

    def answer(topic: str, handler: Callable[[dict[str, Any]], Maybe[Any]]) -> None:
        """``handler(query)`` answers questions of that topic on this gateway, with a JSON value. One that fails counts as no answer."""

    def ask(topic: str, query: dict[str, Any], timeout: float = 2.0) -> Awaitable[Answers]:
        """The answers of all gateways, as soon as all that have a lease have answered, and after ``timeout`` seconds at the latest.

        This gateway's own needs no store, and is there whatever happens to the others. Never fails.
        """

    def feed(topic: str, feeder: Callable[[dict[str, Any], Send], Callable[[], None]]) -> None:
        """``feeder(query, send)`` is called for each follower, here or on another gateway, and returns what ends it.

        Meanwhile ``send(items, left_out=0)`` sends it JSON values; one that is callable is called for its value if it is not left out.
        ``left_out`` is how many more there would have been.
        """

    def follow(topic: str, query: dict[str, Any], received: Received) -> IFollowing:
        """``received(gateway, items, left_out)`` is called with what any gateway feeds, until the follower stops or this gateway ends.

        ``left_out`` counts items that were too many for a follower, or too many for all. Raises `TooManyFollowers`.
        """


class Store(Protocol):
    """The drivers of one gateway's store, as they are handed to its parts."""

    @property
    def trouble(self) -> str:
        """Why it takes no events at the moment; "" if it does."""

    @property
    def refuses(self) -> str:
        """The same, if it answers all the same; "" if it takes events, and if it does not answer."""

    def unread(self) -> int | None:
        """How many events wait in it for the backend; None if that is not known."""

    def spooled(self) -> dict[str, Any]:
        """Counts of what is in the spool, and its trouble with the disk if any; {} without a spool."""

    def spool_bytes(self) -> int:
        """The size of the spool's files; 0 without a spool."""

    @property
    def events(self) -> IEvents: ...

    @property
    def roster(self) -> IRoster: ...

    @property
    def orphans(self) -> IOrphans: ...

    @property
    def records(self) -> IRecords: ...

    @property
    def history(self) -> IHistory: ...

    @property
    def states(self) -> IStates: ...

    @property
    def register(self) -> IRegister: ...

    @property
    def commands(self) -> ICommands: ...

    @property
    def fleet(self) -> IFleet: ...
