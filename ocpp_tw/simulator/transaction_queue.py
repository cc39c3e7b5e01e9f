"""The queue of transaction messages: sent in order, and sent again until they are answered (OCPP 1.6 §3.7.1, §4.1).

Knows nothing of the connection, only how to send; nor of connectors, only that a transaction has an id once its start was answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..facts import Fact, MeterValues, Started, Stopped, Updated
from ..ocpp.frames import Call, Error, Payload, Result

MAX_MESSAGES = 2000
"""Most messages in the queue; beyond that the oldest meter values are dropped (OCPP 1.6 §3.7.1: intermediate ones may be)."""

TransactionFact = Started | Updated | MeterValues | Stopped
"""The facts of transactions. In 2.x the charger itself has numbered them, and given the transaction its id."""

OnResult = Callable[[Payload], None]
"""Called with the payload of the CALLRESULT."""


@dataclass(slots=True, eq=False)
class TransactionRef:
    """What the messages of one transaction share: its id, which the answer to the start assigns."""

    id: int | None = None


@dataclass(slots=True, eq=False)
class PendingMessage:
    """One message to deliver. Its CALL is composed when it is first sent, and stays the same."""

    fact: TransactionFact
    ref: TransactionRef
    then: OnResult | None
    call: Call | None = None
    attempts: int = 0


class MessageSender(Protocol):
    """How the queue sends its messages."""

    def send_pending(self, message: PendingMessage, then: Callable[[Result | Error | None], None]) -> None:
        """Send it now. Only called while the charger is connected and accepted."""

    def compose(self, fact: Fact) -> Call:
        """The fact as a CALL with a new message id."""


@dataclass(slots=True, eq=False)
class TransactionQueue:
    """The queue. ``attempts`` and ``interval`` (real seconds, multiplied by the attempts so far) may be changed at any time."""

    sender: MessageSender
    clock: IReactorTime
    attempts: int = 3
    interval: float = 60.0
    fresh_ids: bool = False
    lost: int = 0
    _messages: deque[PendingMessage] = field(default_factory=deque)
    _open: bool = False
    _in_flight: bool = False
    _retry_timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, fact: TransactionFact, ref: TransactionRef, then: OnResult | None = None) -> None:
        """Deliver this after everything put before; ``then`` gets the answer's payload."""
        if len(self._messages) >= MAX_MESSAGES:
            dropped = next((each for each in self._messages if _expendable(each.fact) and each.call is None), None)
            if dropped is not None:
                self._messages.remove(dropped)
                self.lost += 1
        self._messages.append(PendingMessage(fact, ref, then))
        self._send_next()

    def holds(self, id: str) -> bool:
        """Whether a message of the transaction with that id (the charger's own, 2.x) is waiting or in flight."""
        return any(getattr(each.fact, "transaction_id", None) == id for each in self._messages)

    def open(self) -> None:
        """The charger is connected and accepted: send."""
        self._open = True
        self._send_next()

    def hold(self) -> None:
        """The charger is no longer accepted: send nothing more; a message in flight may still be answered."""
        self._open = False
        self._cancel_retry()

    def disconnected(self) -> None:
        """The connection is lost."""
        if self._in_flight:
            self._messages[0].attempts -= 1  # the central system did not fail to process it
        self._in_flight = False
        self.hold()

    def late(self, call: Call, frame: Result | Error) -> None:
        """The answer came after the timeout, while the message was waiting for its retry."""
        if self._messages and not self._in_flight and self._messages[0].call is call and isinstance(frame, Result):
            self._delivered(self._messages[0], frame.payload)

    def _send_next(self) -> None:
        if not self._open or self._in_flight or self._retry_timer is not None or not self._messages:
            return
        message = self._messages[0]
        fact = message.fact
        if message.call is None or self.fresh_ids:
            if isinstance(fact, MeterValues) or (isinstance(fact, Stopped) and fact.event_info is None):
                # §4.1 with errata: -1 when the start could not be delivered
                fact = _with_id(fact, -1 if message.ref.id is None else message.ref.id)
            message.call = self.sender.compose(fact)
        message.attempts += 1
        self._in_flight = True
        self.sender.send_pending(message, lambda frame: self._answered(message, frame))

    def _answered(self, message: PendingMessage, frame: Result | Error | None) -> None:
        if not self._in_flight or not self._messages or self._messages[0] is not message:
            return
        self._in_flight = False
        if isinstance(frame, Result):
            self._delivered(message, frame.payload)
        elif message.attempts >= self.attempts:  # §4.1: the last attempt failed, the message is dropped
            self._messages.popleft()
            self.lost += 1
            self._send_next()
        elif self._open:
            self._retry_timer = self.clock.callLater(self.interval * message.attempts, self._retry)

    def _retry(self) -> None:
        self._retry_timer = None
        self._send_next()

    def _delivered(self, message: PendingMessage, payload: Payload) -> None:
        self._cancel_retry()
        self._messages.popleft()
        if message.then is not None:
            message.then(payload)
        self._send_next()

    def _cancel_retry(self) -> None:
        if self._retry_timer is not None:
            self._retry_timer.cancel()
            self._retry_timer = None


def _expendable(fact: TransactionFact) -> bool:
    """Whether it may be dropped when memory runs out (OCPP 1.6 §3.7.1, 2.0.1 E04.FR.07)."""
    return isinstance(fact, MeterValues) or (isinstance(fact, Updated) and fact.event_info.trigger == "MeterValuePeriodic")


def _with_id(fact: MeterValues | Stopped, id: int) -> MeterValues | Stopped:
    if isinstance(fact, MeterValues):
        return MeterValues(fact.conn, id, fact.readings)
    return Stopped(id, fact.meter_stop, fact.timestamp, fact.reason, fact.tag, fact.readings)
