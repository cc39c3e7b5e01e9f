"""How long Redis has not answered: by what it was asked, and not by how busy the gateway is."""

from __future__ import annotations

import signal
import time

from fleets import RedisFleet, Valkey, until
from ocpp_tw.redis.lease_health import SILENT_AFTER


async def test_a_server_that_hangs_is_silent_until_it_goes_on(tmp_path):
    server = Valkey(tmp_path)
    fleet = RedisFleet(server)
    try:
        gateway = await fleet.gateway("a")
        await until(lambda: not gateway.fleet.trouble and not gateway.store.trouble)
        server.signal(signal.SIGSTOP)
        asked = gateway.store.connections.ordinary.client.send("PING")
        await until(lambda: gateway.fleet.trouble == "Redis does not answer", within=4.0)  # before its connections are given up
        assert gateway.store.trouble == "it does not answer" and not gateway.store.refuses
        assert gateway.store.connections.ordinary.silence > SILENT_AFTER
        server.signal(signal.SIGCONT)
        assert await asked
        assert not gateway.fleet.trouble and not gateway.store.trouble
    finally:
        await fleet.close()
        server.close()


async def test_an_answer_that_only_was_not_read_yet_is_one(clean):
    """The loop was busy."""
    fleet = RedisFleet(clean)
    try:
        gateway = await fleet.gateway("a")
        await until(lambda: not gateway.fleet.trouble)
        asked = gateway.store.connections.ordinary.client.send("PING")
        time.sleep(SILENT_AFTER + 0.2)
        assert gateway.store.connections.ordinary.silence == 0.0 and not gateway.fleet.trouble and not gateway.store.trouble
        assert await asked
    finally:
        await fleet.close()
