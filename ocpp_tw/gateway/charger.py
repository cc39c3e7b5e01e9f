"""One connected charger: its life from arrival to departure, its conversation, and what is asked of it.

Knows neither the WebSocket below nor what is done with a message: frames come in by `Charger.frame`, CALLs go on to the intake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..core.commands import Outcome
from ..core.entries import Record
from ..core.ledger import Ledger
from ..interfaces import ICharger, IWire
from ..ocpp.conversation import NEW, Conversation
from ..ocpp.frames import Call, Error, Malformed, Payload, Result, ResultError, Send, UnknownType, parse, render
from ..ocpp.tolerance.evidence import Model
from ..ocpp.version import Version
from .incoming import IncomingCalls
from .outgoing import OutgoingCalls
from .reports import Reports

log = Logger()

UNDECIDED = Record()
UNKNOWN_MODEL: Model = (None, None, None)

RESTRICTED = ("Pending", "Rejected")
"""Registrations with which most messages are out of bounds, in both directions."""

LOGGED_COMPLAINTS = 20
"""How many complaints about one connection are logged, each; the counters in its last line have them all."""

INBOX_LIMIT = 100
"""How many CALLs a charger may send ahead before it is not read from any more (a well-behaved one sends none ahead)."""


@implementer(ICharger)
class Charger:
    """A charger on one connection; every later connection of the same identity is another `Charger`.

    It holds back what it receives until `welcome` says what is remembered of it.
    """

    __slots__ = (
        "_complaints",
        "_inbox",
        "_outgoing",
        "address",
        "connected_at",
        "connection",
        "conversation",
        "domain",
        "gone",
        "id",
        "incoming",
        "interval",
        "ledger",
        "model",
        "ocpp",
        "on_first_frame",
        "received",
        "record",
        "registration",
        "reported_time",
        "reports",
        "sent",
        "version",
        "violations",
        "wire",
    )

    def __init__(self, id: str, domain: str, address: str, version: Version, wire: IWire, intake: IncomingCalls, connection: str) -> None:
        self.id = id
        self.domain = domain
        self.address = address
        self.version = version
        self.ocpp = version.name
        self.wire = wire
        self.incoming = intake
        self.connection = connection
        self.connected_at = intake.clock.seconds()
        self.conversation = Conversation()
        self.registration = ""
        self.record = UNDECIDED
        self.ledger: Ledger | None = None
        self.reports: Reports | None = None
        self.model: Model = UNKNOWN_MODEL
        self.received = self.sent = self.violations = 0
        self.interval = 0  # seconds between heartbeats (or tries), when it was told here
        self.reported_time: tuple[str, float] | None = None  # the latest time that it called now, and when that was by our clock
        self.gone = False
        self.on_first_frame: Callable[[], None] | None = None  # told of the first frame, while another connection is the charger
        self._complaints = 0
        self._outgoing: OutgoingCalls | None = None
        self._inbox: deque[Call | Send] | None = deque()  # a queue means: one is being served, or the charger is not welcome yet

    def __repr__(self) -> str:
        return f"<Charger {self.id} {self.connection}>"

    # its life

    def serve(self, record: Record) -> None:
        """Begin to serve it; the frames that came before are served first."""
        self.record = record
        self.model = record.model_known
        held = record.boot_status if record.boot_status in RESTRICTED else ""  # an operator's word holds at once
        self.registration = self.registration or held or record.boot
        self._resume(None)

    @property
    def serving(self) -> bool:
        """Whether it is being served: the fleet has been told that it is here, if it can be."""
        return self.record is not UNDECIDED

    @property
    def restricted(self) -> bool:
        """Whether its registration is Pending or Rejected: then most messages are out of bounds, in both directions."""
        return self.registration in RESTRICTED

    def may_log(self) -> bool:
        """Whether what there is to complain of now goes into the log: the first times it does, and of a flood one in a thousand."""
        self._complaints += 1
        return self._complaints <= LOGGED_COMPLAINTS or self._complaints % 1000 == 0

    @property
    def busy(self) -> bool:
        """Whether a CALL of the charger's is being served, or waits to be."""
        return self._inbox is not None

    @property
    def unresponsive(self) -> bool:
        """Whether it talks, and answers no command."""
        return self._outgoing is not None and self._outgoing.unresponsive

    def triggered(self, action: str) -> bool:
        """Whether we asked for this message ourselves, and have not had it yet (B02.FR.02: that one is served before acceptance)."""
        if self.reports is not None and self.reports.expects(action):
            return True
        return self._outgoing is not None and self._outgoing.triggered(action)

    def connection_lost(self) -> None:
        """The connection has ended: what was sent is lost, what was not is not sent."""
        if self.gone:
            return
        self.gone = True
        if self._inbox:
            self._inbox.clear()  # not acknowledged: the charger has them still
        if self.reports is not None:
            self.reports.close()
        if self._outgoing is not None:
            self._outgoing.close()

    # what it says

    def frame(self, text: bytes) -> None:
        """One text message of the charger's, as UTF-8."""
        self.received += 1
        try:
            frame = parse(text, self.version.quick_readers)
        except Malformed as bad:
            repaired = self.incoming.repaired_frame(self, text) if bad.syntax else None
            if repaired is None:
                return self._malformed(bad)
            frame = repaired
        if type(frame) is Call:
            receipt = self.conversation.received(frame.id, hash(text))
            if receipt is NEW:
                self._receive(frame)
            elif type(receipt) is bytes:
                self.send(receipt)
        elif type(frame) is Result or type(frame) is Error:
            self._answered(frame)
        elif not self.version.send_actions:  # 5 and 6 are of 2.1 only
            self._malformed(UnknownType("message type 5 or 6", frame.id))
        elif type(frame) is Send:
            self._receive(frame)
        elif type(frame) is ResultError:
            self.incoming.result_error(self, frame)
        return None

    def _receive(self, call: Call | Send) -> None:
        """A message of the charger's own accord: served now, or when those before it are."""
        if self._inbox is None:
            later = self.incoming.serve(self, call)
            if later is not None and not later.called:
                later.addCallback(self._resume)
                self._inbox = deque()
            return
        self._inbox.append(call)
        if len(self._inbox) == INBOX_LIMIT:
            self.wire.hold(True)
        if self.on_first_frame is not None:
            self.on_first_frame()

    def send_answer(self, id_and_text: tuple[str | int, bytes]) -> None:
        """Answer a CALL of the charger's; called when its event is safe."""
        id, text = id_and_text
        if text:  # a SEND is not answered
            self.conversation.answered(id, text)
            self.sent += 1
            self.wire.send(text)

    def _resume(self, _: None) -> None:
        inbox = self._inbox or deque()
        held = len(inbox) >= INBOX_LIMIT
        while inbox and not self.gone:
            later = self.incoming.serve(self, inbox.popleft())
            if later is not None and not later.called:
                later.addCallback(self._resume)
                break
        else:
            self._inbox = None
        if held and len(inbox) < INBOX_LIMIT:
            self.wire.hold(False)

    def _malformed(self, bad: Malformed) -> None:
        """OCPP-J 1.6 §4.2.3: whoever can be named is told; an unknown message type is to be ignored (§4.1.3)."""
        self.violations += 1
        version, id, description = self.version, bad.id, "not a CALL of the form [2, id, action, payload]"
        if isinstance(bad, UnknownType):
            code, description = version.unknown_type, "message types are 2, 3 and 4"
        else:
            code = version.code("syntax" if bad.syntax else "structure")
        if id is None and version.answers_without_id:
            id, code = "-1", "RpcFrameworkError"
        if self.may_log():
            log.warn("{charger} sent no OCPP frame: {problem}", charger=self.id, problem=str(bad))
        if id is not None and code:
            self.send(render(Error(id, code, description)))

    # what it is asked

    @property
    def outgoing(self) -> OutgoingCalls:
        """What is asked of it; there is none of that until something is."""
        if self._outgoing is None:
            self._outgoing = OutgoingCalls(self)
        return self._outgoing

    def call(self, action: str, payload: Payload, timeout: float | None = None, *, raw: bytes = b"", id: str = "") -> Deferred[Outcome]:
        """Ask the charger; see `ICharger.call`. ``raw`` is the payload's JSON to send in place of ``payload``.

        ``id`` is the message id to use, if it was never used for this charger before (OCPP-J 1.6 errata to §4.1.4).
        """
        if self.gone:
            return succeed(Outcome("offline"))
        return self.outgoing.call(action, payload, timeout or self.incoming.settings.call_timeout, raw, id)

    def _answered(self, frame: Result | Error) -> None:
        if self._outgoing is None or not self._outgoing.answered(frame):
            self.violations += 1
            if self.may_log():
                log.warn("{charger} answered a message that nobody sent, with the id {id!r}", charger=self.id, id=frame.id)

    def send(self, text: bytes) -> None:
        """Send a frame."""
        self.sent += 1
        self.wire.send(text)

    def close(self, code: int, reason: str) -> None:
        """Begin to close the connection."""
        self.wire.close(code, reason)
