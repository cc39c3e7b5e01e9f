"""A version of OCPP is a value: its names, its error codes, its schemas and how its messages read as facts.

Knows nothing of connections; a new version is a new value here, not a new tree of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..facts import Fact
from ..frames import Payload
from ..schemas import Schemas


class Translation(NamedTuple):
    """How one action of the charger's becomes a fact, and a verdict its answer.

    ``read`` takes a payload whose ``essentials`` have the right types; ``answer`` takes the verdict and the time (UTC, ISO 8601).
    ``essentials`` are the members without which the message cannot be told from another: member -> its JSON type.
    """

    read: Callable[[Payload], Fact]
    answer: Callable[[Any, str], Payload]
    essentials: Mapping[str, type] = {}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of OCPP, as seen by a central system."""

    name: str
    subprotocol: str
    schemas: Schemas
    translations: Mapping[str, Translation]
    """What chargers send: action -> its translation."""
    asked: frozenset[str]
    """What we may ask of chargers."""
    codes: Mapping[str, str]
    """A schema's keyword -> the error code for a breach of it; and our own names for the others (`syntax`, `structure`)."""
    neutral: Mapping[str, Callable[[Payload], tuple[str, Payload]]]
    """A neutral command -> the action and payload; raises `KeyError`, `TypeError` or `ValueError` for data it cannot be made of."""
    starting: frozenset[str]
    """What a charger that is Pending is never asked (OCPP 1.6 §4.2)."""

    def code(self, rule: str) -> str:
        """The error code for the breach of a schema's keyword."""
        return self.codes.get(rule, self.codes["other"])


def known() -> dict[str, Version]:
    """Every version this gateway speaks, by its WebSocket subprotocol."""
    from .v16 import V16

    return {version.subprotocol: version for version in (V16,)}
