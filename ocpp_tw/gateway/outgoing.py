"""CALLs to one charger: one outstanding at a time, each with its own timeout, each with exactly one outcome.

Knows neither why a CALL is sent nor what the charger sends itself. It is made for the first CALL: most connections have none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ..core import gateway_events
from ..core.commands import Failed, Outcome
from ..core.ledger import Ledger
from ..core.transaction import named
from ..ocpp.conversation import Conversation
from ..ocpp.frames import Call, Error, Payload, Result, Send, render
from ..ocpp.malformed import Malformed
from ..ocpp.version import Version
from .ports import Incoming
from .triggered import Triggers

UNRESPONSIVE_AFTER = 3
"""Commands in a row that time out, while the charger goes on sending, until an `unresponsive` event is published."""

STATUS_ASKED = 100
"""Transactions of a connection that GetTransactionStatus is not sent about twice; older ones may be asked about again."""

STATUS_DUE = 3
"""Transactions that wait to be asked about: only the latest are of use, as a charger in trouble may have gaps in thousands."""

UNREADABLE = "the charger's answer cannot be read"

UNSAID = frozenset(["InternalError", "GenericError"])
"""Codes of a CALLERROR that do not say that nothing was done."""

REFUSED = frozenset(["Rejected", "NotSupported", "Failed"])


def says_no(outcome: Outcome) -> str:
    """The status or code with which the charger says that it has not done what it was sent; "" if it may have."""
    if outcome.status in REFUSED:
        return outcome.status or ""
    error = outcome.error
    if outcome.kind != "error" or not outcome.sent or error is None or error.code in UNSAID or error.description == UNREADABLE:
        return ""  # an answer that nobody can read may have been any
    return error.code[:50]


class Charger(Protocol):
    """What has to be known of the charger."""

    id: str
    domain: str
    ocpp: str
    connection: str
    version: Version
    conversation: Conversation
    ledger: Ledger | None
    received: int

    @property
    def restricted(self) -> bool: ...

    def send(self, text: bytes) -> None: ...

    def call(self, action: str, payload: Payload) -> Deferred[Outcome]: ...


class Pending(NamedTuple):
    """A CALL without an answer yet; it has a timer from the moment it is sent."""

    outcome: Deferred[Outcome]
    timeout: float
    timer: IDelayedCall | None = None
    sent: float = 0.0


class OutgoingCalls:
    """The CALLs on one connection. ``item_limits`` is how many items the charger takes in one message, by action, once it was asked;
    ``unresponsive`` is true while the latest `unresponsive` event holds.
    """

    __slots__ = (
        "_charger",
        "_commands",
        "_idle",
        "_ids",
        "_incoming",
        "_pending",
        "_received",
        "_status_asked",
        "_status_due",
        "_triggers",
        "_unanswered",
        "item_limits",
        "unresponsive",
    )

    def __init__(self, charger: Charger, incoming: Incoming) -> None:
        self.item_limits: dict[str, int] = {}
        self.unresponsive = False
        self._charger = charger
        self._incoming = incoming
        self._pending: dict[str | int, Pending] = {}
        self._ids = self._unanswered = self._received = self._commands = 0
        self._triggers: Triggers | None = None
        self._idle: list[Deferred[None]] = []
        self._status_asked: deque[str] = deque(maxlen=STATUS_ASKED)
        self._status_due: deque[str] = deque(maxlen=STATUS_DUE)

    def call(self, action: str, payload: Payload, timeout: float, raw: bytes, id: str) -> Deferred[Outcome]:
        """See `Charger.call`."""
        outcome: Deferred[Outcome] = Deferred()
        self._ids += 1
        call = Call(id or f"{self._prefix}{self._ids}", action, payload, raw)
        self._pending[call.id] = Pending(outcome, timeout)
        self._send(self._charger.conversation.enqueue(call))
        return outcome

    def answered(self, frame: Result | Error) -> bool:
        """The charger's CALLRESULT or CALLERROR; whether it answers a CALL of ours, be it one that has timed out."""
        charger = self._charger
        call, following = charger.conversation.match(frame)
        if call is None:
            late = charger.conversation.match_late(frame)
            if late is not None and not self._is_ours(late):
                self._incoming.late_response(charger, late, frame)
            return late is not None
        if self.unresponsive:
            self.unresponsive = False
            self._incoming.publisher.publish(charger, "unresponsive", gateway_events.Unresponsive(charger.id, self._unanswered, over=True))
        self._unanswered = 0
        pending = self._pending.pop(call.id)
        if pending.timer is not None:
            pending.timer.cancel()
        latency = round((self._incoming.clock.seconds() - pending.sent) * 1000)
        if isinstance(frame, Result):
            outcome = Outcome("result", frame.payload, sent=True, latency_ms=latency)
        else:
            failure = Failed(frame.code, frame.description, frame.details)
            outcome = Outcome("error", error=failure, sent=True, latency_ms=latency)
        if self._triggers is not None and outcome.status != "Accepted":
            self._triggers.refused(call)
        self._send(following)
        pending.outcome.callback(outcome)
        self._notice_idle()
        return True

    @property
    def _prefix(self) -> str:
        """How the ids begin that the gateway gives to CALLs: the connection's name is made for it, and no backend knows it."""
        return f"{self._charger.connection}-"

    def _is_ours(self, call: Call) -> bool:
        """Whether the CALL has an id of the gateway's own, so that no command is known by it."""
        return str(call.id).startswith(self._prefix)

    def malformed(self, malformed: Malformed) -> bool:
        """A text that is no frame; whether it was meant to answer a CALL of ours, which then ends with what has arrived."""
        if malformed.answered is None:
            return False
        code = self._charger.version.code("syntax" if malformed.syntax else "structure")
        return self.answered(Error(malformed.answered, code, UNREADABLE, {"answer": malformed.excerpt}))

    def triggered(self, call: Call | Send) -> bool:
        """Whether this message was triggered and has not been received since; from now on it has."""
        return self._triggers is not None and self._triggers.admits(call)

    def ask_transaction_status(self, transaction: str) -> None:
        """2.x: messages of this transaction are missing. Ask whether the charger still has them (E14): once on a connection for each of
        the latest `STATUS_ASKED` transactions, and only while nothing else is to be sent: a command waits for one such CALL at most.
        """
        if "GetTransactionStatus" not in self._charger.version.csms_actions or transaction in self._status_asked:
            return
        self._status_asked.append(transaction)
        self._status_due.append(transaction)
        self._ask_next_status()

    def _ask_next_status(self) -> None:
        while self._status_due and not self._pending and not self._commands:
            transaction = self._status_due.pop()  # the latest first
            asked = self._charger.call("GetTransactionStatus", {"transactionId": transaction})
            asked.addCallback(self._publish_transaction_status, transaction)

    @contextmanager
    def command(self) -> Iterator[None]:
        """A command waits for its turn, or is being sent: until this ends the next GetTransactionStatus waits behind it."""
        self._commands += 1
        try:
            yield
        finally:
            self._commands -= 1
            self._ask_next_status()

    def idle(self) -> Deferred[None]:
        """Fires once no CALL is pending, or when the connection has ended."""
        waiting: Deferred[None] = Deferred(self._idle.remove)
        self._idle.append(waiting)
        self._notice_idle()
        return waiting

    def _notice_idle(self) -> None:
        while self._idle and not self._pending:
            self._idle.pop(0).callback(None)
        self._ask_next_status()

    def close(self) -> None:
        """The connection has ended: CALLs that were sent end as connection_lost, the others as offline."""
        waiting, self._pending = self._pending, {}
        for pending in waiting.values():
            if pending.timer is not None:
                pending.timer.cancel()
                pending.outcome.callback(Outcome("connection_lost", sent=True))
            else:
                pending.outcome.callback(Outcome("offline"))
        self._notice_idle()

    def _send(self, call: Call | None) -> None:
        """Send the CALL whose turn it is, if any; its timeout runs from now (R8)."""
        if call is None or call.id not in self._pending:
            return
        pending, clock = self._pending[call.id], self._incoming.clock
        self._pending[call.id] = pending._replace(timer=clock.callLater(pending.timeout, self._timed_out, call), sent=clock.seconds())
        if not self._unanswered:
            self._received = self._charger.received  # any frame from now on shows that the charger could have answered
        if self._charger.restricted:
            self._triggers = self._triggers or Triggers()
            self._triggers.sent(call)
        self._incoming.publisher.counts.sent[call.action] += 1
        self._charger.send(render(call))

    def _timed_out(self, call: Call) -> None:
        charger = self._charger
        following = charger.conversation.give_up(call)
        self._unanswered += 1
        if self._unanswered >= UNRESPONSIVE_AFTER and not self.unresponsive and charger.received > self._received:
            self.unresponsive = True
            self._incoming.publisher.publish(charger, "unresponsive", gateway_events.Unresponsive(charger.id, self._unanswered))
        pending = self._pending.pop(call.id)
        self._send(following)
        pending.outcome.callback(Outcome("timeout", sent=True))
        self._notice_idle()

    def _publish_transaction_status(self, outcome: Outcome, transaction: str) -> None:
        charger, answer = self._charger, outcome.payload or {}
        entered = charger.ledger and charger.ledger.find(transaction)
        missing = named(entered.gaps) if entered else []
        data = gateway_events.TransactionStatus(
            charger.id, transaction, missing, answer.get("ongoingIndicator"), answer.get("messagesInQueue")
        )
        self._incoming.publisher.publish(charger, "transaction_status", data)
