"""The messages of one charger that are to be answered: served in their order, one decided after the other, and no more of them at a time
than the gateway can take.

Knows neither what a message says nor how it is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..interfaces import IWire
from ..ocpp.frames import Call, Send
from ..ocpp.malformed import Malformed
from .flow import UNIT, Flow
from .ports import Incoming

Message = Call | Send | Malformed


class Inbox:
    """The part of a `Charger` that messages pass before they are served. They wait until `open`.

    ``unanswered`` is how many are not answered yet (`flow` says how they are counted), ``recent_messages`` and ``recent_bytes`` what has come
    since `budgets` has looked.
    """

    __slots__ = ("_flow", "_waiting", "gone", "incoming", "on_first_frame", "recent_bytes", "recent_messages", "unanswered", "wire")

    def __init__(self, wire: IWire, incoming: Incoming) -> None:
        self.wire = wire
        self.incoming = incoming
        self.gone = False
        self.on_first_frame: Callable[[], None] | None = None  # set while it waits to take over from another connection
        self.unanswered = self.recent_messages = self.recent_bytes = 0
        self._flow: Flow | None = None
        self._waiting: deque[Message] | None = deque()  # None: none is being decided, and none has to wait

    @property
    def busy(self) -> bool:
        """Whether a message is being decided, or waits to be."""
        return self._waiting is not None

    @property
    def flow(self) -> Flow:
        """What it may send; made when that first matters."""
        if self._flow is None:
            self._flow = Flow(self.incoming.load)
        return self._flow

    def frames_beside(self, count: int) -> None:
        """See `ocpp_tw.websocket.boundary.MessageSink`."""
        self.recent_messages += count

    def open(self) -> None:
        """Serve those that have come, and those that come from now on."""
        self._resume(None)

    def enter(self, message: Message, size: int) -> None:
        """A message of so many bytes has come: it is served now, or after those before it."""
        self.unanswered += 1
        if size > UNIT:
            self.flow.weigh(self, _id(message), size)
        if self._waiting is None:
            if self._serve(message):
                self._waiting = deque()
        else:
            self._waiting.append(message)
            if self.on_first_frame is not None:
                self.on_first_frame()
        if self.unanswered > 1:
            self.flow.received(self)

    def answered(self, id: str | int) -> None:
        """A message was answered, or owed no answer and its event is durable."""
        self.unanswered -= 1
        if self._flow is not None:
            self._flow.answered(self, id)

    def drop(self) -> None:
        """The connection has ended: those that wait are not acknowledged, so the charger still has them."""
        if self._waiting:
            for message in self._waiting:
                self._decided(message)
            self._waiting.clear()

    def _serve(self, message: Message) -> bool:
        """Whether those behind it have to wait until it is decided."""
        charger: Any = self  # of whom this is a part
        if isinstance(message, Malformed):
            self.incoming.malformed(charger, message)
            return False
        later = self.incoming.serve(charger, message)
        if later is not None and not later.called:
            later.addCallback(self._resume, message)
            return True
        if self._flow is not None:
            self._decided(message)
        return False

    def _resume(self, _: None, message: Message | None = None) -> None:
        """``message`` has been decided: now those behind it."""
        if message is not None:
            self._decided(message)
        while self._waiting and not self.gone:
            if self._serve(self._waiting.popleft()):
                return
        self._waiting = None

    def _decided(self, message: Message) -> None:
        """It was served, but for the durable event that its answer waits for; or it was dropped."""
        if self._flow is not None:
            self._flow.decided(_id(message))


def _id(message: Message) -> str | int | None:
    return message.owed if isinstance(message, Malformed) else message.id
