"""Publishes that chargers have connected: once the roster has said that they may, or does not answer.

Knows neither the roster nor which connection is the charger.
"""

from __future__ import annotations

from ..core import gateway_events
from ..core.history import back
from .charger import Charger
from .liveness import Liveness
from .publisher import Publisher


class Announcements:
    """One for a gateway."""

    def __init__(self, publisher: Publisher, liveness: Liveness) -> None:
        self._publisher = publisher
        self._liveness = liveness
        self._repairs: dict[Charger, tuple[str, ...]] = {}
        self._due: dict[Charger, tuple[str | None, str | None]] = {}

    def __contains__(self, charger: Charger) -> bool:
        """Whether it is still to be announced."""
        return charger in self._due

    def admitted(self, charger: Charger, repairs: tuple[str, ...]) -> None:
        """Its handshake is about to be completed; ``repairs`` is what had to be put right in it."""
        if repairs:
            self._repairs[charger] = repairs

    def prepare(self, charger: Charger, previous: Charger | None, takeover: str | None) -> None:
        """It is to be announced, and took over here from ``previous``, which is not announced any more if it was not yet."""
        due = (None, None) if previous is None else (previous.connection, takeover)
        before = None if previous is None else self._due.pop(previous, None)
        if before is not None:  # of the one between them nobody has heard
            due = (None, None) if before[0] is None else (before[0], takeover)
        self._due[charger] = due

    def unseated(self, charger: Charger, connection: str, takeover: str) -> None:
        """It took over from that connection to another gateway."""
        if self._due.get(charger, ("", ""))[0] is None:
            self._due[charger] = connection, takeover

    def announce(self, charger: Charger) -> bool:
        """Publish it, if that is due; whether it was."""
        due = self._due.pop(charger, None)
        if due is None:
            return False
        self._publish(charger, *due, list(self._repairs.pop(charger, ())))
        self._liveness.arrived(charger)
        return True

    def repeat(self, charger: Charger) -> None:
        """Publish it again, unless it is due anyway: it was published as disconnected meanwhile."""
        if charger not in self._due:
            self._publish(charger, None, None, [])

    def cancel(self, charger: Charger) -> bool:
        """It is not to be announced; whether it was due."""
        self._repairs.pop(charger, None)
        return self._due.pop(charger, None) is not None

    def _publish(self, charger: Charger, previous: str | None, takeover: str | None, repairs: list[str]) -> None:
        data = gateway_events.ConnectCharger(
            charger.id, charger.ocpp, charger.address, charger.security_profile, previous, takeover, repairs
        )
        self._publisher.publish(charger, "connect_charger", data, (back(charger.id),))
