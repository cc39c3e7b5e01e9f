"""What gateways tell last of themselves: the energy of the day survives them, and those that were not stopped are missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from charging import begin, end, meter
from ocpp_tw.core.entries import FLEET, GATEWAYS
from ocpp_tw.monitoring.gateway_reports import FORGOTTEN_AFTER, GONE_FOR
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway
from shared_store import SharedStore


class Fleet(SharedStore):
    """With what they show."""

    def overview(self, gateway: InMemoryGateway) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        Deferred.fromCoroutine(gateway.application.monitoring.fleet_overview.overview()).addCallback(found.append)
        self.clock.pump([0.1] * 50)
        return found[0]


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.close()


@pytest.mark.parametrize("killed", [False, True])
def test_the_energy_of_the_day_survives_a_restart_with_what_running_transactions_have_delivered(fleet: Fleet, killed: bool) -> None:
    first = fleet.gateway()
    charger, other = first.connect("cp1"), first.connect("cp2")
    id = begin(charger, meter=1000)
    end(other, begin(other, meter=0), 300)
    fleet.time(4)
    meter(charger, id, energy=5000)
    fleet.time(70)
    fleet.ends(first, killed=killed)
    again = fleet.gateway()
    assert again.application.monitoring.today.wh == 4300
    charger = again.connect("cp1")
    end(charger, id, 7000)  # at once, before it has been read what was kept
    fleet.time(8)
    assert again.application.monitoring.today.wh == 6300


def test_what_came_just_before_a_stop_counts(fleet: Fleet) -> None:
    first = fleet.gateway()
    charger = first.connect()
    end(charger, begin(charger, meter=0), 300)
    fleet.ends(first)
    assert fleet.gateway().application.monitoring.today.wh == 300


def test_the_energy_of_another_day_does_not_count(fleet: Fleet) -> None:
    first = fleet.gateway()
    charger = first.connect()
    end(charger, begin(charger, meter=0), 300)
    fleet.ends(first)
    fleet.clock.advance(86_400)
    again = fleet.gateway()
    assert again.application.monitoring.today.wh == 0
    assert fleet.overview(again)["energy_today_wh"] == 0


def test_what_was_counted_while_the_store_was_away_is_added_to_what_it_has(fleet: Fleet) -> None:
    first = fleet.gateway()
    charger = first.connect()
    end(charger, begin(charger, meter=0), 300)
    fleet.ends(first)
    again = InMemoryGateway(Settings(name="gw"), fleet.store, fleet.clock)
    again.states.available = False
    again.application.start()
    fleet.running.append(again)
    charger = again.connect()
    end(charger, begin(charger, meter=10), 60)
    fleet.time(70)
    again.states.available = True
    fleet.time(70)
    assert again.application.monitoring.today.wh == 350
    assert fleet.overview(again)["energy_today_wh"] == 350


@pytest.mark.parametrize("killed", [False, True])
def test_the_energy_of_a_gateway_that_is_down_stays_in_the_sum(fleet: Fleet, killed: bool) -> None:
    first, second = fleet.gateway("a"), fleet.gateway("b")
    for gateway, id in ((first, "cp1"), (second, "cp2")):
        charger = gateway.connect(id)
        end(charger, begin(charger, meter=0), 300)
    fleet.time(70)
    assert fleet.overview(second)["energy_today_wh"] == 600
    fleet.ends(first, killed=killed)
    assert fleet.overview(second)["energy_today_wh"] == 600


def test_a_gateway_that_was_killed_is_missed_for_a_day_or_until_it_is_back(fleet: Fleet) -> None:
    first, second = fleet.gateway("a"), fleet.gateway("b")
    fleet.time(10)
    assert fleet.overview(second)["gone"] == []
    fleet.ends(first, killed=True)
    assert fleet.overview(second)["gone"] == [{"name": "a", "since": "2026-09-21T14:13:30Z", "chargers": 0}]
    first = fleet.gateway("a")
    assert fleet.overview(second)["gone"] == []
    fleet.ends(first, killed=True)
    assert [each["name"] for each in fleet.overview(second)["gone"]] == ["a"]
    fleet.clock.advance(GONE_FOR)
    assert fleet.overview(second)["gone"] == []


def test_what_was_counted_in_an_outage_is_told_as_soon_as_it_is_over(fleet: Fleet) -> None:
    first, second = fleet.gateway("a"), fleet.gateway("b")
    charger = first.connect("cp1")
    id = begin(charger, meter=1000)
    fleet.time(70)
    first.states.available = second.states.available = False
    for energy in (2000, 3000, 4000):
        meter(charger, id, energy=energy)
        fleet.time(67)
    first.states.available = second.states.available = True
    fleet.time(7)
    fleet.ends(first, killed=True)
    told = fleet.overview(second)
    assert told["energy_today_wh"] == 3000 and told["gone"] == [{"name": "a", "since": "2026-09-21T14:17:53Z", "chargers": 1}]
    again = fleet.gateway("a")
    meter(again.connect("cp1"), id, energy=4500)
    fleet.time(8)
    assert again.application.monitoring.today.wh == 3500


def test_a_gateway_that_was_stopped_is_not_missed(fleet: Fleet) -> None:
    first, second = fleet.gateway("a"), fleet.gateway("b")
    fleet.ends(first)
    assert fleet.overview(second)["gone"] == []


def test_of_gateways_that_are_long_gone_nothing_is_kept(fleet: Fleet) -> None:
    fleet.ends(fleet.gateway("a"), killed=True)
    fleet.store.tables[FLEET, GATEWAYS]["other release"] = b"{}"
    fleet.clock.advance(FORGOTTEN_AFTER + 1)
    fleet.gateway("b")
    assert set(fleet.store.tables[FLEET, GATEWAYS]) == {"b", "other release"}
