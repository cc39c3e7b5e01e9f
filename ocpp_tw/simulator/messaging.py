"""A charger's messages in both directions: facts into CALLs on the current connection, commands into answers.

Knows the dialect; neither why anything is sent nor what carries it.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..facts import Fact, Verdict
from ..ocpp.frames import Call, Error, Payload, Result, Send
from .dialect import Dialect
from .errors import Refusal, Silence, Unanswered
from .host import Host
from .rpc import OnAnswer, Rpc, Transport
from .trace import Trace, silent
from .transaction_queue import PendingMessage, TransactionQueue

log = Logger()


class Messaging:
    """The messages of one charger, over all of its connections.

    ``timeout`` of a CALL in real seconds; ``fresh_ids`` sends a transaction message again under a new message id.
    """

    def __init__(self, host: Host, dialect: Dialect, timeout: float, fresh_ids: bool, trace: Trace) -> None:
        self.queue = TransactionQueue(self, host.clock.real, fresh_ids=fresh_ids)
        self._host = host
        self._dialect = dialect
        self._timeout = timeout
        self._trace = trace
        self._rpc: Rpc | None = None
        self._ids = 0
        self._run = f"{host.random.getrandbits(32):08x}"  # a message id is never used again, not even after a restart
        self._after_answer: list[Callable[[], object]] = []

    # the connection

    def connected(self, transport: Transport) -> None:
        """The connection is up."""
        self._rpc = Rpc(transport, self, self._host.clock.real, self._timeout, self._host.tally)

    def received(self, text: bytes) -> None:
        """A message came."""
        if self._rpc is not None:
            self._rpc.receive(text)

    def lost(self) -> None:
        """The connection is lost."""
        rpc, self._rpc = self._rpc, None
        self.queue.disconnected()
        if rpc is not None:
            rpc.lost()

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        if self._rpc is not None:
            self._rpc.close(code, reason)

    def drop(self) -> None:
        """Break the connection, as a failing network does."""
        if self._rpc is not None:
            self._rpc.drop()

    @property
    def online(self) -> bool:
        """Whether the connection is up."""
        return self._rpc is not None

    @property
    def quiet(self) -> bool:
        """Whether no message is waiting to be sent or answered."""
        return not len(self.queue) and (self._rpc is None or self._rpc.quiet)

    # outgoing

    def call(self, action: str, payload: Payload) -> Deferred[Payload]:
        """Send any CALL, even a wrong one; fires with the answer's payload, fails with `Unanswered` or `Refusal`."""
        outcome: Deferred[Payload] = Deferred()

        def then(frame: Result | Error | None) -> None:
            if isinstance(frame, Result):
                outcome.callback(frame.payload)
            else:
                outcome.errback(Unanswered(action) if frame is None else Refusal(frame.code, frame.description))

        if self._rpc is None:
            then(None)
        else:
            self._rpc.call(self._new_call(action, payload), then)
        return outcome

    def request(self, fact: Fact) -> Deferred[Verdict]:
        """Send a fact; fires with the verdict on it, fails as `call` does."""
        outcome: Deferred[Verdict] = Deferred()
        self.send_fact(fact, outcome.callback, lambda error: outcome.errback(error))
        return outcome

    def send_fact(
        self,
        fact: Fact,
        then: Callable[[Verdict], object] | None = None,
        otherwise: Callable[[Exception], object] | None = None,
    ) -> None:
        """Send a fact without making a Deferred; without ``then`` the answer is only counted."""

        def answered(frame: Result | Error | None) -> None:
            if isinstance(frame, Result):
                verdict = self._dialect.read(fact, frame.payload)
                if then is not None:
                    then(verdict)
            elif otherwise is not None:
                otherwise(Unanswered() if frame is None else Refusal(frame.code, frame.description))

        if self._rpc is None:
            answered(None)
        else:
            self._call(fact, self.compose(fact), answered)

    def send_unconfirmed(self, action: str, payload: Payload) -> None:
        """Send a SEND of OCPP 2.1, which is never answered; without a connection it is lost."""
        if self._rpc is not None:
            call = self._new_call(action, payload)
            self._rpc.send(Send(call.id, action, payload))

    def compose(self, fact: Fact) -> Call:
        """The fact as a CALL with a new message id."""
        return self._new_call(*self._dialect.write(fact))

    def send_pending(self, message: PendingMessage, then: OnAnswer) -> None:
        """Called by the queue."""
        assert message.call is not None
        self._call(message.fact, message.call, then)

    def _call(self, fact: Fact, call: Call, then: OnAnswer) -> None:
        assert self._rpc is not None
        if self._trace is silent:
            self._rpc.call(call, then)
            return

        def traced(frame: Result | Error | None) -> None:
            self._trace(self._host.id, self._host.clock.timestamp(), fact, call, frame)
            then(frame)

        self._rpc.call(call, traced)

    def _new_call(self, action: str, payload: Payload) -> Call:
        self._ids += 1
        return Call(f"{self._run}-{self._ids}", action, payload)

    # incoming: called by the RPC

    def serve(self, call: Call) -> Result | Error | None:
        """The answer to a command; None while the charger must be silent, or where it has a fault."""
        if self._host.mute:
            return None
        answer = self._answer(call)
        if self._trace is not silent:
            self._trace(self._host.id, self._host.clock.timestamp(), None, call, answer)
        return answer

    def _answer(self, call: Call) -> Result | Error | None:
        try:
            return Result(call.id, self._host.execute(call.action, call.payload))
        except Refusal as refusal:
            return Error(call.id, self.error_code(refusal.code), refusal.description)
        except Silence:
            return None
        except Exception:
            log.failure("command failed: {action} on {charger}", charger=self._host.id, action=call.action)
            return Error(call.id, "InternalError", "a mistake of the charger's")

    def error_code(self, code: str) -> str:
        """A CALLERROR's code in the dialect's spelling."""
        return self._dialect.codes.get(code, code)

    def afterwards(self, do: Callable[[], object]) -> None:
        """Do this once the answer to the current command has been sent."""
        self._after_answer.append(do)

    def served(self) -> None:
        """The answer has been sent."""
        actions, self._after_answer = self._after_answer, []
        for do in actions:
            do()

    def late(self, call: Call, frame: Result | Error) -> None:
        """An answer came after the timeout of its CALL."""
        self.queue.late(call, frame)
