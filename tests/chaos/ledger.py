"""The record of everything sent, received and executed by the parties around the gateway: the reference that events are checked against.

Knows neither sockets nor the gateway.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

EVENT_NAMES = {
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
"""The event for each message (docs/contract.md); for a TransactionEvent by its eventType."""


UNKNOWN_IDS = 900_000_000
"""The first id of transactions of which the gateway knows nothing: more than a backend's, less than any of the gateway's own."""

BOOT_AGAIN = 20.0
"""Seconds in which a charger has booted again after an operator's decision was taken back."""

AFTER_CRASH = 15.0
"""Seconds before a crash of the gateway in which a command by HTTP, which no list holds, may have been lost with it."""


def canonical(payload: Any) -> str:
    """JSON that is the same for the same content."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"))


@dataclass(slots=True)
class Sending:
    """One transmission of a message, on a connection of its charger and under a message id."""

    connection: int
    id: str
    at: float
    answered: float = 0.0


@dataclass(slots=True)
class Message:
    """A message of a charger, however often it is sent.

    ``persistent``: it is sent again until it is answered. ``sender``: 0 is the charger; a second peer with its identity has an order of its own.
    ``number`` is its place in the order in which the sender sent its messages for the first time.
    """

    charger: str
    action: str
    payload: dict[str, Any]
    persistent: bool
    sender: int = 0
    number: int = 0
    sendings: list[Sending] = field(default_factory=list)
    transaction_ids: list[int] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        """Whether it was ever answered with a CALLRESULT."""
        return any(each.answered for each in self.sendings)

    @property
    def deduplicated(self) -> bool:
        """Whether the gateway has to recognise a repeat by its content, whatever its message id."""
        return self.action in ("StartTransaction", "StopTransaction", "TransactionEvent")

    @property
    def numbered(self) -> tuple[str, str] | None:
        """2.x: the charger and transaction in which it has a seqNo."""
        return (self.charger, self.payload["transactionInfo"]["transactionId"]) if self.action == "TransactionEvent" else None

    @property
    def stops_unknown(self) -> bool:
        """Whether it stops a transaction of which the gateway knows nothing."""
        return self.action == "StopTransaction" and UNKNOWN_IDS <= self.payload.get("transactionId", 0) < 1_000_000_000

    @property
    def starts_transaction(self) -> bool:
        """Whether it begins a transaction to which the gateway has to assign an id."""
        return self.action == "StartTransaction"

    @property
    def expected_events(self) -> list[str]:
        """The events that have to be published for it, in order."""
        payload = self.payload
        name = EVENT_NAMES[payload["eventType"] if self.action == "TransactionEvent" else self.action]
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
    """A command that a charger executed; ``reply`` is how it answered."""

    charger: str
    id: str
    action: str
    payload: dict[str, Any]
    at: float
    connection: int
    reply: str


@dataclass(slots=True)
class Push:
    """An element pushed to the list of commands. ``state`` says whether Redis has it: ``certain``, ``unsure`` or ``never``.

    ``id`` is "" when the element has no readable id; ``expected`` has its possible outcomes.
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
class BackendRequest:
    """A request of the gateway for a transaction id; ``id`` is the one in the response, 0 without a usable response."""

    at: float
    charger: str
    tag: str
    key: str
    mode: str
    id: int = 0


@dataclass(slots=True)
class Restriction:
    """A charger is Pending or Rejected by an operator's decision, ``until`` it is taken back."""

    charger: str
    since: float
    until: float = float("inf")


class Ledger:
    """The whole record; times are seconds since it was created."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.messages: list[Message] = []
        self.executions: list[Execution] = []
        self.pushes: list[Push] = []
        self.backend_requests: list[BackendRequest] = []
        self.restrictions: list[Restriction] = []
        self.crashes: list[float] = []
        """When the gateway was killed."""
        self.visitors: list[str] = []
        """Chargers that were connected when the gateway was killed, and never came back."""
        self.failures: list[tuple[float, str]] = []
        """Failures that the harness itself detected, such as a gateway that ended with an error."""
        self._numbers: dict[tuple[str, int], int] = defaultdict(int)

    @property
    def now(self) -> float:
        return time.monotonic() - self.begun

    def sent(self, message: Message, connection: int, id: str) -> Sending:
        """Record that the message is sent now; the first time gives it its number."""
        if not message.sendings:
            self._numbers[message.charger, message.sender] += 1
            message.number = self._numbers[message.charger, message.sender]
            self.messages.append(message)
        message.sendings.append(sending := Sending(connection, id, self.now))
        return sending

    def executed(self, charger: str, id: str, action: str, payload: dict[str, Any], connection: int, reply: str) -> None:
        """Record that a charger executes a command."""
        self.executions.append(Execution(charger, id, action, payload, self.now, connection, reply))

    def is_certain(self, push: Push) -> bool:
        """Whether a command has to have a result: Redis has it, or it was answered by HTTP and the gateway was not killed soon after."""
        lost = push.kind == "HTTP" and self.crashed_after(push.at)
        return push.state == "certain" and not lost

    def was_restricted(self, charger: str, begin: float, end: float) -> bool:
        """Whether the charger may have been refused in this time: until it has booted again after the end of a restriction."""
        return any(each.charger == charger and each.since <= end and begin <= each.until + BOOT_AGAIN for each in self.restrictions)

    def crashed_after(self, at: float) -> bool:
        """Whether the gateway was killed soon after this time."""
        return any(at <= each <= at + AFTER_CRASH for each in self.crashes)

    def report_failure(self, what: str) -> None:
        """Record a failure detected by the harness."""
        self.failures.append((self.now, what))
