"""What differs between the versions of OCPP, as a value: a charger's behaviour is the same in all of them.

Knows no version itself; `ocpp_tw.simulator.v16` is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..facts import BootNotification, Fact, Readings, Verdict
from ..ocpp.frames import Payload
from .configuration import Key
from .connector import Connector
from .power import Sample

if TYPE_CHECKING:
    from .charger import Charger


class Refusal(Exception):
    """A command that cannot be understood; ``code`` is the CALLERROR's."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


Command = Callable[["Charger", Payload], Payload]
"""Does what a CALL of the central system's says and returns the answer's payload. What has to come after the
answer is handed to `Charger.afterwards`."""


class Boot(BootNotification, frozen=True):
    """A charger's own BootNotification; ``cause`` is 2.x's BootReason, which 1.6 does not tell."""

    cause: str = "PowerUp"


def nothing(charger: Charger) -> None:
    """Does nothing."""


class Dialect(NamedTuple):
    """One version of OCPP as a charger speaks it."""

    ocpp: str
    subprotocol: str
    write: Callable[[Fact], tuple[str, Payload]]  # the action and the payload that say the fact
    read: Callable[[Fact, Payload], Verdict]  # the verdict in the answer to it
    readings: Callable[[str, str, Sequence[Sample]], Readings]  # timestamp, context and samples as OCPP has them
    commands: Mapping[str, Command]
    keys: tuple[Key, ...]
    place: Callable[[Charger, int], Connector] = Connector  # makes the connector (2.x: the EVSE) of that number
    whole: bool = True  # whether the charger as a whole has a status
    codes: Mapping[str, str] = MappingProxyType({})  # CALLERROR codes that are not spelled as in 1.6
    resumed: Callable[[Charger], None] = nothing  # called whenever the charger is back on line and accepted


def need(payload: Payload, name: str, kind: type) -> Any:
    """A member that must be there."""
    value = payload.get(name)
    if value is None:
        raise Refusal("OccurenceConstraintViolation", f"{name} is missing")
    if type(value) is not kind:
        raise Refusal("TypeConstraintViolation", f"{name} is no {kind.__name__}")
    return value


def accepted(good: bool, otherwise: str = "Rejected") -> Payload:
    """The commonest answer."""
    return {"status": "Accepted" if good else otherwise}
