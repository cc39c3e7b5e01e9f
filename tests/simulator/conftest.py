"""Fixtures of the simulator's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_twisted

from simulator.central import Central
from simulator.station import Station


@pytest.fixture
def central() -> Iterator[Central]:
    """A central system in memory with a 1.6 charger of two connectors that is not connected yet."""
    it = Central(connectors=2)
    yield it
    it.shut_down()


@pytest_twisted.async_yield_fixture
async def station() -> AsyncIterator[Station]:
    """A central system on a real port."""
    it = Station()
    yield it
    await it.stop()
