"""The curves of transactions whose charger has left: for how long, and of how many, they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from charging import begin, meter
from ocpp_tw.monitoring import last_curves
from ocpp_tw.monitoring.last_curves import KEPT_FOR
from ocpp_tw.testing import InMemoryGateway


def charged(gateway: InMemoryGateway, id: str) -> int:
    """A charger that has left in the middle of a transaction, whose id is returned."""
    charger = gateway.connect(id)
    meter(charger, transaction := begin(charger), energy=2000, power=7000)
    charger.disconnect()
    return transaction


async def curves(gateway: InMemoryGateway, id: str) -> Any:
    return (await gateway.fleet.ask("charger", {"id": id})).answers["gw"]["curves"]


async def test_they_are_kept_for_a_day() -> None:
    gateway = InMemoryGateway()
    transaction = charged(gateway, "one")
    gateway.clock.advance(KEPT_FOR)
    ((id, samples),) = await curves(gateway, "one")
    assert (id, [energy for _, _, energy, _ in samples]) == (transaction, [1000])
    gateway.clock.advance(1)
    assert await curves(gateway, "one") == []


async def test_without_a_transaction_or_once_it_is_back_there_is_none() -> None:
    gateway = InMemoryGateway()
    gateway.connect("idle").disconnect()
    assert await curves(gateway, "idle") == []
    charged(gateway, "one")
    back = gateway.connect("one")
    assert await curves(gateway, "one") == []
    gateway.connect("one", "10.0.0.1")  # again, before its old connection has ended
    back.disconnect()
    assert await curves(gateway, "one") == []


async def test_of_too_many_the_first_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_curves, "MAX_CHARGERS", 2)
    gateway = InMemoryGateway()
    for number in range(4):
        charged(gateway, f"c{number}")
    assert [bool(await curves(gateway, f"c{number}")) for number in range(4)] == [False, False, True, True]
