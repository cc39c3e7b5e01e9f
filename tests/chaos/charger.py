"""Chargers that behave as real ones do: they boot, run transactions, are offline for hours, and finally deliver all their messages.

They share no code with the gateway. Knows nothing of how messages are transmitted. Times are shortened: seconds
where a real charger takes a minute.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from chaos.behaviour import Behaviour
from chaos.ledger import UNKNOWN_IDS, Ledger
from chaos.messages import Messages
from chaos.rpc import QueuedCall, RpcPeer, Transaction

MAX_QUEUED = 200
"""Most CALLs in a charger's queue: at the bound it takes no further action."""


class Charger(RpcPeer):
    """One charger; `begin` starts it, and `finish` ends what it has begun."""

    def __init__(self, name: str, port: int, seed: str, ledger: Ledger, behaviour: Behaviour, pace: float = 1.0) -> None:
        super().__init__(name, port, random.Random(seed), ledger, behaviour)
        self.messages = Messages(name, behaviour.version, self.rng)
        self.pace = pace
        self.busy = True
        self.duplicates = 0
        self._transaction: Transaction | None = None
        self._unknown_ids = count(UNKNOWN_IDS).__next__

    # actions over time

    def begin(self) -> None:
        """Boot, connect and run transactions for as long as it is `busy`."""
        self.queue.append(QueuedCall("BootNotification", self.messages.boot, persistent=True))
        self.connect()
        self.later("action", self.rng.uniform(0, self.pace), self._act)

    def boot_again(self) -> None:
        if not self.queue or self.queue[0].action != "BootNotification":
            self.queue.appendleft(QueuedCall("BootNotification", self.messages.boot, persistent=True))

    def finish(self) -> None:
        """Begin nothing new; end the running transaction."""
        self.busy = self.offline = False
        if self._transaction is not None:
            self._transaction.left = 0
            self._act()
        self.connect()

    @property
    def idle(self) -> bool:
        """Whether it has no transaction and all its messages are answered."""
        return self.delivered and self._transaction is None

    def _act(self) -> None:
        """Take one action; this continues while the charger is offline."""
        if len(self.queue) < MAX_QUEUED:
            self._step()
        if self.busy or self._transaction is not None:
            self.later("action", self.rng.uniform(0.3, 1.7) * self.pace, self._act)

    def _step(self) -> None:
        dice = self.rng.random()
        if self._transaction is None:
            if not self.busy:
                return
            if dice < 0.5:
                self.start_charging()
            elif dice < 0.65:
                self._heartbeat()
            elif dice < 0.7:
                self._stop_unknown()
            elif dice < 0.8:
                self.queue.append(QueuedCall("SecurityEventNotification", self.messages.security, persistent=True))
            elif dice < 0.9:
                self._queue_transient("DataTransfer", self.messages.transfer)
            else:
                self._queue_transient("Authorize", lambda: self.messages.authorize(self.messages.tag()))
        elif self._transaction.left > 0:
            self._transaction.left -= 1
            self._meter_values(self._transaction)
            if dice < 0.3:
                self._heartbeat()
        else:
            self._stop_charging(self._transaction)
        self.send_next()

    # messages

    def start_charging(self, tag: str = "", at: float | None = None) -> None:
        """Begin a transaction, if there is none."""
        if self._transaction is not None:
            return
        transaction = self._transaction = Transaction(tag or self.messages.tag(), left=self.rng.randrange(1, 6))
        if at is None:
            self._queue_transient("StatusNotification", lambda: self.messages.status("Preparing"))
        if self.behaviour.version == "1.6":
            started = {"connectorId": 1, "idTag": transaction.tag, "meterStart": self.messages.read(), "timestamp": self.messages.time(at)}
            self.queue.append(QueuedCall("StartTransaction", lambda: started, True, transaction))
        else:
            transaction.id = f"{self.name}-{self.messages.unique()}"[:36]
            self._event(transaction, "Started", "Authorized", at, idToken={"idToken": transaction.tag, "type": "ISO14443"})
        if at is None:
            self._queue_transient("StatusNotification", lambda: self.messages.status("Charging"))

    def _meter_values(self, transaction: Transaction, at: float | None = None) -> None:
        if self.behaviour.version == "1.6":
            reading = self.messages.reading(at)
            self.queue.append(
                QueuedCall(
                    "MeterValues", lambda: {"connectorId": 1, "transactionId": transaction.id, "meterValue": [reading]}, True, transaction
                )
            )
        else:
            self._event(transaction, "Updated", "MeterValuePeriodic", at, meterValue=[self.messages.reading(at)])

    def _stop_charging(self, transaction: Transaction, at: float | None = None) -> None:
        self._transaction = None
        large = self.rng.random() < 0.05 and "large-messages" not in self.behaviour.omits
        if self.behaviour.version == "1.6":
            data = {"transactionData": [self.messages.reading(at, large)]} if large or self.rng.random() < 0.3 else {}
            fields = {
                "meterStop": self.messages.read(),
                "timestamp": self.messages.time(at),
                "idTag": transaction.tag,
                "reason": "Local",
                **data,
            }
            self.queue.append(QueuedCall("StopTransaction", lambda: {"transactionId": transaction.id, **fields}, True, transaction))
        else:
            readings = {"meterValue": [self.messages.reading(at, large)]} if large or self.rng.random() < 0.5 else {}
            self._event(transaction, "Ended", "StopAuthorized", at, **readings)
        if at is None:
            self._queue_transient("StatusNotification", lambda: self.messages.status("Available"))

    def _event(self, transaction: Transaction, kind: str, why: str, at: float | None, **more: Any) -> None:
        transaction.seq_no = self._next_seq_no(transaction.seq_no)
        info: dict[str, Any] = {
            "transactionId": transaction.id,
            **({"stoppedReason": "Local"} if kind == "Ended" else {"chargingState": "Charging"}),
        }
        payload = {
            "eventType": kind, "timestamp": self.messages.time(at), "triggerReason": why, "seqNo": transaction.seq_no, "transactionInfo": info,
            "evse": {"id": 1, "connectorId": 1}, **({"offline": True} if at is not None else {}), **more,
        }  # fmt: skip
        self.queue.append(QueuedCall("TransactionEvent", lambda: payload, True, transaction))

    def _next_seq_no(self, last: int) -> int:
        """Mostly the next one; some chargers leave numbers out, begin again or do not count."""
        dice = self.rng.random()
        if dice < 0.92 or last < 0 or "odd-numbers" in self.behaviour.omits:
            return last + 1
        return last + self.rng.choice((2, 5, 40)) if dice < 0.96 else 0 if dice < 0.98 else last

    def _stop_unknown(self) -> None:
        """1.6: stop a transaction of which the gateway knows nothing, such as one from before it was installed."""
        if self.behaviour.version == "1.6" and "unknown-stops" not in self.behaviour.omits:
            stop = {"transactionId": self._unknown_ids(), "meterStop": self.messages.read(), "timestamp": self.messages.time()}
            self.queue.append(QueuedCall("StopTransaction", lambda: stop, True))

    def queue_offline_transactions(self, transactions: int) -> None:
        """Queue the messages of transactions from hours ago, as after a long time offline (F22)."""
        if self._transaction is not None:
            self._stop_charging(self._transaction)
        begin = time.time() - 3600 * self.rng.uniform(2, 48)
        for number in range(transactions):
            at = begin + 600 * number
            self.start_charging(at=at)
            transaction = self._transaction
            assert transaction is not None
            for sample in range(4):
                self._meter_values(transaction, at + 60 * (sample + 1))
            self._stop_charging(transaction, at + 500)

    def _heartbeat(self) -> None:
        # Only its message id identifies a Heartbeat, and a charger that counts from 1 uses ids again.
        if not self.behaviour.counts_from_one:
            self._queue_transient("Heartbeat", dict)

    def _queue_transient(self, action: str, make: Callable[[], dict[str, Any]]) -> None:
        """Queue a message that is sent only while connected, and not again."""
        if self.client is not None:
            self.queue.append(QueuedCall(action, make, persistent=False))

    def remote_start(self, tag: str) -> None:
        if self.busy:
            self.start_charging(tag=tag)
            self.send_next()
