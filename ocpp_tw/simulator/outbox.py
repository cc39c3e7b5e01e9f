"""Transaction messages on their way: kept, sent in order, and sent again until they are answered (OCPP 1.6 §3.7.1, §4.1).

Knows nothing of the line, only how to ask; nor of connectors, only that a transaction has an id once its start was answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..facts import Fact, MeterValues, Started, Stopped, Updated
from ..ocpp.frames import Call, Error, Payload, Result

LIMIT = 2000
"""How many messages are kept; beyond that the oldest meter values go (OCPP 1.6 §3.7.1: intermediate ones may)."""

Told = Started | Updated | MeterValues | Stopped
"""The facts of transactions. In 2.x the charger itself has numbered them, and given the transaction its id."""

Answered = Callable[[Payload], None]


@dataclass(slots=True, eq=False)
class Ref:
    """What the messages of one transaction share: its id, which the answer to the start tells."""

    id: int | None = None


@dataclass(slots=True, eq=False)
class Letter:
    """One message to deliver. It gets its text when it is first sent, and keeps it."""

    fact: Told
    ref: Ref
    then: Answered | None
    call: Call | None = None
    attempts: int = 0


class Postman(Protocol):
    """How the messages get out."""

    def post(self, letter: Letter, then: Callable[[Result | Error | None], None]) -> None:
        """Send it now. Only called while the line is up and the charger accepted."""

    def compose(self, fact: Fact) -> Call:
        """The fact as a CALL with an id of its own."""


@dataclass(slots=True, eq=False)
class Outbox:
    """The queue. ``attempts`` and ``interval`` (real seconds, multiplied by the attempts so far) may be changed at any time."""

    postman: Postman
    clock: IReactorTime
    attempts: int = 3
    interval: float = 60.0
    fresh_ids: bool = False
    lost: int = 0
    _letters: deque[Letter] = field(default_factory=deque)
    _open: bool = False
    _under_way: bool = False
    _again: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._letters)

    def put(self, fact: Told, ref: Ref, then: Answered | None = None) -> None:
        """Deliver this after all that was put before; ``then`` gets the answer's payload."""
        if len(self._letters) >= LIMIT:
            old = next((each for each in self._letters if _spare(each.fact) and each.call is None), None)
            if old is not None:
                self._letters.remove(old)
                self.lost += 1
        self._letters.append(Letter(fact, ref, then))
        self._go()

    def holds(self, id: str) -> bool:
        """Whether a message of the transaction that the charger named so is waiting or under way."""
        return any(getattr(each.fact, "transaction_id", None) == id for each in self._letters)

    def open(self) -> None:
        """The line is up and the charger accepted."""
        self._open = True
        self._go()

    def hold(self) -> None:
        """The charger is no longer accepted; what is under way may still be answered."""
        self._open = False
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def shut(self) -> None:
        """The line is gone."""
        if self._under_way:
            self._letters[0].attempts -= 1  # nobody failed to process it
        self._under_way = False
        self.hold()

    def late(self, call: Call, frame: Result | Error) -> None:
        """The answer came after all, while we were waiting to send the message again."""
        if self._letters and not self._under_way and self._letters[0].call is call and isinstance(frame, Result):
            self._delivered(self._letters[0], frame.payload)

    def _go(self) -> None:
        if not self._open or self._under_way or self._again is not None or not self._letters:
            return
        letter = self._letters[0]
        fact = letter.fact
        if letter.call is None or self.fresh_ids:
            if isinstance(fact, MeterValues) or (isinstance(fact, Stopped) and fact.event_info is None):
                # §4.1 with errata: -1 when the start could not be delivered
                fact = _with_id(fact, -1 if letter.ref.id is None else letter.ref.id)
            letter.call = self.postman.compose(fact)
        letter.attempts += 1
        self._under_way = True
        self.postman.post(letter, lambda frame: self._answered(letter, frame))

    def _answered(self, letter: Letter, frame: Result | Error | None) -> None:
        if not self._under_way or not self._letters or self._letters[0] is not letter:
            return
        self._under_way = False
        if isinstance(frame, Result):
            self._delivered(letter, frame.payload)
        elif letter.attempts >= self.attempts:  # §4.1: the last attempt failed, the message is dropped
            self._letters.popleft()
            self.lost += 1
            self._go()
        elif self._open:
            self._again = self.clock.callLater(self.interval * letter.attempts, self._retry)

    def _retry(self) -> None:
        self._again = None
        self._go()

    def _delivered(self, letter: Letter, payload: Payload) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._letters.popleft()
        if letter.then is not None:
            letter.then(payload)
        self._go()


def _spare(fact: Told) -> bool:
    """Whether it may be lost when memory runs out (OCPP 1.6 §3.7.1, 2.0.1 E04.FR.07)."""
    return isinstance(fact, MeterValues) or (isinstance(fact, Updated) and fact.event_info.trigger == "MeterValuePeriodic")


def _with_id(fact: MeterValues | Stopped, id: int) -> MeterValues | Stopped:
    if isinstance(fact, MeterValues):
        return MeterValues(fact.conn, id, fact.readings)
    return Stopped(id, fact.meter_stop, fact.timestamp, fact.reason, fact.tag, fact.readings)
