"""What the central system has stored on a 2.x charger besides configuration, tags and profiles.

Holds it by id; knows nothing of what is done with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..ocpp.frames import Payload


@dataclass(slots=True)
class Monitor:
    """A monitored variable; ``settings`` is OCPP's VariableMonitoringType."""

    component: Payload
    variable: Payload
    settings: Payload
    preset: bool = False  # built into the charger: it cannot be cleared


@dataclass(slots=True)
class Stream:
    """A periodic event stream (2.1), requested or open: its data so far, and the ``basetime`` of their offsets."""

    id: int
    monitor: int
    interval: float
    values: int
    open: bool = False
    base: float = 0.0
    data: list[Payload] = field(default_factory=list)


@dataclass(slots=True)
class DeviceState:
    """The stored items of one charger, by the ids that the central system knows."""

    monitors: dict[int, Monitor] = field(default_factory=dict)
    streams: dict[int, Stream] = field(default_factory=dict)
    messages: dict[int, Payload] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    resetting: bool = False  # a reset waits until no transaction is running
