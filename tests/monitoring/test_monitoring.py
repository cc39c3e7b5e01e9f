"""What a gateway tells of itself: its health, and the energy of a day in which it was started again."""

from __future__ import annotations

from time import gmtime, strftime
from typing import Any

from twisted.internet.task import Clock

from ocpp_tw.monitoring.health import Health, memory
from ocpp_tw.testing import START_TIME


class Store:
    """The health of a store."""

    trouble = refuses = ""

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
    assert health.report()["redis"] == {"state": "ok", "connected": True, "unread": 5, "trouble": ""}
    assert health.report()["spool"] == {"groups": 1, "events": 2, "trouble": ""}
    assert health.report()["backend"] == {"state": "ok", "detail": ""}
    store.trouble, backend.trouble = "refused", "no answer"
    assert health.report()["redis"] == {"state": "away", "connected": False, "unread": 5, "trouble": "refused"}
    assert health.report()["backend"] == {"state": "failing", "detail": "no answer"}
    store.trouble = store.refuses = "OOM command not allowed"
    assert health.report()["redis"] == {"state": "refusing", "connected": False, "unread": 5, "trouble": "OOM command not allowed"}
    assert memory() > 1 << 20
