"""Gateways in memory that share a store and a clock, and end one by one."""

from __future__ import annotations

from twisted.internet.task import Clock

from ocpp_tw.memory import MemoryStore
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


class SharedStore:
    """Their store, their clock, and those that are running."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), Clock()
        self.running: list[InMemoryGateway] = []

    def gateway(self, name: str = "gw") -> InMemoryGateway:
        gateway = InMemoryGateway(Settings(name=name), self.store, self.clock)
        gateway.application.start()
        self.running.append(gateway)
        return gateway

    def ends(self, gateway: InMemoryGateway, *, killed: bool = False) -> None:
        """``killed``: without a chance to write anything."""
        if killed:
            gateway.states.available = False
        gateway.application.stop()
        gateway.fleet.stop()
        self.running.remove(gateway)
        self.store.owners.clear()
        self.store.living.discard(gateway.settings.name)

    def time(self, seconds: int) -> None:
        self.clock.pump([1] * seconds)

    def close(self) -> None:
        for each in self.running:
            each.application.stop()
