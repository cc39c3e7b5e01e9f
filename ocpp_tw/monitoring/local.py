"""What this gateway knows for operators: the state of its chargers, its rates and its health.

Knows neither other gateways nor HTTP.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ..gateway.charger import Charger
from ..gateway.gateway import Gateway
from ..gateway.incoming import IncomingCalls
from ..interfaces import IEvents
from .energy_today import EnergyToday
from .health import Backend, Health, StoreHealth
from .observer import Observer
from .rates import Rates


class Local:
    """One for a gateway. ``store`` is the health of the store, ``backend`` the backend if there is one."""

    def __init__(
        self,
        clock: IReactorTime,
        unix: Callable[[], float],
        gateway: Gateway,
        incoming: IncomingCalls,
        events: IEvents,
        store: StoreHealth,
        backend: Backend | None,
    ) -> None:
        self.today = EnergyToday(unix)
        self.observer = Observer(gateway.chargers, clock, unix, self.today)
        self.rates = Rates(clock, gateway.chargers, events)
        self.health = Health(clock, store, backend)
        self.started = unix()
        incoming.observers.update(self.observer.observers)
        gateway.on_current = self.observer.arrived
        gateway.on_departed = self._departed

    def start(self) -> None:
        """Begin to look."""
        for each in (self.observer, self.rates, self.health):
            each.start()

    def stop(self) -> None:
        """Look no more."""
        for each in (self.observer, self.rates, self.health):
            each.stop()

    def _departed(self, charger: Charger) -> None:
        self.rates.departed(charger)
        self.observer.departed(charger)
