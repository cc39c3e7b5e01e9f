"""What a gateway tells of itself: its health, and the energy of a day in which it was started again."""

from __future__ import annotations

from time import gmtime, strftime
from typing import Any

import pytest
from twisted.internet.task import Clock

from ocpp_tw.memory import MemoryStore
from ocpp_tw.monitoring.health import Health, memory
from ocpp_tw.settings import Settings
from ocpp_tw.testing import START_TIME, InMemoryGateway


class Store:
    """The health of a store."""

    trouble = ""

    def unread(self) -> int | None:
        return 5

    def spooled(self) -> dict[str, Any]:
        return {"groups": 1, "events": 2, "trouble": ""}


class Backend:
    trouble = ""


def time_at(seconds: float) -> str:
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(START_TIME + seconds))


def test_the_lag_is_the_worst_of_the_last_ten_seconds() -> None:
    clock = Clock()
    health = Health(clock, Store(), None, cpu=lambda: clock.seconds() / 4)
    health.start()
    clock.pump([0.5] * 4)
    assert health.report()["loop_lag_ms"] == 0
    clock.advance(0.875)  # the loop was busy for 0.375 s
    clock.pump([0.125] * 16)
    assert health.report()["loop_lag_ms"] == 375
    assert health.report()["cpu"] == 0.25
    clock.pump([0.125] * 100)
    assert health.report()["loop_lag_ms"] == 0
    health.stop()


def test_it_tells_whether_redis_spool_and_backend_do_their_part() -> None:
    store, backend = Store(), Backend()
    health = Health(Clock(), store, backend)
    assert health.report()["redis"] == {"connected": True, "unread": 5, "trouble": ""}
    assert health.report()["spool"] == {"groups": 1, "events": 2, "trouble": ""}
    assert health.report()["backend"] == {"state": "ok", "detail": ""}
    store.trouble, backend.trouble = "refused", "no answer"
    assert health.report()["redis"] == {"connected": False, "unread": 5, "trouble": "refused"}
    assert health.report()["backend"] == {"state": "failing", "detail": "no answer"}
    assert memory() > 1 << 20


def transaction(gateway: InMemoryGateway, energy: int, begun: float, ended: float) -> None:
    charger = gateway.connect()
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": time_at(begun)}
    id = charger.call("StartTransaction", start)["transactionId"]
    charger.call("StopTransaction", {"transactionId": id, "meterStop": energy, "timestamp": time_at(ended)})


def test_the_energy_of_the_day_survives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    store, clock = MemoryStore(), Clock()
    first = InMemoryGateway(Settings(name="gw"), store, clock)
    other = InMemoryGateway(Settings(name="other"), store, clock)
    transaction(first, 1000, -600, 0)
    transaction(other, 50, -600, 0)
    clock.advance(86_400 - 14 * 3600)  # it is 14:13 at first: now it is the next day, 00:13
    transaction(first, 2000, 86_400 - 14 * 3600 - 1600, 86_400 - 14 * 3600)  # half of it before midnight
    transaction(first, 300, 86_400 - 14 * 3600 - 10, 86_400 - 14 * 3600)
    clock.advance(60)
    again = InMemoryGateway(Settings(name="gw"), store, clock)
    again.application.start()
    assert again.application.monitoring.today.wh == pytest.approx(300 + 2000 * 800 / 1600, abs=2)
    again.application.stop()


def test_without_its_history_the_energy_of_the_day_begins_now() -> None:
    gateway = InMemoryGateway(Settings(name="gw", history=0))
    transaction(gateway, 1000, -60, 0)
    gateway.application.start()
    assert gateway.application.monitoring.today.wh == 0
    gateway.application.monitoring.observer.sweep()
    assert gateway.application.monitoring.today.wh == 1000
    gateway.application.stop()
