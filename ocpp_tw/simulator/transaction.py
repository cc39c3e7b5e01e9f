"""A transaction and a reservation, as a connector holds them.

Data only: what happens to them is the connector's matter.
"""

from __future__ import annotations

from typing import NamedTuple

from ..facts import Readings
from .transaction_queue import TransactionRef


class Transaction(TransactionRef):
    """A transaction from its start to its stop. ``began`` in simulated POSIX seconds, ``meter_start`` in Wh."""

    __slots__ = ("began", "data", "meter_start", "metered", "reason", "tag", "until")

    def __init__(self, tag: str, began: float, meter_start: float, until: float | None, reason: str) -> None:
        super().__init__()
        self.tag = tag
        self.began = began
        self.metered = began  # up to when the meter has counted
        self.meter_start = meter_start
        self.until = until
        self.reason = reason
        self.data: Readings = []


class Reservation(NamedTuple):
    """A connector is kept free for a tag, or for the tags of a group."""

    id: int
    tag: str
    parent_tag: str | None
