"""A charger's registration with the central system: BootNotifications until it is accepted, then Heartbeats.

Knows neither the connection nor what the charger does once it is accepted.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace
from twisted.internet.defer import Deferred, succeed

from ..facts import Heartbeat, Registration, Verdict
from .configuration import Configuration
from .host import Boot
from .messaging import Messaging
from .simulated_clock import Timers
from .waiters import Waiters

BOOT_RETRY_INTERVAL = 30.0
"""Simulated seconds until the next BootNotification when the answer names no interval, or none came."""


class Registrar:
    """The registration of one charger. ``on_accepted`` and ``on_refused`` are called at each answer to a BootNotification."""

    def __init__(
        self,
        identity: Boot,
        messaging: Messaging,
        configuration: Configuration,
        timers: Timers,
        on_accepted: Callable[[], None],
        on_refused: Callable[[], None],
    ) -> None:
        self.identity = identity
        self.registration: Registration | None = None
        self._messaging = messaging
        self._configuration = configuration
        self._timers = timers
        self._on_accepted = on_accepted
        self._on_refused = on_refused
        self._waiting_for_ready = Waiters()

    @property
    def mute(self) -> bool:
        """Whether the charger must send nothing until the next BootNotification (OCPP 1.6 §4.2)."""
        return self.registration is not None and self.registration.status == "Rejected"

    @property
    def accepted(self) -> bool:
        """Whether the central system has accepted the charger since it booted."""
        return self.registration is not None and self.registration.status == "Accepted"

    def when_ready(self) -> Deferred[None]:
        """Fires as soon as the charger is connected and accepted."""
        if self.accepted and self._messaging.online:
            return succeed(None)
        return self._waiting_for_ready.add()

    def notify_waiting(self) -> None:
        """Fire what `when_ready` returned."""
        self._waiting_for_ready.fire()

    def boot(self, cause: str | None = None) -> None:
        """Send a BootNotification; ``cause`` for this one only."""
        self._timers.drop("boot")
        boot = self.identity if cause is None else replace(self.identity, cause=cause)
        self._messaging.send_fact(boot, self._booted, lambda _: self._boot_later(BOOT_RETRY_INTERVAL))

    def forget(self, cause: str) -> None:
        """The charger reboots for that cause, and has to register again."""
        self.registration = None
        self.identity = replace(self.identity, cause=cause)
        self._timers.drop("boot")

    def schedule_heartbeat(self) -> None:
        """Send the next Heartbeat after the configured interval."""
        interval = self._configuration.number("HeartbeatInterval")
        self._timers.drop("heartbeat")
        if interval and self.accepted and self._messaging.online:
            self._timers.set("heartbeat", interval, self._heartbeat)

    def stop_heartbeat(self) -> None:
        """Send no more Heartbeats on this connection."""
        self._timers.drop("heartbeat")

    def _booted(self, verdict: Verdict) -> None:
        assert isinstance(verdict, Registration)
        self.registration = verdict
        if verdict.status == "Accepted":
            if verdict.interval:  # OCPP 1.6 §4.2: 0 leaves the choice to the charger
                self._configuration.set("HeartbeatInterval", str(verdict.interval))
            self._on_accepted()
        else:
            self._on_refused()
            self._boot_later(verdict.interval or BOOT_RETRY_INTERVAL)

    def _boot_later(self, seconds: float) -> None:
        if self._messaging.online:  # otherwise the next connection begins with it
            self._timers.set("boot", seconds, self.boot)

    def _heartbeat(self) -> None:
        self._messaging.send_fact(Heartbeat())
        self.schedule_heartbeat()
