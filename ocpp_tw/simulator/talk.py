"""One connection's conversation: our CALLs one at a time with a deadline each, the other side's answered as they come.

Knows neither what the messages mean nor what carries them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..ocpp.conversation import Conversation, Receipt
from ..ocpp.frames import Call, Error, Malformed, Result, Send, parse, render
from .report import Tally

Then = Callable[[Result | Error | None], None]
"""What to do with an answer; None: none came in time, or the line is lost."""


class Wire(Protocol):
    """What carries text to the central system and back."""

    def send(self, text: bytes) -> None:
        """Write one text message; does nothing when the other side has left."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""


class Party(Protocol):
    """Who speaks on a line."""

    def serve(self, call: Call) -> Result | Error | None:
        """The answer to a CALL; None for silence."""

    def served(self) -> None:
        """The answer has left: now do what it promised."""

    def spell(self, code: str) -> str:
        """A CALLERROR's code, given as 1.6 spells it, in the version's spelling."""

    def late(self, call: Call, frame: Result | Error) -> None:
        """An answer came after the CALL was given up."""


class Talk:
    """The conversation on one connection. ``timeout`` is in real seconds from the moment of sending."""

    __slots__ = ("_clock", "_conversation", "_party", "_sent", "_tally", "_then", "_timeout", "_timer", "_wire")

    def __init__(self, wire: Wire, party: Party, clock: IReactorTime, timeout: float, tally: Tally) -> None:
        self._wire = wire
        self._party = party
        self._clock = clock
        self._timeout = timeout
        self._tally = tally
        self._conversation = Conversation()
        self._then: dict[str | int, Then] = {}
        self._timer: IDelayedCall | None = None
        self._sent = 0.0

    def ask(self, call: Call, then: Then) -> None:
        """Send a CALL as soon as it is its turn; ``then`` is called exactly once."""
        self._then[call.id] = then
        self._send(self._conversation.enqueue(call))

    def send(self, message: Send) -> None:
        """Send what is never answered, at once."""
        self._tally.sent += 1
        self._wire.send(render(message))

    def receive(self, text: bytes) -> None:
        """A message came."""
        self._tally.received += 1
        try:
            frame = parse(text)
        except Malformed as bad:
            self._tally.malformed += 1
            if bad.id is not None:
                self._wire.send(render(Error(bad.id, self._party.spell("FormationViolation"), "not a CALL that can be read")))
            return
        if isinstance(frame, Call):
            self._serve(frame, hash(text))
        elif isinstance(frame, Result | Error):
            self._heed(frame)  # of OCPP 2.1's others there is none that is answered, or that we act on

    def lost(self) -> None:
        """The line is gone: nothing that was asked will be answered."""
        self._stop_timer()
        waiting, self._then = self._then, {}
        for then in waiting.values():
            then(None)

    @property
    def quiet(self) -> bool:
        """Whether every CALL of ours was answered or given up."""
        return not self._then

    def close(self, code: int, reason: str) -> None:
        """Hang up."""
        self._wire.close(code, reason)

    def _serve(self, call: Call, digest: int) -> None:
        receipt = self._conversation.received(call.id, digest)
        if receipt is Receipt.NEW:
            self._tally.commands += 1
            answer = self._party.serve(call)
            if answer is not None:
                text = render(answer)
                self._conversation.answered(call.id, text)
                self._wire.send(text)
                self._tally.sent += 1
            self._party.served()
        elif isinstance(receipt, bytes):
            self._wire.send(receipt)

    def _heed(self, frame: Result | Error) -> None:
        call, more = self._conversation.match(frame)
        if call is None:
            late = self._conversation.match_late(frame)
            self._tally.strays += 1
            if late is not None:
                self._party.late(late, frame)
            return
        self._stop_timer()
        self._tally.answered(call.action, self._clock.seconds() - self._sent)
        if isinstance(frame, Error):
            self._tally.refused_call(call.action, frame.code, frame.description)
        self._then.pop(call.id)(frame)
        self._send(more)

    def _send(self, call: Call | None) -> None:
        if call is not None and call.id in self._then:  # else the line was lost meanwhile
            self._sent = self._clock.seconds()
            self._timer = self._clock.callLater(self._timeout, self._give_up, call)
            self._tally.sent += 1
            self._wire.send(render(call))

    def _give_up(self, call: Call) -> None:
        self._timer = None
        self._tally.timed_out(call.action)
        more = self._conversation.give_up(call)
        self._then.pop(call.id)(None)
        self._send(more)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
