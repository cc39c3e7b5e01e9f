"""What a worker is told by its parent, and over which descriptors.

Knows neither of them.
"""

from __future__ import annotations

import msgspec

from ..settings import Settings

CONFIG, LOG, STDERR, LISTENER, READY = range(5)
"""The descriptors that a worker is born with: orders, its log, what Python says when it cannot log, the chargers' listening socket, and
where to say that it serves.

The first stays open as long as the parent lives.
"""


class WorkerConfig(msgspec.Struct, frozen=True):
    """What a worker is told, in one line of JSON."""

    settings: Settings
    reactor: str
    """The module of the reactor to run on: the parent's."""
    family: int
    """Of the chargers' listening socket."""
    operators: str
    """The path at which to serve operators' HTTP."""
