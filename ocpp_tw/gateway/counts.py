"""What a gateway counts while it works: plain numbers, since a message has no time for more.

Knows neither who reads them nor what they are called there.
"""

from __future__ import annotations

from collections import defaultdict

from ..histogram import LONG_SECONDS, Histogram

OTHER = "other"
"""Stands for every action that OCPP does not know: chargers may send any number of them."""


class Counts:
    """One for a gateway; they only grow.

    ``received`` are the CALLs (and SENDs) of chargers, ``sent`` those to them, by action; ``events`` are by name, ``commands`` by outcome,
    ``refused`` are refused handshakes by HTTP status, also those that are not told one by one. ``commands_took`` is how long chargers took to answer commands, in seconds.
    """

    __slots__ = ("commands", "commands_took", "events", "received", "refused", "sent")

    def __init__(self) -> None:
        self.received: defaultdict[str, int] = defaultdict(int)
        self.sent: defaultdict[str, int] = defaultdict(int)
        self.events: defaultdict[str, int] = defaultdict(int)
        self.commands: defaultdict[str, int] = defaultdict(int)
        self.refused: defaultdict[int, int] = defaultdict(int)
        self.commands_took = Histogram(LONG_SECONDS)
