"""What is asked of one charger: one thing at a time, each with its own deadline, each ending exactly once.

Knows neither why it is asked nor what the charger says of its own accord. A connection that is asked nothing has none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ..core import events
from ..core.commands import Failed, Outcome
from ..ocpp.frames import Call, Error, Payload, Result, render

if TYPE_CHECKING:
    from .charger import Charger

UNRESPONSIVE_AFTER = 3
"""After so many commands in a row without an answer, from a charger that talks all the while, the backend is told."""


class Pending(NamedTuple):
    """A CALL of ours that somebody waits for; it has a timer from when it is sent."""

    outcome: Deferred[Outcome]
    timeout: float
    timer: IDelayedCall | None = None
    sent: float = 0.0


class OutgoingCalls:
    """The CALLs of ours on one connection. ``most`` is how many items the charger takes in a message, by action, once it has said;
    ``unresponsive`` is it from when the backend was told so.
    """

    __slots__ = (
        "_charger",
        "_heard",
        "_ids",
        "_pending",
        "_status_asked",
        "_triggered",
        "_unanswered",
        "_waiting",
        "item_limits",
        "unresponsive",
    )

    def __init__(self, charger: Charger) -> None:
        self.item_limits: dict[str, int] | None = None
        self.unresponsive = False
        self._charger = charger
        self._pending: dict[str | int, Pending] = {}
        self._ids = self._unanswered = self._heard = 0
        self._triggered: set[str] = set()
        self._waiting: list[Deferred[None]] = []
        self._status_asked: set[str] = set()

    def call(self, action: str, payload: Payload, timeout: float, raw: bytes, id: str) -> Deferred[Outcome]:
        """See `Charger.call`."""
        outcome: Deferred[Outcome] = Deferred()
        self._ids += 1
        call = Call(id or f"{self._charger.connection}-{self._ids}", action, payload, raw)
        self._pending[call.id] = Pending(outcome, timeout)
        self._send(self._charger.conversation.enqueue(call))
        return outcome

    def answered(self, frame: Result | Error) -> bool:
        """The charger's answer; whether it is one to anything that was asked."""
        charger = self._charger
        call, more = charger.conversation.match(frame)
        if call is None:
            late = charger.conversation.match_late(frame)
            if late is not None:
                charger.incoming.late_response(charger, late, frame)
            return late is not None
        if self.unresponsive:
            self.unresponsive = False
            charger.incoming.publish_event(charger, "unresponsive", events.Unresponsive(charger.id, self._unanswered, over=True))
        self._unanswered = 0
        pending = self._pending.pop(call.id)
        if pending.timer is not None:
            pending.timer.cancel()
        latency = round((charger.incoming.clock.seconds() - pending.sent) * 1000)
        if isinstance(frame, Result):
            outcome = Outcome("result", frame.payload, sent=True, latency_ms=latency)
            if charger.restricted and outcome.status == "Accepted" and "requestedMessage" in call.payload:
                self._triggered.add(str(call.payload["requestedMessage"]))
        else:
            failure = Failed(frame.code, frame.description, frame.details)
            outcome = Outcome("error", error=failure, sent=True, latency_ms=latency)
        self._send(more)
        pending.outcome.callback(outcome)
        self._notice_idle()
        return True

    def triggered(self, action: str) -> bool:
        """Whether this message was asked for, and has not come yet; now it has."""
        if action not in self._triggered:
            return False
        self._triggered.discard(action)
        return True

    def ask_status_of(self, transaction: str) -> None:
        """2.x: messages of this transaction are missing: has the charger more of them? It is asked once on a connection."""
        charger = self._charger
        if "GetTransactionStatus" in charger.version.csms_actions and transaction not in self._status_asked:
            self._status_asked.add(transaction)
            charger.call("GetTransactionStatus", {"transactionId": transaction}).addCallback(self._status_answered, transaction)

    def idle(self) -> Deferred[None]:
        """Fires once nothing is being asked, or when the connection has ended."""
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        self._notice_idle()
        return waiting

    def _notice_idle(self) -> None:
        while self._waiting and not self._pending:
            self._waiting.pop(0).callback(None)

    def close(self) -> None:
        """The connection has ended: what was sent is lost, what was not is not sent."""
        waiting, self._pending = self._pending, {}
        for pending in waiting.values():
            if pending.timer is not None:
                pending.timer.cancel()
                pending.outcome.callback(Outcome("connection_lost", sent=True))
            else:
                pending.outcome.callback(Outcome("offline"))
        self._notice_idle()

    def _send(self, call: Call | None) -> None:
        """Send the next one, if it is somebody's turn; its time starts now (R8)."""
        if call is None or call.id not in self._pending:
            return
        charger = self._charger
        pending, clock = self._pending[call.id], charger.incoming.clock
        self._pending[call.id] = pending._replace(timer=clock.callLater(pending.timeout, self._timed_out, call), sent=clock.seconds())
        if not self._unanswered:
            self._heard = charger.received  # what comes from now on shows that it could answer
        charger.send(render(call))

    def _timed_out(self, call: Call) -> None:
        charger = self._charger
        more = charger.conversation.give_up(call)
        self._unanswered += 1
        if self._unanswered == UNRESPONSIVE_AFTER and charger.received > self._heard:
            self.unresponsive = True
            charger.incoming.publish_event(charger, "unresponsive", events.Unresponsive(charger.id, self._unanswered))
        pending = self._pending.pop(call.id)
        self._send(more)
        pending.outcome.callback(Outcome("timeout", sent=True))
        self._notice_idle()

    def _status_answered(self, outcome: Outcome, transaction: str) -> None:
        charger, said = self._charger, outcome.payload or {}
        known = charger.ledger and charger.ledger.find(transaction)
        missing = list(known.missing) if known else []
        data = events.TransactionStatus(charger.id, transaction, missing, said.get("ongoingIndicator"), said.get("messagesInQueue"))
        charger.incoming.publish_event(charger, "transaction_status", data)
