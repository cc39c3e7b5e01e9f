"""The state of one connection: at most one CALL of ours unanswered at a time, and repeated CALLs of the peer recognized.

The same code serves a charger and a gateway. Knows no clock and no transport.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from .frames import Call, Error, Result

MAX_REMEMBERED = 16
"""Most CALLs of the peer that are remembered to recognize a repeat, per connection; the oldest is forgotten first. A retry is of the last
CALL or nearly so."""

LONG_ANSWER = 4096
"""Bytes beyond which an answer is long; of those only the latest is remembered, so that 16 never keep much memory."""

MAX_LATE = 16
"""Most CALLs of ours that were given up and are remembered; an answer to one of them is late, not unsolicited."""


class Receipt(Enum):
    """What a CALL of the peer is when there is no answer to replay."""

    NEW = "new"
    IN_FLIGHT = "in flight"  # a copy of a CALL that is being served: the one answer is for both


NEW = Receipt.NEW  # looking up a member of an enumeration takes ten times as long


class Conversation:
    """The state of both directions of one connection."""

    __slots__ = ("_late", "_received", "_reused", "_waiting", "outstanding")

    def __init__(self) -> None:
        self.outstanding: Call | None = None
        self._waiting: deque[Call] | None = None
        self._late: dict[str, Call] | None = None
        self._received: dict[str | int, tuple[int, bytes | None]] = {}
        self._reused = False

    # the peer's CALLs

    def received(self, id: str | int, digest: int) -> Receipt | bytes:
        """A CALL arrived: a new one, a copy of one in flight, or a repeat (then: the answer that it got).

        A repeat has the same id *and* the same text, of which ``digest`` is the hash (OCPP-J 1.6 errata to §4.1.4).
        A peer that uses one id for different messages does not number them: from then on all its CALLs are new.
        """
        earlier = self._received.get(id)
        if earlier is not None:
            if earlier[0] != digest:
                self._reused = True
            elif not self._reused:
                return Receipt.IN_FLIGHT if earlier[1] is None else earlier[1]
        elif len(self._received) >= MAX_REMEMBERED:
            del self._received[next(iter(self._received))]
        self._received[id] = (digest, None)
        return NEW

    def answered(self, id: str | int, answer: bytes) -> None:
        """We answered the peer's CALL; the answer is remembered for a repeat."""
        earlier = self._received.get(id)
        if earlier is not None:
            if len(answer) > LONG_ANSWER:
                self._forget_long_answers()
            self._received[id] = (earlier[0], answer)

    def _forget_long_answers(self) -> None:
        for id, (_, answer) in list(self._received.items()):
            if answer is not None and len(answer) > LONG_ANSWER:
                del self._received[id]

    @property
    def reused(self) -> bool:
        """Whether the peer has used one id for different messages."""
        return self._reused

    # our own CALLs (OCPP-J 1.6 §4.1.1: at most one outstanding)

    def enqueue(self, call: Call) -> Call | None:
        """Queue a CALL of ours; returns the CALL to send now, if any."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(call)
        return self._next()

    def match(self, frame: Result | Error) -> tuple[Call | None, Call | None]:
        """An answer arrived: the CALL that it answers (None if it is late or unsolicited), and the CALL to send now, if any.

        Some chargers write an id that is digits as a number. A CALLERROR with the id "-1" is about a CALL whose id the peer could not read; only the outstanding one can be meant.
        """
        call = self.outstanding
        if call is None or not (str(call.id) == str(frame.id) or (type(frame) is Error and str(frame.id) == "-1")):
            return None, None
        self.outstanding = None
        return call, self._next()

    def match_late(self, frame: Result | Error) -> Call | None:
        """The CALL that was given up before this answer to it arrived."""
        return self._late.pop(str(frame.id), None) if self._late else None

    def give_up(self, call: Call) -> Call | None:
        """Stop waiting for the answer to this CALL, or never send it; returns the CALL to send now, if any."""
        if call is self.outstanding:
            self.outstanding = None
            if self._late is None:
                self._late = {}
            elif len(self._late) >= MAX_LATE:
                del self._late[next(iter(self._late))]
            self._late[str(call.id)] = call
        elif self._waiting and call in self._waiting:
            self._waiting.remove(call)
        return self._next()

    @property
    def unanswered(self) -> list[Call]:
        """The CALLs of ours that the peer may still answer: the outstanding one and those that were given up."""
        late = list(self._late.values()) if self._late else []
        return late if self.outstanding is None else [*late, self.outstanding]

    def _next(self) -> Call | None:
        if self.outstanding is not None or not self._waiting:
            return None
        self.outstanding = self._waiting.popleft()
        return self.outstanding
