"""What a parent sends to a worker, and over which descriptors.

Knows neither process.
"""

from __future__ import annotations

import msgspec

from ..settings import Settings

CONFIG, LOG, STDERR, LISTENER, READY = range(5)
"""The descriptors that a worker starts with: its configuration, its log, Python's own error output, the chargers' listening socket, and
where to report that it serves.

The first stays open as long as the parent runs, which then writes there what it has to tell: a `FailedLogin` on a line each.
"""


class WorkerConfig(msgspec.Struct, frozen=True):
    """A worker's configuration, sent as one line of JSON."""

    settings: Settings
    reactor: str
    """The module of the reactor to run on, the same as the parent's."""
    family: int
    """The address family of the chargers' listening socket."""
    operators: str
    """The path at which to serve operators' HTTP."""
    front: str
    """The secret by which requests of the front of all workers are known."""
