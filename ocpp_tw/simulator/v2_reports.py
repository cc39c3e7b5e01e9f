"""Answers of 2.x that are too long for one: told after the answer in parts, one message after another.

Knows how parts are numbered; not what they tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ocpp.frames import Payload

if TYPE_CHECKING:
    from .charger import Charger

PART = 12
"""How many items go into one message."""


def in_parts(charger: Charger, action: str, request: int, member: str, items: list[Any], **fixed: Any) -> None:
    """Tell all of them once the answer has left: each part but the last says that there is more to come."""
    parts = [items[at : at + PART] for at in range(0, len(items), PART)]
    for number, part in enumerate(parts):
        more = {"requestId": request, "seqNo": number, "generatedAt": charger.pace.stamp(), "tbc": number < len(parts) - 1}
        say(charger, action, more | fixed | {member: part})


def unnumbered(charger: Charger, action: str, request: int, member: str, groups: list[tuple[Payload, list[Any]]]) -> None:
    """The same for notifications without seqNo; each group has members of its own that go into all of its parts."""
    parts = [(fixed, items[at : at + PART]) for fixed, items in groups for at in range(0, len(items), PART)]
    for number, (fixed, part) in enumerate(parts):
        say(charger, action, {"requestId": request, "tbc": number < len(parts) - 1} | fixed | {member: part})


def say(charger: Charger, action: str, payload: Payload) -> None:
    """Say it once the answer has left."""
    charger.afterwards(lambda: charger.remark(action, payload))
