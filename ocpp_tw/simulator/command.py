"""What a command of the central system is, and what it can do with the charger that it is for.

Knows no single command: those are in `v16` and `v2`, one function each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..facts import StatusNotification
from ..ocpp.frames import Payload
from .certificates import Certificates
from .connector import Connector
from .device_state import DeviceState
from .errors import Refusal
from .host import Boot, Host
from .security import Security
from .security_events import SecurityEvents
from .simulated_clock import Timers
from .tags import Tags
from .transaction_queue import TransactionQueue


class CommandTarget(Host, Protocol):
    """The charger as commands see it."""

    connectors: list[Connector]
    tags: Tags
    certificates: Certificates
    security: Security
    events: SecurityEvents
    device: DeviceState
    timers: Timers
    queue: TransactionQueue
    file_status: dict[str, Payload]
    stream: bool

    @property
    def identity(self) -> Boot:
        """The charger's BootNotification."""

    @property
    def ocpp(self) -> str:
        """The version of OCPP that the charger speaks."""

    @property
    def accepted(self) -> bool:
        """Whether the central system has accepted the charger since it booted."""

    def afterwards(self, do: Callable[[], object]) -> None:
        """Do this once the answer to the current command has been sent."""

    def connector(self, number: object) -> Connector | None:
        """The connector with that number."""

    def status_fact(self) -> StatusNotification:
        """The status of the charger as a whole."""

    async def authorize_and_start(self, tag: str, connector: Connector | None = None) -> bool:
        """Authorize a tag and begin a transaction; whether one began."""

    def boot(self, cause: str | None = None) -> None:
        """Send a BootNotification; ``cause`` for this one only."""

    def reset(self, hard: bool) -> None:
        """End every transaction and reboot."""

    def reconnect(self) -> None:
        """Close the connection and open it again, as the security settings say now."""

    def drop(self) -> None:
        """Break the connection, as a failing network does."""

    def change_availability(self, connector: Connector | None, operative: bool) -> None:
        """Take a connector, or (None) the whole charger, into or out of service."""

    def apply_configuration(self, key: str) -> None:
        """Have the new value of a configuration key take effect."""

    def send_unconfirmed(self, action: str, payload: Payload) -> None:
        """Send a SEND of OCPP 2.1, which is never answered."""


Command = Callable[[CommandTarget, Payload], Payload]
"""Does what a CALL of the central system says and returns the answer's payload. Whatever has to follow the answer
is passed to `CommandTarget.afterwards`."""


def need(payload: Payload, name: str, kind: type) -> Any:
    """A required member of a payload; raises `Refusal` when it is missing or has another type."""
    value = payload.get(name)
    if value is None:
        raise Refusal("OccurenceConstraintViolation", f"{name} is missing")
    if type(value) is not kind:
        raise Refusal("TypeConstraintViolation", f"{name} is no {kind.__name__}")
    return value


def accepted(good: bool, otherwise: str = "Rejected") -> Payload:
    """The answer Accepted, or another status."""
    return {"status": "Accepted" if good else otherwise}
