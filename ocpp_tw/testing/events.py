"""Events as typed objects, for backends in Python and their tests: `decode` takes an element of the events list.

Knows not where it came from. Fields and their meaning are those of docs/contract.md, section 1.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from ..core import event as core
from ..core.charger_events import (
    Authorize,
    BootNotification,
    ChangeConnectorStatus,
    DataTransfer,
    Health,
    MeterValue,
    StartTransaction,
    StopTransaction,
    TransactionUpdate,
)
from ..core.event import Data
from ..core.event_names import NAMES
from ..core.gateway_events import (
    AuthenticationFailed,
    ClockSkew,
    CommandFollowup,
    CommandReport,
    CommandResult,
    ConnectCharger,
    DisconnectCharger,
    DuplicateIdentity,
    Flapping,
    Flooding,
    HandshakeRejected,
    LateResponse,
    MessageRefused,
    SecurityEvent,
    SeqGap,
    Silent,
    TransactionReconciled,
    TransactionStatus,
    Unresponsive,
)
from ..facts import Value

__all__ = [
    "NAMES", "AuthenticationFailed", "Authorize", "BootNotification", "ChangeConnectorStatus", "ClockSkew", "CommandFollowup",
    "CommandReport", "CommandResult", "ConnectCharger", "Data", "DataTransfer", "DisconnectCharger", "DuplicateIdentity", "Event", "Flapping",
    "Flooding", "HandshakeRejected", "Health", "LateResponse", "MessageRefused", "MeterValue", "SecurityEvent", "SeqGap", "Silent",
    "StartTransaction", "StopTransaction", "TransactionReconciled", "TransactionStatus", "TransactionUpdate", "Unresponsive", "Value",
    "decode", "name_of",
]  # fmt: skip

D = TypeVar("D", bound=Data)


class Event(core.Event, Generic[D]):
    """An event as it is in the list. ``data`` is of the class that `NAMES` has for ``event``, and of `Data` for every other action's."""

    data: D
    payload: dict[str, Any] | None = None  # type: ignore[assignment]
    seq: int = 0
    """its number among those of its charger: without a gap, and never twice"""


_decoder = msgspec.json.Decoder(Event[Any])


def decode(element: bytes | str) -> Event[Any]:
    """An element of the events list as an event. What the contract does not name is left out.

    A member that is left out in events of 1.6 is `msgspec.UNSET`, which is false. Raises `msgspec.ValidationError` for what is no event.
    """
    event = _decoder.decode(element)
    event.data = msgspec.convert(event.data, NAMES.get(event.event, Data))
    return event


def name_of(data: type[Data]) -> str:
    """The name of the events that have such data: "stop_transaction" for `StopTransaction`."""
    for name, each in NAMES.items():
        if each is data:
            return name
    raise ValueError(f"there is no event with the data {data.__name__}: the classes are those of ocpp_tw.testing.events.NAMES")
