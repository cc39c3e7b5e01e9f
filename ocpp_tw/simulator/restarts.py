"""How a charger itself ends its connection: it reboots, or it reconnects because its security has changed.

Knows neither what opens the next connection nor why a reboot is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .connector import Connector
from .messaging import Messaging
from .security import Security
from .simulated_clock import Timers

REBOOT_TIME = 10.0
"""Simulated seconds that a reboot takes."""


class Restarts:
    """The restarts of one charger. ``forget`` is called with the cause of a reboot, after which the charger has to register again."""

    def __init__(
        self,
        messaging: Messaging,
        connectors: Sequence[Connector],
        timers: Timers,
        security: Security,
        forget: Callable[[str], None],
    ) -> None:
        self.rebooting = self.reconnecting = False  # whether the connection was closed for that
        self._messaging = messaging
        self._connectors = connectors
        self._timers = timers
        self._security = security
        self._forget = forget

    def connected(self) -> None:
        """The connection is up again."""
        self.rebooting = self.reconnecting = False

    def reset(self, hard: bool) -> None:
        """End every transaction and reboot: at once, or (soft) with time for the central system to answer."""
        for connector in self._connectors:
            connector.stop("HardReset" if hard else "SoftReset")
            connector.unplug()
        self._timers.set("reset", 0.0 if hard or not len(self._messaging.queue) else REBOOT_TIME, self._reboot)

    def reconnect(self) -> None:
        """Close the connection and open it again, as the security settings say now; what is not delivered waits."""
        if self._messaging.online and not self.rebooting:
            self.reconnecting = True
            self._messaging.close(1000, "reconnecting")

    def _reboot(self) -> None:
        self._forget("RemoteReset")
        self._security.rebooted()
        self.rebooting = True
        self._messaging.queue.hold()
        self._messaging.close(1000, "rebooting")
