"""One connection's RPC: the charger's CALLs one at a time with a timeout each, the central system's CALLs answered as they come.

Knows neither what the messages mean nor what carries them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..ocpp.conversation import Conversation, Receipt
from ..ocpp.frames import Call, Error, Result, Send, parse, render
from ..ocpp.malformed import Malformed
from .report import Tally

OnAnswer = Callable[[Result | Error | None], None]
"""Called with the answer to a CALL; None after the timeout, or when the connection is lost."""


class Transport(Protocol):
    """A connection that carries text to the central system and back."""

    def send(self, text: bytes) -> None:
        """Write one text message; does nothing when the connection is gone."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""

    def drop(self) -> None:
        """Break the connection without one."""


class RpcHandler(Protocol):
    """Who answers the CALLs that come in on a connection."""

    def serve(self, call: Call) -> Result | Error | None:
        """The answer to a CALL; None for silence."""

    def served(self) -> None:
        """The answer has been sent: now do what has to follow it."""

    def error_code(self, code: str) -> str:
        """A CALLERROR's code, given as 1.6 spells it, in the version's spelling."""

    def late(self, call: Call, frame: Result | Error) -> None:
        """An answer came after the timeout of its CALL."""


class Rpc:
    """The RPC on one connection. ``timeout`` is in real seconds from the moment of sending."""

    __slots__ = ("_callbacks", "_clock", "_conversation", "_handler", "_sent", "_tally", "_timeout", "_timer", "_transport")

    def __init__(self, transport: Transport, handler: RpcHandler, clock: IReactorTime, timeout: float, tally: Tally) -> None:
        self._transport = transport
        self._handler = handler
        self._clock = clock
        self._timeout = timeout
        self._tally = tally
        self._conversation = Conversation()
        self._callbacks: dict[str | int, OnAnswer] = {}
        self._timer: IDelayedCall | None = None
        self._sent = 0.0

    def call(self, call: Call, then: OnAnswer) -> None:
        """Send a CALL as soon as none is in flight; ``then`` is called exactly once."""
        self._callbacks[call.id] = then
        self._send(self._conversation.enqueue(call))

    def send(self, message: Send) -> None:
        """Send a message that is never answered, at once."""
        self._tally.sent += 1
        self._transport.send(render(message))

    def receive(self, text: bytes) -> None:
        """A message came."""
        self._tally.received += 1
        try:
            frame = parse(text)
        except Malformed as bad:
            self._tally.malformed += 1
            if bad.owed is not None:
                self._transport.send(render(Error(bad.owed, self._handler.error_code("FormationViolation"), "not a CALL that can be read")))
            return
        if isinstance(frame, Call):
            self._serve(frame, hash(text))
        elif isinstance(frame, Result | Error):
            self._answered(frame)  # the other frames of OCPP 2.1 need neither an answer nor any action

    def lost(self) -> None:
        """The connection is lost: no CALL in flight or waiting will be answered."""
        self._stop_timer()
        callbacks, self._callbacks = self._callbacks, {}
        for then in callbacks.values():
            then(None)

    @property
    def quiet(self) -> bool:
        """Whether no CALL is in flight or waiting."""
        return not self._callbacks

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""
        self._transport.close(code, reason)

    def drop(self) -> None:
        """Break the connection."""
        self._transport.drop()

    def _serve(self, call: Call, digest: int) -> None:
        receipt = self._conversation.received(call.id, digest)
        if receipt is Receipt.NEW:
            self._tally.commands += 1
            answer = self._handler.serve(call)
            if answer is not None:
                text = render(answer)
                self._conversation.answered(call.id, text)
                self._transport.send(text)
                self._tally.sent += 1
            self._handler.served()
        elif isinstance(receipt, bytes):
            self._transport.send(receipt)

    def _answered(self, frame: Result | Error) -> None:
        call, following = self._conversation.match(frame)
        if call is None:
            late = self._conversation.match_late(frame)
            self._tally.strays += 1
            if late is not None:
                self._handler.late(late, frame)
            return
        self._stop_timer()
        self._tally.answered(call.action, self._clock.seconds() - self._sent)
        if isinstance(frame, Error):
            self._tally.refused_call(call.action, frame.code, frame.description)
        self._callbacks.pop(call.id)(frame)
        self._send(following)

    def _send(self, call: Call | None) -> None:
        if call is not None and call.id in self._callbacks:  # else the connection was lost meanwhile
            self._sent = self._clock.seconds()
            self._timer = self._clock.callLater(self._timeout, self._timed_out, call)
            self._tally.sent += 1
            self._transport.send(render(call))

    def _timed_out(self, call: Call) -> None:
        self._timer = None
        self._tally.timed_out(call.action)
        following = self._conversation.give_up(call)
        self._callbacks.pop(call.id)(None)
        self._send(following)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
