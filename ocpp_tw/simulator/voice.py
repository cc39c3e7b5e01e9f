"""How a charger speaks and is spoken to: facts into CALLs on whatever line there is, commands into answers.

Knows the dialect; neither why anything is said nor what carries it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..facts import Fact, Verdict
from ..ocpp.frames import Call, Error, Payload, Result, Send
from .dialect import Refusal
from .outbox import Answered, Letter, Outbox, Ref, Told
from .talk import Talk, Then, Wire
from .trace import silent

if TYPE_CHECKING:
    from .charger import Charger

log = Logger()


class Unanswered(Exception):
    """No answer came: too slow, or the line is lost."""


class Voice:
    """A charger's voice. ``timeout`` in real seconds; ``fresh_ids`` sends a message again under a new id."""

    def __init__(self, charger: Charger, timeout: float, fresh_ids: bool) -> None:
        self.outbox = Outbox(self, charger.pace.clock, fresh_ids=fresh_ids)
        self._charger = charger
        self._timeout = timeout
        self._talk: Talk | None = None
        self._ids = 0
        self._run = f"{charger.random.getrandbits(32):08x}"  # a message id is never used again, not even after a restart
        self._promised: list[Callable[[], object]] = []

    # the line

    def connected(self, wire: Wire) -> None:
        """The line is up."""
        charger = self._charger
        self._talk = Talk(wire, self, charger.pace.clock, self._timeout, charger.tally)

    def received(self, text: bytes) -> None:
        """A message came."""
        if self._talk is not None:
            self._talk.receive(text)

    def lost(self) -> None:
        """The line is gone."""
        talk, self._talk = self._talk, None
        self.outbox.shut()
        if talk is not None:
            talk.lost()

    def hang_up(self, code: int, reason: str) -> None:
        """Close the line."""
        if self._talk is not None:
            self._talk.close(code, reason)

    @property
    def online(self) -> bool:
        """Whether the line is up."""
        return self._talk is not None

    @property
    def quiet(self) -> bool:
        """Whether nothing is waiting to be sent or answered."""
        return not len(self.outbox) and (self._talk is None or self._talk.quiet)

    # saying things

    def ask(self, action: str, payload: Payload) -> Deferred[Payload]:
        """Send any CALL, even a wrong one; fires with the answer's payload, fails with `Unanswered` or `Refusal`."""
        asked: Deferred[Payload] = Deferred()

        def then(frame: Result | Error | None) -> None:
            if isinstance(frame, Result):
                asked.callback(frame.payload)
            else:
                asked.errback(Unanswered(action) if frame is None else Refusal(frame.code, frame.description))

        if self._talk is None:
            then(None)
        else:
            self._talk.ask(self._call(action, payload), then)
        return asked

    def tell(self, fact: Fact) -> Deferred[Verdict]:
        """Say a fact; fires with the verdict on it, fails as `ask` does."""
        told: Deferred[Verdict] = Deferred()
        self.say(fact, told.callback, lambda error: told.errback(error))
        return told

    def say(self, fact: Fact, then: Callable[[Any], object] | None = None, otherwise: Callable[[Exception], object] | None = None) -> None:
        """The same without a Deferred; an answer nobody waits for is only counted."""

        def heed(frame: Result | Error | None) -> None:
            if isinstance(frame, Result):
                verdict = self._charger.dialect.read(fact, frame.payload)
                if then is not None:
                    then(verdict)
            elif otherwise is not None:
                otherwise(Unanswered() if frame is None else Refusal(frame.code, frame.description))

        if self._talk is None:
            heed(None)
        else:
            self._ask(fact, self.compose(fact), heed)

    def keep(self, fact: Told, ref: Ref, then: Answered | None = None) -> None:
        """Say it however long it takes: the messages of transactions are delivered in their order."""
        self.outbox.put(fact, ref, then)

    def send(self, action: str, payload: Payload) -> None:
        """Say what is never answered (OCPP 2.1's SEND); without a line it is lost."""
        if self._talk is not None:
            call = self._call(action, payload)
            self._talk.send(Send(call.id, action, payload))

    def compose(self, fact: Fact) -> Call:
        """The fact as a CALL with a new id."""
        return self._call(*self._charger.dialect.write(fact))

    def post(self, letter: Letter, then: Then) -> None:
        """Called by the outbox."""
        assert self._talk is not None and letter.call is not None
        self._ask(letter.fact, letter.call, then)

    def _ask(self, fact: Fact, call: Call, then: Then) -> None:
        assert self._talk is not None
        charger = self._charger
        if charger.trace is silent:
            self._talk.ask(call, then)
            return

        def traced(frame: Result | Error | None) -> None:
            charger.trace(charger, fact, call, frame)
            then(frame)

        self._talk.ask(call, traced)

    def _call(self, action: str, payload: Payload) -> Call:
        self._ids += 1
        return Call(f"{self._run}-{self._ids}", action, payload)

    # being told

    def serve(self, call: Call) -> Result | Error | None:
        """Called by the talk: the answer to a command."""
        if self._charger.mute:
            return None
        answer = self._answer(call)
        self._charger.trace(self._charger, None, call, answer)
        return answer

    def _answer(self, call: Call) -> Result | Error:
        command = self._charger.dialect.commands.get(call.action)
        if command is None:
            return Error(call.id, "NotImplemented", f"{call.action} is unknown here")
        try:
            return Result(call.id, command(self._charger, call.payload))
        except Refusal as no:
            return Error(call.id, self.spell(no.code), no.description)
        except Exception:
            log.failure("{charger} could not do {action}", charger=self._charger.id, action=call.action)
            return Error(call.id, "InternalError", "a mistake of the charger's")

    def spell(self, code: str) -> str:
        """Called by the talk."""
        return self._charger.dialect.codes.get(code, code)

    def afterwards(self, do: Callable[[], object]) -> None:
        """Do it once the answer to the command in hand has left."""
        self._promised.append(do)

    def served(self) -> None:
        """Called by the talk: the answer has left."""
        promised, self._promised = self._promised, []
        for do in promised:
            do()

    def late(self, call: Call, frame: Result | Error) -> None:
        """Called by the talk."""
        self.outbox.late(call, frame)
