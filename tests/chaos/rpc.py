"""One charger's OCPP-J: one CALL in flight, sent again until it is answered, across disconnects and timeouts; commands are executed.

Does not know what there is to send. Everything that is sent, received and executed is recorded in the ledger.
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

from chaos.behaviour import Behaviour
from chaos.ledger import Ledger, Message, Sending
from chaos.messages import answer
from chaos.websocket_client import WebSocketClient


@dataclass
class Transaction:
    """A transaction as its charger knows it; in 1.6 the id comes with the answer to its start, in 2.x it is the charger's own."""

    tag: str
    id: int | str | None = None
    seq_no: int = -1
    left: int = 3


class QueuedCall:
    """A CALL in a charger's queue; its payload is made when it is sent for the first time. ``persistent``: it is sent again until it is answered."""

    __slots__ = ("action", "make", "message", "persistent", "transaction")

    def __init__(self, action: str, make: Callable[[], dict[str, Any]], persistent: bool, transaction: Transaction | None = None) -> None:
        self.action, self.make, self.persistent, self.transaction = action, make, persistent, transaction
        self.message: Message | None = None


class RpcPeer:
    """The OCPP-J side of a charger; ``queue`` has the CALLs to send."""

    def __init__(self, name: str, port: int, rng: random.Random, ledger: Ledger, behaviour: Behaviour) -> None:
        self.name, self.port, self.behaviour, self.ledger = name, port, behaviour, ledger
        self.rng = rng
        self.queue: deque[QueuedCall] = deque()
        self.client: WebSocketClient | None = None
        self.offline = self.gone = False
        self._connection = self._ids = self._tries = self._unanswered = 0
        self._sent: dict[str, tuple[QueuedCall, Sending]] = {}
        self._outstanding: QueuedCall | None = None
        self._timers: dict[str, Any] = {}
        self._connecting: Any = None

    def remote_start(self, tag: str) -> None:
        """A remote start was accepted."""

    def boot_again(self) -> None:
        """It is to send a BootNotification before anything else."""

    def later(self, name: str, seconds: float, function: Callable[..., None], *args: Any) -> None:
        """Set the timer with this name, in place of its previous setting."""
        timer = self._timers.get(name)
        if timer is not None and timer.active():
            timer.cancel()
        self._timers[name] = reactor.callLater(seconds, function, *args)

    @property
    def delivered(self) -> bool:
        """Whether all its messages are answered."""
        return not self.queue and self._outstanding is None

    @property
    def state(self) -> str:
        """A description of what it is waiting for."""
        client = "not connected" if self.client is None else f"connection {self._connection}{'' if self.client.open else ', not open'}"
        waiting = self._outstanding.message if self._outstanding is not None else None
        return f"{client}, {len(self.queue)} queued, waits for an answer to {waiting}"

    def end(self) -> None:
        """It is switched off."""
        self.gone = self.offline = True
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        if self.client is not None:
            self.client.abort()

    # the connection

    def connect(self) -> None:
        if self.offline or self.gone or self.client is not None or self._connecting is not None:
            return
        subprotocol = f"ocpp{self.behaviour.version}"
        client = WebSocketClient(
            f"/ocpp/{self.name}",
            subprotocol,
            lambda: self._opened(client),
            lambda text: self._received(client, text),
            lambda: self._lost(client),
        )
        self._connecting = connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port, timeout=5), client)

        def connected(_: Any) -> None:
            self._connecting, self.client = None, client

        def failed(_: Any) -> None:
            self._connecting = None
            self._reconnect_later()

        self._connecting.addCallbacks(connected, failed)

    def _opened(self, client: WebSocketClient) -> None:
        self._connection += 1
        self._tries = self._unanswered = 0
        self._sent.clear()
        if self.behaviour.counts_from_one:
            self._ids = 0
        self.send_next()

    def _lost(self, client: WebSocketClient) -> None:
        if client is not self.client:
            return
        self.client = None
        self._forget_outstanding()
        self._reconnect_later()

    def _forget_outstanding(self) -> None:
        self._outstanding = None
        timer = self._timers.get("answer")
        if timer is not None and timer.active():
            timer.cancel()

    def _reconnect_later(self) -> None:
        if not self.offline and not self.gone:
            self._tries += 1
            self.later("again", self.rng.uniform(0.05, min(1.0, 0.1 * 1.5**self._tries)), self.connect)

    def go_offline(self, seconds: float) -> None:
        """Disconnect and stay offline for this long."""
        self.offline = True
        if self.client is not None:
            self.client.abort()
        self.later("back", seconds, self.go_online)

    def go_online(self) -> None:
        """Connect again."""
        if not self.gone:
            self.offline = False
            self.connect()

    # one CALL at a time

    def send_next(self) -> None:
        client = self.client
        if client is None or not client.open or self._outstanding is not None or not self.queue:
            return
        queued = self.queue[0]
        if not queued.persistent:
            self.queue.popleft()
        self._outstanding = queued
        if queued.message is None:
            queued.message = Message(self.name, queued.action, queued.make(), queued.persistent)
        first = queued.message.sendings[0].id if queued.message.sendings else ""
        id = first if first and self.behaviour.reuses_id and not self.behaviour.counts_from_one else self._id()
        self._sent[id] = queued, self.ledger.sent(queued.message, self._connection, id)
        self.later("answer", self.behaviour.answer_timeout * self.rng.uniform(0.8, 1.2), self._answer_timed_out, queued)
        client.send(json.dumps([2, id, queued.action, queued.message.payload], separators=(",", ":")))

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids) if self.behaviour.counts_from_one else f"{self.name}-{self._ids}"

    def _answer_timed_out(self, queued: QueuedCall) -> None:
        if self._outstanding is not queued or self.client is None:
            return
        self._outstanding = None
        self._unanswered += 1
        if self.behaviour.reconnects or self._unanswered > 2:
            self.client.abort()
        else:
            self.send_next()

    def _received(self, client: WebSocketClient, text: bytes) -> None:
        frame = json.loads(text)
        if frame[0] == 2:
            self.execute(client, frame[1], frame[2], frame[3], self._connection)
            return
        queued, sending = self._sent.get(frame[1], (None, None))
        if queued is None or sending is None or queued.message is None:
            self.ledger.report_failure(f"{self.name} was answered a message that it never sent on this connection: {text[:300]!r}")
            return
        message = queued.message
        if frame[0] == 4:
            message.refusals.append(f"{self.ledger.now:.2f}s id={frame[1]} {text[:300]!r}")
        else:
            sending.answered = sending.answered or self.ledger.now
            if message.starts_transaction:
                message.transaction_ids.append(frame[2]["transactionId"])
        # An answer that arrives after the message was sent again is recorded, but a charger in the field waits for the answer to its last attempt.
        if queued is self._outstanding and sending is message.sendings[-1]:
            self._forget_outstanding()
            self._unanswered = 0
            if frame[0] == 4 and frame[2] == "SecurityError":
                self.boot_again()
            if frame[0] == 4 and (queued.persistent or frame[2] == "SecurityError"):  # it retries, as firmware does
                self.later("again", 0.5, self.send_next)
                return
            if queued.persistent:
                self.queue.popleft()
            if message.starts_transaction and queued.transaction is not None:
                queued.transaction.id = frame[2]["transactionId"]
            self.send_next()

    # commands

    def execute(self, client: WebSocketClient, id: str, action: str, payload: dict[str, Any], connection: int) -> None:
        if action == "GetTransactionStatus":  # the gateway's own question after a gap, no command
            client.send(json.dumps([3, id, answer(action, payload)]))
            return
        if payload.get("requestedMessage") == "BootNotification":  # likewise, after an operator's decision
            client.send(json.dumps([3, id, answer(action, payload)]))
            if client is self.client and self._outstanding is None:
                self.boot_again()
                self.send_next()
            return
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
        self.ledger.executed(self.name, id, action, payload, connection, reply)
        if reply == "hangs up":
            client.abort()
        elif reply == "error":
            client.send(json.dumps([4, id, "InternalError", "", {}]))
        elif reply == "late":
            reactor.callLater(after, lambda: client.open and client.send(json.dumps([3, id, answer(action, payload)])))
        elif reply == "at once":
            client.send(json.dumps([3, id, answer(action, payload)]))
            if action in ("RemoteStartTransaction", "RequestStartTransaction") and client is self.client:
                self.remote_start(payload.get("idTag") or payload["idToken"]["idToken"])
