"""A version of OCPP is a value: its names, its error codes, its schemas and how its messages read as facts.

Knows nothing of connections; a new version is a new value here, not a new tree of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..facts import Fact
from .frames import Payload, Quick
from .schemas import Schemas


class Translation(NamedTuple):
    """How one action of the charger's becomes a fact, and a verdict its answer.

    ``read`` takes a payload whose ``essentials`` have the right types; ``answer`` takes the fact, the verdict and the time (UTC,
    ISO 8601). ``essentials`` are the members without which the message cannot be told from another: member -> its JSON type; a
    member of a member is written ``transactionInfo/transactionId``.
    """

    read: Callable[[Payload], Fact]
    answer: Callable[[Any, Any, str], Payload]
    essentials: Mapping[str, type] = {}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of OCPP, as seen by a central system."""

    name: str
    subprotocol: str
    schemas: Schemas
    translations: Mapping[str, Translation]
    """What chargers send: action -> its translation."""
    csms_actions: frozenset[str]
    """What we may ask of chargers."""
    codes: Mapping[str, str]
    """A schema's keyword -> the error code for a breach of it; and our own names for the others (`syntax`, `structure`)."""
    neutral: Mapping[str, Callable[[Payload], tuple[str, Payload]]]
    """A neutral command -> the action and payload; raises `KeyError`, `TypeError` or `ValueError` for data it cannot be made of."""
    start_actions: frozenset[str]
    """What a charger that is Pending is never asked (OCPP 1.6 §4.2)."""
    send_actions: frozenset[str] = frozenset()
    """What chargers may say by SEND, which is never answered (2.1); with any of it, message types 5 and 6 are known."""
    answers_without_id: bool = False
    """Whether a message without a readable id is answered under the id "-1" (2.x part 4 §4.2.3)."""
    unknown_type: str = ""
    """The error code for an unknown message type number, "" to ignore it (OCPP-J 1.6 §4.1.3)."""
    quick_readers: Mapping[str, Quick] = field(default_factory=dict)
    """Actions of which a plain message can be read at once, from its payload's JSON to its fact (None: it is not plain)."""
    report_actions: Mapping[str, str] = field(default_factory=dict)
    """What is asked for and comes in parts: the action asked -> the action that brings a part."""

    def code(self, rule: str) -> str:
        """The error code for the breach of a schema's keyword."""
        return self.codes.get(rule, self.codes["other"])
