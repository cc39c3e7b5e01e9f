"""What was said and done, as those saw it who are not the gateway: the one truth that the events are held against.

Knows neither sockets nor the gateway.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

TOLD = {
    "BootNotification": "boot_notification",
    "Heartbeat": "health",
    "Authorize": "authorize",
    "StatusNotification": "change_connector_status",
    "StartTransaction": "start_transaction",
    "StopTransaction": "stop_transaction",
    "MeterValues": "meter_value",
    "DataTransfer": "data_transfer",
    "SecurityEventNotification": "security_event_notification",
    "Started": "start_transaction",
    "Updated": "transaction_update",
    "Ended": "stop_transaction",
}
"""The event that each message becomes (docs/contract.md); of a TransactionEvent its eventType says it."""


def canonical(payload: Any) -> str:
    """The same text for the same content."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"))


@dataclass(slots=True)
class Sending:
    """A message went out, on that connection of its charger and under that id."""

    connection: int
    id: str
    at: float
    answered: float = 0.0


@dataclass(slots=True)
class Message:
    """Something a charger has to say, however often it has to send it.

    ``kept``: it is sent again until it is answered. ``voice``: who says it; a second peer with the same identity has an order of its own.
    ``number`` is its place in the order in which the voice sent its messages for the first time.
    """

    charger: str
    action: str
    payload: dict[str, Any]
    kept: bool
    voice: int = 0
    number: int = 0
    sendings: list[Sending] = field(default_factory=list)
    transaction_ids: list[int] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        """Whether it was ever answered with a CALLRESULT."""
        return any(each.answered for each in self.sendings)

    @property
    def once(self) -> bool:
        """Whether the gateway has to know it again by its content, whatever its id."""
        return self.action in ("StartTransaction", "StopTransaction", "TransactionEvent")

    @property
    def starts(self) -> bool:
        """Whether it begins a transaction that the gateway has to give an id."""
        return self.action == "StartTransaction"

    @property
    def told(self) -> list[str]:
        """The events that it has to become, in order."""
        payload = self.payload
        name = TOLD[payload["eventType"] if self.action == "TransactionEvent" else self.action]
        if self.action == "StopTransaction" and payload.get("transactionData"):
            return ["meter_value", name]
        if self.action == "TransactionEvent" and payload.get("meterValue"):
            return ["meter_value", name] if payload["eventType"] == "Ended" else [name, "meter_value"]
        return [name]

    def __str__(self) -> str:
        tried = ", ".join(
            f"{each.at:.2f}s c{each.connection} id={each.id}" + (f" acked@{each.answered:.2f}" if each.answered else "")
            for each in self.sendings
        )
        ids = f" transaction ids {self.transaction_ids}" if self.transaction_ids else ""
        return f"{self.charger} #{self.number} {self.action} {canonical(self.payload)[:200]} sent [{tried}]{ids}"


@dataclass(slots=True)
class Execution:
    """A charger was asked something, and did it; ``reply`` is what it did then."""

    charger: str
    id: str
    action: str
    payload: dict[str, Any]
    at: float
    connection: int
    reply: str


@dataclass(slots=True)
class Push:
    """An element that was put into the list of commands: `certain`ly, perhaps (`unsure`), or `never`.

    ``id`` is "" when nobody could read one of it; ``expected`` has the outcomes that it may come to.
    """

    charger: str
    id: str
    element: str
    kind: str
    expected: tuple[str, ...]
    payload: dict[str, Any] | None = None
    at: float = 0.0
    state: str = "never"


@dataclass(slots=True)
class Asked:
    """The gateway asked the backend for a transaction's id; ``id`` is what it was told, 0 when nothing useful."""

    at: float
    charger: str
    tag: str
    key: str
    mood: str
    id: int = 0


class Ledger:
    """All of it; times are seconds since it was opened."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.messages: list[Message] = []
        self.executions: list[Execution] = []
        self.pushes: list[Push] = []
        self.asked: list[Asked] = []
        self.notes: list[tuple[float, str]] = []
        """What the harness itself found wrong, such as a gateway that ended with an error."""
        self._numbers: dict[tuple[str, int], int] = defaultdict(int)

    @property
    def now(self) -> float:
        return time.monotonic() - self.begun

    def sent(self, message: Message, connection: int, id: str) -> Sending:
        """The message goes out now; the first time gives it its number."""
        if not message.sendings:
            self._numbers[message.charger, message.voice] += 1
            message.number = self._numbers[message.charger, message.voice]
            self.messages.append(message)
        message.sendings.append(sending := Sending(connection, id, self.now))
        return sending

    def did(self, charger: str, id: str, action: str, payload: dict[str, Any], connection: int, reply: str) -> None:
        """A charger carries out a command."""
        self.executions.append(Execution(charger, id, action, payload, self.now, connection, reply))

    def complain(self, what: str) -> None:
        """Note something that must not be."""
        self.notes.append((self.now, what))
