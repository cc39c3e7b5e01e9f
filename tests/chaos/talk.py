"""One charger's conversation: one CALL at a time, kept and sent again until it is answered, over cuts and time-outs; commands carried out.

Knows nothing of what there is to say. All that is said, heard and done is in the ledger.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

from chaos.habits import Habits
from chaos.ledger import Ledger, Message, Sending
from chaos.line import Line
from chaos.words import answer


@dataclass
class Charge:
    """A transaction as its charger knows it; in 1.6 the id comes with the answer to its start, in 2.x it is the charger's own."""

    tag: str
    id: int | str | None = None
    seq_no: int = -1
    left: int = 3


class Say:
    """Something in a charger's queue; what it says is settled when it is sent for the first time."""

    __slots__ = ("action", "charge", "kept", "make", "message")

    def __init__(self, action: str, make: Callable[[], dict[str, Any]], kept: bool, charge: Charge | None = None) -> None:
        self.action, self.make, self.kept, self.charge = action, make, kept, charge
        self.message: Message | None = None


class Talk:
    """A charger that can talk; what it has to say is in ``queue``."""

    def __init__(self, name: str, port: int, rng: random.Random, ledger: Ledger, habits: Habits) -> None:
        self.name, self.port, self.habits, self.ledger = name, port, habits, ledger
        self.rng = rng
        self.queue: deque[Say] = deque()
        self.line: Line | None = None
        self.offline = self.gone = False
        self._connection = self._ids = self._tries = self._unanswered = 0
        self._sent: dict[str, tuple[Say, Sending]] = {}
        self._outstanding: Say | None = None
        self._timers: dict[str, Any] = {}
        self._connecting: Any = None

    def asked_to_charge(self, tag: str) -> None:
        """A remote start was accepted."""

    def later(self, what: str, seconds: float, do: Callable[..., None], *args: Any) -> None:
        """Do it in so many seconds, in place of what was to be done under that name."""
        timer = self._timers.get(what)
        if timer is not None and timer.active():
            timer.cancel()
        self._timers[what] = reactor.callLater(seconds, do, *args)

    @property
    def silent(self) -> bool:
        """Whether it has nothing to say any more."""
        return not self.queue and self._outstanding is None

    @property
    def state(self) -> str:
        """For whoever wonders why it is not silent."""
        line = "no line" if self.line is None else f"connection {self._connection}{'' if self.line.open else ', not open'}"
        waiting = self._outstanding.message if self._outstanding is not None else None
        return f"{line}, {len(self.queue)} queued, waits for an answer to {waiting}"

    def end(self) -> None:
        """It is switched off."""
        self.gone = self.offline = True
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        if self.line is not None:
            self.line.hang_up()

    # its connection

    def connect(self) -> None:
        if self.offline or self.gone or self.line is not None or self._connecting is not None:
            return
        subprotocol = f"ocpp{self.habits.version}"
        line = Line(
            f"/ocpp/{self.name}", subprotocol, lambda: self._opened(line), lambda text: self._hears(line, text), lambda: self._lost(line)
        )
        self._connecting = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, timeout=5), line)

        def connected(_: Any) -> None:
            self._connecting, self.line = None, line

        def failed(_: Any) -> None:
            self._connecting = None
            self._again()

        self._connecting.addCallbacks(connected, failed)

    def _opened(self, line: Line) -> None:
        self._connection += 1
        self._tries = self._unanswered = 0
        self._sent.clear()
        if self.habits.counts:
            self._ids = 0
        self.pump()

    def _lost(self, line: Line) -> None:
        if line is not self.line:
            return
        self.line = None
        self._cut()
        self._again()

    def _cut(self) -> None:
        self._outstanding = None
        timer = self._timers.get("answer")
        if timer is not None and timer.active():
            timer.cancel()

    def _again(self) -> None:
        if not self.offline and not self.gone:
            self._tries += 1
            self.later("again", self.rng.uniform(0.05, min(1.0, 0.1 * 1.5**self._tries)), self.connect)

    def go_offline(self, seconds: float) -> None:
        """Hang up and stay away for so long."""
        self.offline = True
        if self.line is not None:
            self.line.hang_up()
        self.later("back", seconds, self.come_back)

    def come_back(self) -> None:
        """Be online again."""
        if not self.gone:
            self.offline = False
            self.connect()

    # one CALL at a time

    def pump(self) -> None:
        line = self.line
        if line is None or not line.open or self._outstanding is not None or not self.queue:
            return
        say = self.queue[0]
        if not say.kept:
            self.queue.popleft()
        self._outstanding = say
        if say.message is None:
            say.message = Message(self.name, say.action, say.make(), say.kept)
        first = say.message.sendings[0].id if say.message.sendings else ""
        id = first if first and self.habits.same_id and not self.habits.counts else self._id()
        self._sent[id] = say, self.ledger.sent(say.message, self._connection, id)
        self.later("answer", self.habits.patience * self.rng.uniform(0.8, 1.2), self._unheard, say)
        line.say(json.dumps([2, id, say.action, say.message.payload], separators=(",", ":")))

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids) if self.habits.counts else f"{self.name}-{self._ids}"

    def _unheard(self, say: Say) -> None:
        if self._outstanding is not say or self.line is None:
            return
        self._outstanding = None
        self._unanswered += 1
        if self.habits.hangs_up or self._unanswered > 2:
            self.line.hang_up()
        else:
            self.pump()

    def _hears(self, line: Line, text: bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            self.asked(line, frame[1], frame[2], frame[3], self._connection)
            return
        say, sending = self._sent.get(frame[1], (None, None))
        if say is None or sending is None or say.message is None:
            self.ledger.complain(f"{self.name} was answered a message that it never sent on this connection: {text[:300]!r}")
            return
        message = say.message
        if frame[0] == 4:
            message.refusals.append(f"{self.ledger.now:.2f}s id={frame[1]} {text[:300]!r}")
        else:
            sending.answered = sending.answered or self.ledger.now
            if message.starts:
                message.transaction_ids.append(frame[2]["transactionId"])
        # What comes after it has been sent again is taken note of, but a charger in the field waits for the answer to its last try.
        if say is self._outstanding and sending is message.sendings[-1]:
            self._cut()
            self._unanswered = 0
            if frame[0] == 4 and say.kept:  # it tries again, as firmware does
                self.later("again", 0.5, self.pump)
                return
            if say.kept:
                self.queue.popleft()
            if message.starts and say.charge is not None:
                say.charge.id = frame[2]["transactionId"]
            self.pump()

    # what it is asked

    def asked(self, line: Line, id: str, action: str, payload: dict[str, Any], connection: int) -> None:
        dice = self.rng.random()
        if dice < 0.75:
            reply, after = "at once", 0.0
        elif dice < 0.85:
            reply, after = "late", self.rng.choice((0.3, 1.0, 4.0))
        elif dice < 0.9:
            reply, after = "never", 0.0
        elif dice < 0.95:
            reply, after = "hangs up", 0.0
        else:
            reply, after = "error", 0.0
        self.ledger.did(self.name, id, action, payload, connection, reply)
        if reply == "hangs up":
            line.hang_up()
        elif reply == "error":
            line.say(json.dumps([4, id, "InternalError", "", {}]))
        elif reply == "late":
            reactor.callLater(after, lambda: line.open and line.say(json.dumps([3, id, answer(action, payload)])))
        elif reply == "at once":
            line.say(json.dumps([3, id, answer(action, payload)]))
            if action in ("RemoteStartTransaction", "RequestStartTransaction") and line is self.line:
                self.asked_to_charge(payload.get("idTag") or payload["idToken"]["idToken"])
