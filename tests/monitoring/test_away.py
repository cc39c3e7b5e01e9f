"""What is read of chargers that are away, and what this gateway knows of its own without reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from charging import begin, meter, status
from ocpp_tw.memory import MemoryStore
from ocpp_tw.settings import Settings
from ocpp_tw.testing import InMemoryGateway


class Looked:
    """Two gateways; somebody looks every second at the chargers that are away, as one of them knows them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = MemoryStore()
        self.here = InMemoryGateway(Settings(name="here"), store)
        self.other = InMemoryGateway(Settings(name="other"), store, self.here.clock)
        for each in (self.here, self.other):
            each.application.start()
        self.tables: Counter[str] = Counter()
        table = self.here.records.table

        def counted(name: str, owner: str, remembered: bool = False) -> Any:
            self.tables[name] += 1
            return table(name, owner, remembered)

        monkeypatch.setattr(self.here.records, "table", counted)

    async def row(self, seconds: int = 0) -> Any:
        for _ in range(seconds):
            self.here.clock.pump([0.25] * 4)
            await self.here.application.monitoring.away.rows()
        return (await self.here.application.monitoring.away.rows()).get("cp1")


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    made = Looked(monkeypatch)
    yield made
    for each in (made.here, made.other):
        each.application.stop()
        each.fleet.stop()


async def test_the_transactions_of_who_has_left_this_gateway_are_not_read(looked: Looked) -> None:
    charger = looked.here.connect()
    status(charger, 1, "Charging")
    meter(charger, begin(charger), energy=2000, power=7000)
    await looked.row(5)
    charger.disconnect()
    first = await looked.row()
    assert (first["state"], first["transactions"], first["energy_wh"], len(first["connectors"])) == ("away", 1, 1000, 1)
    assert await looked.row(40) == first
    assert looked.tables["transactions"] == 0


async def test_those_of_who_has_left_another_gateway_are_read_once(looked: Looked) -> None:
    charger = looked.other.connect()
    meter(charger, begin(charger), energy=2000, power=7000)
    await looked.row(5)
    charger.disconnect()
    assert (await looked.row(40))["energy_wh"] == 1000
    assert looked.tables["transactions"] == 1


async def test_what_was_kept_before_its_last_connection_is_there_though_that_told_only_a_part(looked: Looked) -> None:
    charger = looked.other.connect()
    for connector in (1, 2):
        status(charger, connector, "Available")
    await looked.row(5)
    charger.disconnect()
    await looked.row(5)
    charger = looked.here.connect()
    status(charger, 1, "Faulted")
    charger.disconnect()  # before what was kept of it has been read
    assert [each["status"] for each in (await looked.row())["connectors"]] == ["Faulted"]
    assert [each["status"] for each in (await looked.row(10))["connectors"]] == ["Faulted", "Available"]
