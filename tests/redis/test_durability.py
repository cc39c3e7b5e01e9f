"""The gateway logs at its start what guarantee its Redis gives."""

from __future__ import annotations

import pytest

from fleets import soon
from ocpp_tw.redis import RedisStore
from ocpp_tw.redis.durability import guarantee
from ocpp_tw.settings import Settings

SAFE = {"appendonly": "yes", "appendfsync": "always", "maxmemory": "0", "maxmemory-policy": "allkeys-lru"}


@pytest.mark.parametrize(
    ("config", "said", "well"),
    [
        (SAFE, "survives a power cut", True),
        (SAFE | {"appendfsync": "everysec"}, "the last second", False),
        (SAFE | {"appendonly": "no"}, "appendonly no", False),
        (SAFE | {"maxmemory": "1000000"}, "allkeys-lru", False),
        (SAFE | {"maxmemory": "1000000", "maxmemory-policy": "noeviction"}, "survives", True),
        (SAFE | {"connected_slaves": "2", "min-replicas-to-write": "0"}, "fail-over", False),
        (SAFE | {"connected_slaves": "2", "min-replicas-to-write": "1"}, "survives", True),
        (SAFE | {"connected_slaves": "0", "min-replicas-to-write": "0"}, "survives", True),
        ({}, "CONFIG", False),
    ],
)
def test_each_guarantee_is_one_line(config, said, well):
    """FAULTS, definition of nothing lost: it holds only as far as Redis keeps it."""
    line, is_well = guarantee(config)
    assert said in line and is_well is well and "\n" not in line


async def test_a_real_server_is_asked(store_url):
    from twisted.internet import reactor

    store = RedisStore(Settings(name="gw", redis=store_url), reactor)
    store.startService()
    line, well = await soon(store.guarantee())
    assert "appendonly no" in line and not well
    await store.stopService()
