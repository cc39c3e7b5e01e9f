"""Reports of 2.x, which are too long for an answer: sent after it in parts, one message after another.

Knows how parts are numbered; not what they contain.
"""

from __future__ import annotations

from typing import Any

from ...ocpp.frames import Payload
from ..command import CommandTarget

ITEMS_PER_MESSAGE = 12
"""Most items in one message; a longer report goes into several."""


def report_in_parts(charger: CommandTarget, action: str, request: int, member: str, items: list[Any], **fixed: Any) -> None:
    """Send all items once the answer has been sent: each part but the last is marked to be continued."""
    parts = [items[at : at + ITEMS_PER_MESSAGE] for at in range(0, len(items), ITEMS_PER_MESSAGE)]
    for number, part in enumerate(parts):
        more = {"requestId": request, "seqNo": number, "generatedAt": charger.clock.timestamp(), "tbc": number < len(parts) - 1}
        notify_afterwards(charger, action, more | fixed | {member: part})


def notify_in_parts(charger: CommandTarget, action: str, request: int, member: str, groups: list[tuple[Payload, list[Any]]]) -> None:
    """The same for notifications without seqNo; each group has members of its own that go into all of its parts."""
    parts = [(fixed, items[at : at + ITEMS_PER_MESSAGE]) for fixed, items in groups for at in range(0, len(items), ITEMS_PER_MESSAGE)]
    for number, (fixed, part) in enumerate(parts):
        notify_afterwards(charger, action, {"requestId": request, "tbc": number < len(parts) - 1} | fixed | {member: part})


def notify_afterwards(charger: CommandTarget, action: str, payload: Payload) -> None:
    """Send a notification once the answer has been sent."""
    charger.afterwards(lambda: charger.notify(action, payload))
