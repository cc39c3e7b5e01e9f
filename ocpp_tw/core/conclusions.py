"""What a fact came to.

Knows neither how it came to that nor what becomes of it.
"""

from __future__ import annotations

import msgspec

from ..facts import Verdict
from . import events
from .entries import Effect

Events = tuple[tuple[str, events.Data], ...]
"""Events by name, in their order."""


class Conclusion(msgspec.Struct, frozen=True, gc=False):
    """The verdict to answer, the events to tell, and what becomes true with the last of them; no events: it was a repeat."""

    verdict: Verdict
    events: Events
    effects: tuple[Effect, ...] = ()
    duplicate: bool = False
    provisional: bool = False
    offline: bool = False
