"""What a charger's message comes to, as a value."""

from __future__ import annotations

import msgspec

from ..facts import Value, Verdict
from .entries import Effect
from .event import Data

Events = tuple[tuple[str, Data], ...]
"""Events by name, in order."""


class Conclusion(msgspec.Struct, frozen=True, gc=False):
    """The verdict to answer with, the events to publish, and the effects that go with the last of them.

    Without events the message was a repeat. ``gap`` is the 2.x transaction of which the message shows others to be missing;
    ``conflict``: another message of its transaction had the same number, and its content was different or is forgotten.
    ``looked_at``: the values of its `MeterValue` that the gateway itself looks at.
    """

    verdict: Verdict
    events: Events
    effects: tuple[Effect, ...] = ()
    duplicate: bool = False
    provisional: bool = False
    offline: bool = False
    gap: str | None = None
    conflict: bool = False
    looked_at: list[Value] = []
