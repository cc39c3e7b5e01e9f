"""When leases tell which gateways live, by what becomes of a gateway's own."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from ocpp_tw.redis.lease_health import LATE_AFTER, SETTLED_AFTER, SILENT_AFTER, LeaseHealth


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def silent_since() -> list[float]:
    """Since when a reply has been waited for, if one is."""
    return []


@pytest.fixture
def health(clock: Clock, silent_since: list[float]) -> LeaseHealth:
    return LeaseHealth(clock.seconds, lambda: clock.seconds() - silent_since[0] if silent_since else 0.0)


def test_all_is_well_before_there_is_a_lease_and_as_long_as_it_is_renewed(health: LeaseHealth, clock: Clock) -> None:
    clock.advance(100)
    assert health.trouble == health.outage == ""
    for _ in range(10):
        health.renewed(kept=True)
        clock.advance(3)
        assert health.trouble == health.outage == ""


def test_a_server_that_hangs(health: LeaseHealth, clock: Clock) -> None:
    health.renewed(kept=True)
    clock.advance(LATE_AFTER + 1)
    assert health.outage and health.trouble == "Redis does not answer"
    health.renewed(kept=True)
    assert health.outage == "" and "just now" in health.trouble
    clock.advance(SETTLED_AFTER)
    assert health.trouble == ""


def test_a_server_that_hangs_is_found_out_before_its_renewal_is_late(health: LeaseHealth, clock: Clock, silent_since: list[float]) -> None:
    health.renewed(kept=True)
    silent_since.append(clock.seconds())
    clock.advance(SILENT_AFTER / 2)
    assert health.outage == health.trouble == ""
    clock.advance(SILENT_AFTER)
    assert health.outage and health.trouble == "Redis does not answer"
    silent_since.clear()
    assert health.outage == health.trouble == ""  # no lease has expired for that


def test_one_that_refused_and_hangs_now_does_not_answer(health: LeaseHealth, clock: Clock, silent_since: list[float]) -> None:
    health.refused("OOM command not allowed")
    assert health.refuses == "OOM command not allowed"
    silent_since.append(clock.seconds())
    clock.advance(SILENT_AFTER + 1)
    assert health.trouble == "Redis does not answer" and health.refuses == ""


def test_a_server_that_refuses_is_told_of_at_once(health: LeaseHealth, clock: Clock) -> None:
    health.renewed(kept=True)
    health.refused("READONLY You can't write against a read only replica.")
    assert health.outage.startswith("READONLY") and health.trouble.startswith("Redis takes no writes: READONLY")
    health.renewed(kept=True)
    assert health.outage == "" and health.trouble
    clock.advance(SETTLED_AFTER)
    assert health.trouble == ""


def test_where_the_own_lease_was_lost_others_may_be_too(health: LeaseHealth, clock: Clock) -> None:
    health.renewed(kept=True)
    health.renewed(kept=False)
    assert health.outage == "" and health.trouble
    clock.advance(SETTLED_AFTER)
    assert health.trouble == ""
