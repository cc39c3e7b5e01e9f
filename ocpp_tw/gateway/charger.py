"""One connected charger: its state from arrival to departure, the CALLs it sends, and the CALLs it is sent.

Knows neither the WebSocket below nor what is done with a message: frames come in by `Charger.frame`, CALLs go on to the incoming side.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..concealed import id_concealed
from ..core.commands import Outcome
from ..core.entries import Record
from ..core.ledger import Ledger
from ..core.rate_limit import Rate, RateLimit
from ..core.registration import RegistrationState
from ..interfaces import IN, OUT, ClientCertificate, ICharger, IWire
from ..ocpp.conversation import NEW, Conversation
from ..ocpp.frames import Call, Error, Payload, Result, ResultError, Send, parse
from ..ocpp.malformed import Malformed, UnknownType
from ..ocpp.tolerance.evidence import Model
from ..ocpp.version import Version
from .inbox import Inbox
from .outgoing import OutgoingCalls
from .ports import Incoming
from .reports import Reports

COMPLAINTS = Rate(20, 1 / 60)
"""Answers on one connection that are none to any CALL, or unreadable, of which there is a log line; the next line counts those that were left out."""


@implementer(ICharger)
class Charger(Inbox):
    """A charger on one connection; every later connection of the same identity is another `Charger`.

    CALLs wait in its inbox until `serve` is given the record that is stored about it.
    """

    __slots__ = (
        "_complaints", "_outgoing", "address", "certificate", "connected_at", "connection", "conversation", "domain", "heard", "id", "interval", "ledger",
        "model", "noted", "ocpp", "received", "registration_state", "reported_time", "reports", "security_profile", "sent", "serial", "state", "version", "violations",
    )  # fmt: skip

    def __init__(
        self,
        id: str,
        domain: str,
        address: str,
        version: Version,
        wire: IWire,
        incoming: Incoming,
        connection: str,
        security_profile: int = 0,
    ) -> None:
        super().__init__(wire, incoming)
        self.id = id
        self.domain = domain
        self.address = address
        self.version = version
        self.ocpp = version.name
        self.connection = connection
        self.security_profile = security_profile
        self.connected_at = incoming.clock.seconds()
        self.conversation = Conversation()
        self.registration_state = RegistrationState()
        self.ledger: Ledger | None = None
        self.reports: Reports | None = None
        self.model: Model = (None, None, None)
        self.serial = ""
        self.certificate: ClientCertificate | None = None  # with which it has been admitted
        self.received = self.sent = self.violations = 0
        self.heard = 0.0  # Unix time of its latest frame, where somebody is told of frames
        self.state: Any = None  # what is shown of it, and what is to be looked at for that (`ocpp_tw.monitoring.observer`)
        self.noted: dict[Any, list[Any]] | None = None
        self._complaints: RateLimit | None = None
        self.interval = 0  # seconds between heartbeats, or between attempts to register, once told on this connection
        self.reported_time: tuple[str, float] | None = None  # the latest time the charger reported as now, and when by our clock
        self._outgoing: OutgoingCalls | None = None

    def __repr__(self) -> str:
        return f"<Charger {self.id} {self.connection}>"

    def serve(self, record: Record, waits: bool = False) -> None:
        """Begin to serve it, first of all the CALLs that arrived before; ``record`` is what is stored about it. ``waits``: it is Pending."""
        self.model, self.serial = record.model_known, record.serial
        self.registration_state.recorded(record, waits)
        self.open()

    @property
    def registration(self) -> str:
        """The registration status last given: Accepted, Pending or Rejected, "" while unknown."""
        return self.registration_state.status

    @property
    def record(self) -> Record:
        """What is stored about it, an operator's decisions among it."""
        return self.registration_state.record

    @property
    def serving(self) -> bool:
        """Whether its CALLs are being served: its record has been looked up, and its presence published where possible."""
        return self.registration_state.serving

    @property
    def restricted(self) -> bool:
        """Whether its registration is Pending or Rejected: most messages are not allowed then, in either direction."""
        return self.registration_state.restricted

    @property
    def unresponsive(self) -> bool:
        """Whether it sends messages, but answers no command."""
        return self._outgoing is not None and self._outgoing.unresponsive

    def triggered(self, call: Call | Send) -> bool:
        """Whether we asked for this message and have not received it yet (B02.FR.02: it is served before acceptance)."""
        if self.reports is not None and self.reports.expects(call.action):
            return True
        return self._outgoing is not None and self._outgoing.triggered(call)

    def connection_lost(self) -> None:
        """The connection has ended: what was sent may be lost, and nothing more is sent."""
        if self.gone:
            return
        self.gone = True
        if self.incoming.answers.charger is self:
            self.incoming.answers.forget()
        self.drop()
        if self.reports is not None:
            self.reports.close()
        if self._outgoing is not None:
            self._outgoing.close()

    def frame(self, text: bytes) -> None:
        """One text message of the charger's, as UTF-8."""
        self.received += 1
        self.recent_messages += 1
        self.recent_bytes += len(text)
        incoming = self.incoming
        record = incoming.record
        if record is not None:
            incoming.moment = self.heard = moment = incoming.unix()
            record((moment, self.id, IN, text))
        try:
            frame = parse(text, self.version.quick_readers)
        except Malformed as malformed:
            repaired = incoming.repaired_frame(self, text) if malformed.syntax else None
            if repaired is None:
                return self._malformed(malformed, text)
            frame = repaired
        if type(frame) is Call:
            receipt = self.conversation.received(frame.id, hash(text))
            if receipt is NEW:
                if incoming.answers.charger is None:
                    incoming.answers.begin(self, frame.id)
                self.enter(frame, len(text))
            elif type(receipt) is bytes:
                self.send(receipt)
        elif type(frame) is Result or type(frame) is Error:
            self._answered(frame)
        elif not self.version.send_actions:  # message types 5 and 6 exist in 2.1 only
            self._malformed(UnknownType("message type 5 or 6", text, id=frame.id), text)
        elif type(frame) is Send:
            self.enter(frame, len(text))
        elif type(frame) is ResultError:
            incoming.result_error(self, frame)
        return None

    def unreadable(self, text: bytes) -> None:
        """A message that is not UTF-8, which ends the connection: it is only recorded."""
        if self.incoming.record is not None:
            self.incoming.record((self.incoming.unix(), self.id, IN, text))

    def send_answer(self, id_and_text: tuple[str | int, bytes]) -> None:
        """Answer a CALL of the charger's; called once its event is durable."""
        id, text = id_and_text
        self.answered(id)
        incoming = self.incoming
        if incoming.answers.charger is self:
            incoming.answers.answered(id)
        if text:  # a SEND has no answer
            self.conversation.answered(id, text)
            self.sent += 1
            record = incoming.record
            if record is not None:
                record((incoming.moment, self.id, OUT, text))
            self.wire.send(text)

    def _malformed(self, malformed: Malformed, text: bytes) -> None:
        """The text is no frame: it ends the command that it was meant to answer, or is told of and answered in its turn."""
        self.violations += 1
        if self._outgoing is not None and self._outgoing.malformed(malformed):
            self._complain(f"it ended a command: {malformed}")
            return
        receipt = NEW if malformed.owed is None else self.conversation.received(malformed.owed, hash(text))
        if isinstance(receipt, bytes):
            self.send(receipt)
        elif receipt is NEW:
            self.enter(malformed, 0)  # of the text only a piece is kept

    @property
    def outgoing(self) -> OutgoingCalls:
        """The CALLs to it; made when the first is needed."""
        if self._outgoing is None:
            self._outgoing = OutgoingCalls(self, self.incoming)
        return self._outgoing

    def call(self, action: str, payload: Payload, timeout: float | None = None, *, raw: bytes = b"", id: str = "") -> Deferred[Outcome]:
        """Send a CALL; see `ICharger.call`. ``raw`` is the payload's JSON to send in place of ``payload``.
        ``id`` is the message id to use, if it was never used for this charger before (OCPP-J 1.6 errata to §4.1.4).
        """
        if self.gone:
            return succeed(Outcome("offline"))
        return self.outgoing.call(action, payload, timeout or self.incoming.settings.call_timeout, raw, id)

    def _answered(self, frame: Result | Error) -> None:
        if self._outgoing is None or not self._outgoing.answered(frame):
            self.violations += 1
            own = f"{self.connection}-"
            self._complain(f"no CALL has the message id {id_concealed(frame.id, own)!r}")

    def _complain(self, problem: str) -> None:
        """Log what is wrong with an answer of the charger's."""
        now = self.incoming.clock.seconds()
        self._complaints = self._complaints or RateLimit(COMPLAINTS, now)
        left_out = self._complaints.next(now)
        if left_out is not None:
            self.incoming.useless_answer(self, problem, left_out)

    def send(self, text: bytes) -> None:
        """Send a frame."""
        self.sent += 1
        incoming = self.incoming
        if incoming.record is not None:
            incoming.record((incoming.unix(), self.id, OUT, text))
        self.wire.send(text)

    def close(self, code: int, reason: str) -> None:
        """Begin to close the connection."""
        self.wire.close(code, reason)
