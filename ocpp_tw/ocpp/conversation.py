"""Who may speak on one connection: one CALL of ours unanswered at a time, repeated CALLs of the peer's known again.

The charger's side and the gateway's are the same code. Knows no clock and no transport.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from .frames import Call, Error, Result

REMEMBERED = 16
"""How many of the peer's CALLs are known again: a retry is of the last one or nearly so, and this is per charger."""

LATE = 16
"""How many of our CALLs that were given up are told apart from answers to nothing."""


class Heard(Enum):
    """What a CALL of the peer's is to this conversation, when no answer is at hand for it."""

    NEW = "new"
    IN_HAND = "in hand"  # a copy of one that is being served: the answer to come answers both


NEW = Heard.NEW  # a member of an enumeration takes ten times as long to look up


class Conversation:
    """The state of one connection's two directions."""

    __slots__ = ("_heard", "_late", "_reused", "_waiting", "outstanding")

    def __init__(self) -> None:
        self.outstanding: Call | None = None
        self._waiting: deque[Call] | None = None
        self._late: dict[str | int, Call] | None = None
        self._heard: dict[str | int, tuple[int, bytes | None]] = {}
        self._reused = False

    # the peer's CALLs

    def heard(self, id: str | int, digest: int) -> Heard | bytes:
        """A CALL came in: new, a copy of one in hand, or a repeat (then: the answer it got).

        A repeat has the same id *and* the same text, of which ``digest`` is the hash (OCPP-J 1.6 errata to §4.1.4).
        A peer that gives one id to different messages does not number them: from then on all of its CALLs are new.
        """
        known = self._heard.get(id)
        if known is not None:
            if known[0] != digest:
                self._reused = True
            elif not self._reused:
                return Heard.IN_HAND if known[1] is None else known[1]
        elif len(self._heard) >= REMEMBERED:
            del self._heard[next(iter(self._heard))]
        self._heard[id] = (digest, None)
        return NEW

    def answered(self, id: str | int, answer: bytes) -> None:
        """The peer's CALL got this answer; it is remembered for a repeat."""
        known = self._heard.get(id)
        if known is not None:
            self._heard[id] = (known[0], answer)

    @property
    def reused(self) -> bool:
        """Whether the peer was seen to give one id to different messages."""
        return self._reused

    # our own CALLs (OCPP-J 1.6 §4.1.1: never more than one outstanding)

    def ask(self, call: Call) -> Call | None:
        """Queue a CALL of ours; the one to send now, if any."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(call)
        return self._next()

    def answer(self, frame: Result | Error) -> tuple[Call | None, Call | None]:
        """An answer came: the CALL it belongs to (None: it answers nothing), and the one to send now, if any.

        A CALLERROR with the id "-1" is about a CALL whose id the peer could not tell; only one can be meant.
        """
        call = self.outstanding
        if call is None or not (call.id == frame.id or (type(frame) is Error and str(frame.id) == "-1")):
            return None, None
        self.outstanding = None
        return call, self._next()

    def late(self, frame: Result | Error) -> Call | None:
        """The CALL that was given up before this answer to it came."""
        return self._late.pop(frame.id, None) if self._late else None

    def give_up(self, call: Call) -> Call | None:
        """Wait no longer for this CALL's answer, or do not send it at all; the one to send now, if any."""
        if call is self.outstanding:
            self.outstanding = None
            if self._late is None:
                self._late = {}
            elif len(self._late) >= LATE:
                del self._late[next(iter(self._late))]
            self._late[call.id] = call
        elif self._waiting and call in self._waiting:
            self._waiting.remove(call)
        return self._next()

    def _next(self) -> Call | None:
        if self.outstanding is not None or not self._waiting:
            return None
        self.outstanding = self._waiting.popleft()
        return self.outstanding
