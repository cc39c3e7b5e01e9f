"""That a gateway of the fleet is gone, and that it is back, is among the troubles: once, whoever is there to tell it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ocpp_tw.monitoring.gateway_reports import MISSED_AFTER
from ocpp_tw.testing import InMemoryGateway
from shared_store import SharedStore

SOON = 60
"""Seconds within which it is told."""


class Fleet(SharedStore):
    """With what is told of its gateways."""

    @property
    def told(self) -> list[dict[str, Any]]:
        rows = [msgspec.json.decode(each) for each in self.store.recent["troubles"]]
        return [each for each in rows if each["event"] == "gateway_gone"]

    def lease(self, gateway: InMemoryGateway, *, held: bool) -> None:
        """``held``: it is there for others; else it runs, but they hear nothing of it."""
        gateway.fleet.away = not held
        name = gateway.settings.name
        self.store.living.add(name) if held else self.store.living.discard(name)


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.close()


def test_it_is_told_once_since_when_a_gateway_is_gone_and_how_many_chargers_it_had(fleet: Fleet) -> None:
    first, *_ = fleet.gateway("a"), fleet.gateway("b"), fleet.gateway("c")
    for number in range(3):
        first.connect(f"cp{number}")
    fleet.time(12)
    last = first.application.monitoring.reports
    fleet.ends(first, killed=True)
    fleet.time(SOON)
    [told] = fleet.told
    assert (told["name"], told["chargers"], told["over"], told["seconds"]) == ("a", 3, False, None)
    assert told["gateway"] in ("b", "c") and "charger" not in told
    assert [told["since"]] == [each["since"] for each in last.gone(set()) if each["name"] == "a"]
    assert "gateway a is gone" in told["description"] and "with 3 chargers" in told["description"]
    fleet.time(300)
    assert len(fleet.told) == 1


def test_that_it_is_back_it_tells_itself(fleet: Fleet) -> None:
    first, _ = fleet.gateway("a"), fleet.gateway("b")
    fleet.ends(first, killed=True)
    fleet.time(SOON)
    fleet.clock.advance(0.123456)
    fleet.gateway("a")
    fleet.time(SOON)
    gone, back = fleet.told
    assert (back["name"], back["gateway"], back["over"], back["since"]) == ("a", "a", True, gone["since"])
    assert SOON <= back["seconds"] <= 2 * SOON and back["seconds"] == round(back["seconds"], 1)
    fleet.time(300)
    assert len(fleet.told) == 2


def test_the_only_gateway_tells_that_it_was_gone_once_it_is_back(fleet: Fleet) -> None:
    fleet.ends(fleet.gateway("a"), killed=True)
    fleet.clock.advance(MISSED_AFTER + 1)
    fleet.gateway("a")
    fleet.time(SOON)
    [back] = fleet.told
    assert back["over"] and back["seconds"] > MISSED_AFTER


@pytest.mark.parametrize("again", [False, True])
def test_one_that_was_stopped_is_not_missed(fleet: Fleet, again: bool) -> None:
    first, _ = fleet.gateway("a"), fleet.gateway("b")
    fleet.ends(first)
    fleet.time(300)
    if again:
        fleet.gateway("a")
        fleet.time(SOON)
    assert fleet.told == []


def test_one_that_is_started_again_at_once_is_not_missed(fleet: Fleet) -> None:
    first, _ = fleet.gateway("a"), fleet.gateway("b")
    fleet.ends(first, killed=True)
    fleet.time(12)
    fleet.gateway("a")
    fleet.time(SOON)
    assert fleet.told == []


def test_one_that_could_not_be_reached_for_a_while_is_back_without_a_start(fleet: Fleet) -> None:
    first, _ = fleet.gateway("a"), fleet.gateway("b")
    fleet.lease(first, held=False)
    first.states.available = False
    fleet.time(SOON)
    assert [each["over"] for each in fleet.told] == [False]
    fleet.lease(first, held=True)
    first.states.available = True
    fleet.time(2 * SOON)
    assert [(each["gateway"], each["over"]) for each in fleet.told] == [("b", False), ("a", True)]


def test_while_others_cannot_be_asked_nobody_is_missed(fleet: Fleet) -> None:
    first, second = fleet.gateway("a"), fleet.gateway("b")
    fleet.ends(first, killed=True)
    second.fleet.away = True
    fleet.time(SOON)
    assert fleet.told == []
    second.fleet.away = False
    fleet.time(SOON)
    assert [each["name"] for each in fleet.told] == ["a"]
