"""A version of OCPP as a value: its names, error codes and schemas, and how its messages translate to facts.

Knows nothing of connections. A new version is a new value of `Version`, not a new class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec.structs import replace

from ..facts import Authorization, Fact, Start, Verdict
from .frames import Payload, QuickReader
from .schemas import Schemas


class UnreadablePayload(Exception):
    """No fact can be made of a payload that violates its schema; its text is the path of the member that is at fault, or names several."""


class Translation(NamedTuple):
    """How a charger's message of one action becomes a fact, and how a verdict becomes the answer to it.

    ``read`` takes a payload whose ``essentials`` have the right types, and may raise `UnreadablePayload`; ``answer`` takes the fact, the
    verdict and the time (UTC, ISO 8601). ``essentials`` are the members without which the message cannot be processed: member -> its JSON type; a
    member of a member is written ``transactionInfo/transactionId``. ``kept`` are those whose words are kept beyond the message, and so
    may not be of any length. ``digested``: a digest of the whole payload is taken, which is sorted for that (`bounds.put_in_order`).
    """

    read: Callable[[Payload], Fact]
    answer: Callable[[Any, Any, str], Payload]
    essentials: Mapping[str, type] = {}
    kept: tuple[str, ...] = ()
    digested: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One version of OCPP, as a CSMS uses it."""

    name: str
    subprotocol: str
    schemas: Schemas
    translations: Mapping[str, Translation]
    """Each action that chargers send -> its translation."""
    csms_actions: frozenset[str]
    """The actions that we may send to chargers."""
    codes: Mapping[str, str]
    """The error code for a violation of each schema keyword; and for our own names of other errors (`syntax`, `structure`, …)."""
    neutral: Mapping[str, Callable[[Payload], tuple[str, Payload]]]
    """A neutral command -> a function from its data to the action and payload; raises `KeyError`, `TypeError` or `ValueError` for
    data from which none can be made."""
    start_actions: frozenset[str]
    """The actions that are not sent to a charger whose registration is Pending (OCPP 1.6 §4.2)."""
    answerable: Callable[[Authorization], Authorization] | None = None
    """From a verdict on a tag to the one that an answer of this version can have; None if it can have any."""
    send_actions: frozenset[str] = frozenset()
    """The actions that chargers may send by SEND, which is never answered (2.1); if there are any, message types 5 and 6 are known."""
    answers_without_id: bool = False
    """Whether a message without a readable id is answered under the id "-1" (2.x part 4 §4.2.3)."""
    signed_messages: bool = False
    """Whether a message may come signed, as the action with `signed.SUFFIX` (2.x part 4 §7)."""
    unknown_type: str = ""
    """The error code for an unknown message type number, "" to ignore it (OCPP-J 1.6 §4.1.3)."""
    quick_readers: Mapping[str, QuickReader] = field(default_factory=dict)
    """Actions whose ordinary messages can be read in one pass, from the payload's JSON to the fact."""
    report_actions: Mapping[str, str] = field(default_factory=dict)
    """Requests whose result arrives in parts: the action requested -> the action that brings each part."""

    def told(self, verdict: Verdict) -> Verdict:
        """The verdict as the charger is told it, and so as its event has it."""
        if self.answerable is None:
            return verdict
        if isinstance(verdict, Start):
            return replace(verdict, authorization=self.answerable(verdict.authorization))
        return self.answerable(verdict) if isinstance(verdict, Authorization) else verdict

    def code(self, rule: str) -> str:
        """The error code for a violation of a schema keyword."""
        return self.codes.get(rule, self.codes["other"])
