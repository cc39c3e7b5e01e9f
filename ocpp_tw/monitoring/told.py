"""What is told of the fleet, of its gateways and of its chargers, as JSON. Field names are part of the contract (docs/contract.md).

Knows neither where the values come from nor who asks.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec

from ..core.event import one_of
from ..core.history import Trouble
from ..core.registration import REGISTRATIONS
from ..core.transaction import Transaction
from ..gateway.decisions import RecordSummary
from ..gateway.last_refusals import LastRefusal
from ..ocpp.tolerance.evidence import ModelReport
from .query import State

Profile = Annotated[int, msgspec.Meta(ge=0, le=3)]
"""A security profile of OCPP."""

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A time, in UTC."""

FLAGS = ("flooding", "flapping", "pending", "gateway_missing")


class ConnectorRow(TypedDict):
    """The status of a connector."""

    evse: int | None
    """its EVSE; null in 1.6"""
    connector: int | None
    """its number"""
    status: str
    """as the charger has told it last"""
    error_code: str | None
    """likewise"""
    info: str | None
    """likewise"""
    since: Moment
    """when it had another one"""


class Left(TypedDict):
    """How a connection ended."""

    code: int | None
    """its close code"""
    reason: str | None
    """the reason that came with it"""
    seconds: float | None
    """for how long it was"""


class ChargerRow(TypedDict):
    """A charger in a table."""

    id: str
    """its identity"""
    state: State
    """the first that applies: it is connected nowhere; answers no commands; has not sent anything for long; has a connector that is faulted;
    charges; is connected"""
    since: str
    """when it was connected, or went away (UTC)"""
    gateway: str | None
    """the gateway that has it, or had it last"""
    ocpp: str | None
    """the OCPP version spoken"""
    vendor: str | None
    """its vendor"""
    model: str | None
    """its model"""
    firmware: str | None
    """its firmware version"""
    serial: str | None
    """its serial number"""
    remote_address: str | None
    """where it connects from"""
    security_profile: Profile | None
    """OCPP's security profile of its connection"""
    registration: Annotated[str, one_of(REGISTRATIONS)] | None
    """the registration status given last"""
    violations: int
    """messages of this connection that broke their schema"""
    power_w: float | None
    """of its running transactions"""
    energy_wh: int | None
    """likewise"""
    transactions: int
    """how many run"""
    last_message: Moment | None
    """when it has sent something last, to the minute"""
    connectors: list[ConnectorRow]
    """those that it has told of"""
    flags: list[Annotated[str, one_of(FLAGS)]]
    """it sends more than its budget; connects again and again; is not accepted yet; its gateway does not answer, and it is told of as it was known
    last"""
    left: NotRequired[Left]
    """only of one that is away: how its last connection ended"""


class States(TypedDict):
    """How many chargers are in which state."""

    away: int
    """connected nowhere"""
    unresponsive: int
    """they answer no commands"""
    silent: int
    """nothing has come for long"""
    faulted: int
    """a connector is"""
    charging: int
    """a transaction runs and is not suspended"""
    online: int
    """all others that are connected"""


class Counts(States):
    """The same, and how many there are."""

    total: int
    """in all states"""


class PerMinute(TypedDict):
    """For each of the last 60 minutes, the oldest first."""

    messages: list[float]
    """messages of chargers, per second"""
    events: list[float]
    """events, per second"""


RedisState = Literal["ok", "refusing", "away"]


class RedisReport(TypedDict):
    """Redis, as a gateway sees it."""

    state: RedisState
    """whether it takes events, answers and takes no writes (it is full, or read-only), or does not answer"""
    connected: bool
    """whether it takes events"""
    unread: int | None
    """how many events wait there for the backend; null when that is not known"""
    trouble: str
    """why it takes none; "" while it does"""


class Spool(TypedDict):
    """What waits on disk for Redis."""

    groups: int
    """groups of events"""
    events: int
    """events"""
    trouble: str
    """why the disk takes no more; "" while it does"""


class BackendReport(TypedDict):
    """The backend, as a gateway sees it."""

    state: Literal["none", "ok", "failing"]
    """whether there is one that is asked, and whether it answers"""
    detail: str
    """why it is not asked at the moment; "" while it is"""


class HealthReport(TypedDict):
    """How a gateway is."""

    loop_lag_ms: float
    """how late its event loop was at worst in the last ten seconds"""
    memory_mb: float
    """its memory"""
    cpu: float | None
    """the part of a core that it has used in the last ten seconds"""
    redis: RedisReport
    """Redis"""
    spool: Spool | None
    """what waits on disk; null without a spool"""
    backend: BackendReport
    """the backend"""


class GatewayRow(HealthReport):
    """A gateway of the fleet, or a worker."""

    name: str
    """its name"""
    chargers: int
    """how many are connected to it"""
    messages_per_second: float
    """in the last ten seconds"""
    events_per_second: float
    """likewise"""
    started: Moment
    """when it was started"""
    version: str
    """the release that it runs"""


class Fleet(TypedDict):
    """Whether all gateways have answered."""

    missing: list[str]
    """gateways that have not answered in time"""
    trouble: str
    """why others could not be asked; "" if they could"""


class GoneGateway(TypedDict):
    """A gateway that is gone without having been stopped."""

    name: str
    """its name"""
    since: Moment
    """when it was heard of last, within ten seconds"""
    chargers: int
    """how many were connected to it then"""


class Overview(Fleet):
    """The fleet at a glance."""

    time: Moment
    """now"""
    chargers: Counts
    """how many there are, by state"""
    power_w: float
    """what charges now"""
    energy_today_wh: int
    """delivered since midnight, local time of the gateways"""
    rates: PerMinute
    """messages and events"""
    gateways: list[GatewayRow]
    """those that have answered, by name"""
    gone: list[GoneGateway]
    """those that were there within the last day and are gone without having been stopped, until they are back; the latest first"""
    redis: RedisReport
    """as the gateway that is asked sees it"""
    backend: BackendReport
    """as the gateway sees it for which it is worst"""
    troubles: list[Trouble]
    """the latest, the newest first"""


class OverviewChanges(TypedDict, total=False):
    """What is different in the overview: the members of it that are, and no others."""

    missing: list[str]
    """as in the overview"""
    trouble: str
    """as in the overview"""
    time: Moment
    """as in the overview"""
    chargers: Counts
    """as in the overview"""
    power_w: float
    """as in the overview"""
    energy_today_wh: int
    """as in the overview"""
    rates: PerMinute
    """as in the overview"""
    gateways: list[GatewayRow]
    """as in the overview"""
    gone: list[GoneGateway]
    """as in the overview"""
    redis: RedisReport
    """as in the overview"""
    backend: BackendReport
    """as in the overview"""
    troubles: list[Trouble]
    """as in the overview"""


class ChargersAnswer(Fleet):
    """A page of chargers."""

    total: int
    """how many there are that the query asks for"""
    rows: list[ChargerRow]
    """those of the page"""
    states: States
    """how many are in each state, whichever state is asked for"""
    models: list[str]
    """the models that there are, at most 500"""
    firmwares: list[str]
    """the firmware versions that there are, likewise"""
    gateways: list[str]
    """the gateways that have answered"""


class ChargersChanges(TypedDict):
    """What is different in a page of chargers; other members of it only if they are."""

    rows: list[ChargerRow]
    """rows that are new or different"""
    order: list[str]
    """the identities of all rows"""
    total: int
    """as in the page"""
    states: States
    """as in the page"""
    models: NotRequired[list[str]]
    """as in the page"""
    firmwares: NotRequired[list[str]]
    """as in the page"""
    gateways: NotRequired[list[str]]
    """as in the page"""
    missing: NotRequired[list[str]]
    """as in the page"""
    trouble: NotRequired[str]
    """as in the page"""


class Link(TypedDict):
    """A charger's connection to a gateway."""

    id: str
    """the charger's identity"""
    ocpp: str
    """the OCPP version spoken"""
    domain: str
    """the Host header, as the charger sent it"""
    remote_address: str
    """where it connects from"""
    security_profile: Profile
    """OCPP's security profile of the connection: 0 is none"""
    connection: str
    """a name of the connection, as in `previous` of `connect_charger`"""
    received: int
    """frames received"""
    sent: int
    """frames sent"""
    violations: int
    """messages that broke their schema"""


class Connection(Link):
    """A charger's connection to this gateway."""

    registration: Annotated[str, one_of(REGISTRATIONS)] | None
    """the registration status given last; null while unknown"""


class Liveness(TypedDict):
    """What the gateway thinks of a charger: as in the events of these names."""

    unresponsive: bool
    """it answers no commands"""
    silent: bool
    """nothing has come for long"""
    flapping: bool
    """it connects again and again"""
    flooding: NotRequired[bool]
    """it sends more than its budget"""


class Assessment(TypedDict):
    """What the gateway thinks of a charger that is connected."""

    liveness: Liveness
    """whether it is what the events of these names say"""
    clock_skew: int | None
    """seconds that its clock is ahead; null when that is not known"""


class Connected(TypedDict):
    """A charger that is connected to this gateway."""

    connected: Literal[True]
    """that it is"""
    transactions: list[Transaction]
    """its open transactions"""


class NotConnected(TypedDict):
    """A charger that is not connected to this gateway."""

    connected: Literal[False]
    """that it is not"""


class OfCharger(TypedDict):
    """Whose answer it is."""

    id: str
    """the charger's identity"""


class ConnectedRecord(RecordSummary, Link, Assessment, Connected):
    """A charger that is connected: what is stored about it, its connection, and what the gateway thinks of it."""


class StoredRecord(RecordSummary, OfCharger, NotConnected):
    """What is stored about a charger that is not connected."""


class Clock(TypedDict):
    """A charger's clock."""

    skew_s: int | None
    """seconds that it is ahead; null when that is not known"""


class CertificateReport(TypedDict):
    """The certificate that a charger has shown."""

    common_name: str
    """of its subject"""
    organization: str
    """of its subject"""
    names: list[str]
    """its subject alternative names"""
    fingerprint: str
    """its SHA-256, in hexadecimal"""
    expires: Moment
    """when it does"""
    trouble: str
    """why it is not trusted; "" if it is"""


class RunningTransaction(msgspec.Struct, kw_only=True, tag_field="state", tag="running"):
    """A transaction that runs."""

    charger: str
    """the charger's identity"""
    gateway: str
    """the gateway that has the charger, or had it last"""
    ocpp: str
    """the OCPP version of the connection"""
    id: int | str
    """its id; in 2.x the charger's"""
    backend_id: int | None
    """the one that the backend has for it, where that is another one"""
    conn: int
    """the connector; in 2.x the EVSE"""
    tag: str | None
    """the tag that began it"""
    started: str | None
    """when, by the charger's clock"""
    provisional: bool
    """whether its id is the gateway's own, since the backend could not be asked"""
    since: int | None
    """when the gateway heard of it first, in Unix time"""
    energy_wh: int | None
    """delivered so far"""
    power_w: float | None
    """now"""
    soc: float | None
    """state of charge, in percent"""
    charging_state: str | None
    """2.x: as the charger has told it last"""
    away: bool = False
    """whether the charger is away: it has not told of an end, and the readings are its last"""


class ChargingTransaction(RunningTransaction, kw_only=True, tag_field="state", tag="running"):
    """A transaction that runs, with its course."""

    open: bool
    """whether its stop is missing: a later one has begun on its connector"""
    curve: list[tuple[int, float | None, float | None, float | None]]
    """at most 240 samples: Unix time, W, Wh, percent"""


class Away(Left):
    """Since when and why a charger is away."""

    time: str
    """when its connection ended (UTC)"""
    gateway: str | None
    """where it was"""
    ocpp: str | None
    """the version that was spoken"""


class AllOfCharger(Fleet):
    """What is told of any charger."""

    last_refusal: LastRefusal | None
    """its last handshake that a gateway has refused; null when none is remembered"""
    transactions: list[ChargingTransaction]
    """those that run"""
    breaks: list[ModelReport]
    """what its model has broken of the schemas, as its gateway has seen it"""
    certificate: CertificateReport | None
    """the one that it has shown"""


class OfConnected(TypedDict):
    """What else is told of one that is connected."""

    connected: Literal[True]
    """that it is, to any gateway"""
    row: ChargerRow
    """it in a table"""
    record: ConnectedRecord
    """as in `GET /api/chargers/{id}`"""
    liveness: Liveness
    """as in `record`"""
    clock: Clock
    """its clock"""
    away: None
    """null"""


class OfAbsent(TypedDict):
    """What else is told of one that is connected to no gateway that has answered."""

    connected: Literal[False]
    """that it is not"""
    row: ChargerRow | None
    """it in a table, as it was last where its gateway does not answer; null if no connection of it is remembered, and for some seconds after
    one has ended at another gateway"""
    record: StoredRecord
    """as in `GET /api/chargers/{id}`"""
    liveness: None
    """null"""
    clock: None
    """null"""
    away: Away | None
    """how its last connection ended; null if that is not remembered, and for some seconds after it if that was at another gateway"""


class ShownFrame(TypedDict):
    """A frame as it was sent, but for secrets, which are `***`."""

    time: Moment
    """when, to the microsecond"""
    charger: str
    """the charger's identity"""
    direction: Literal["in", "out"]
    """in: from the charger"""
    frame: list[Any] | None
    """the frame; null if it was none, or has more than 128 KiB"""
    action: str | None
    """its action; of an answer that of its CALL; null if it is not known"""
    gateway: str
    """the gateway that has the charger"""
    text: NotRequired[str]
    """only without `frame`: the beginning"""
    length: NotRequired[int]
    """only without `frame`: how long it was, in bytes"""


class BatchBegun(TypedDict):
    """A batch has begun."""

    id: str
    """its id"""
    total: int
    """how many chargers it has"""
    missing: list[str]
    """gateways that have not answered in time, whose chargers are not among them"""
    trouble: str
    """why other gateways could not be asked, so that none of their chargers is among them; "" if they could"""


class BatchFailure(TypedDict):
    """A command of a batch that has no result."""

    charger: str
    """the charger's identity"""
    id: str | None
    """the command's id"""
    outcome: str
    """how it ended; `unknown`: only its `command_result` will tell"""
    status: str | None
    """null"""
    error: dict[str, Any] | None
    """why: code, description"""


class BatchSummary(TypedDict):
    """How far a batch is, as in the list of all."""

    id: str
    """its id"""
    time: str
    """when it was begun (UTC)"""
    by: str
    """who has begun it: the name of the token"""
    command: str | None
    """the neutral command, or the OCPP action"""
    total: int
    """how many chargers it has"""
    done: int
    """how many of them have ended"""
    over: bool
    """whether all have"""
    outcomes: dict[str, int]
    """how many ended how"""
    statuses: dict[str, int]
    """of those with a `result`, how many answers have which `status`, such as `Rejected`"""


class BatchReport(BatchSummary):
    """How far a batch is, and what has failed."""

    failed: list[BatchFailure]
    """the first 100 that have no result"""


class PendingCommand(TypedDict):
    """A command that has no result yet, as far as is known."""

    charger: str
    """the charger's identity"""
    id: str
    """its id"""
    state: Literal["waiting", "unknown"]
    """unknown: only its `command_result` will tell"""
    detail: NotRequired[str]
    """why"""
