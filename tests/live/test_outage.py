"""A gateway process without its Redis: chargers go on charging, and every acknowledged event reaches Redis later."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.sync.client import ClientConnection, connect

from clients import Obedient, eventually
from fleets import PATIENCE, Valkey

pytestmark = pytest.mark.live

START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-11-23T08:00:00Z"}


class Charger:
    """A charger that sends one CALL at a time."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.ids = 0

    def call(self, action: str, payload: Any) -> dict[str, Any]:
        self.ids += 1
        self.connection.send(json.dumps([2, f"{id(self)}-{self.ids}", action, payload]))
        answer = json.loads(self.connection.recv(PATIENCE))
        assert answer[0] == 3, answer
        return answer[2]


@contextmanager
def connected(port: int) -> Iterator[Charger]:
    with connect(f"ws://127.0.0.1:{port}/cp1", subprotocols=["ocpp1.6"], open_timeout=PATIENCE) as connection:
        yield Charger(connection)


@pytest.fixture
def server(tmp_path: Path):
    """A Valkey that is not running yet."""
    (tmp_path / "valkey").mkdir()
    valkey = Valkey(tmp_path / "valkey", "--appendonly", "yes", "--appendfsync", "always")
    valkey.kill()
    yield valkey
    valkey.close()


def test_all_events_of_a_session_without_redis_are_delivered_later(start, server):
    """F2, F14: Redis was never available, and the gateway is killed in between."""
    gateway = start(redis=server.url)
    with connected(gateway.port) as charger:
        assert charger.call("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})["status"] == "Accepted"
        answer = charger.call("StartTransaction", START)
        assert answer["idTagInfo"]["status"] == "Accepted" and answer["transactionId"] > 0
        gateway.stop(signal.SIGKILL)
    gateway.start()
    with connected(gateway.port) as charger:
        assert charger.call("StartTransaction", START) == answer  # it never got the answer, and sends it again under another id
        stop = {"transactionId": answer["transactionId"], "meterStop": 4000, "timestamp": "2026-11-23T09:00:00Z"}
        charger.call("StopTransaction", stop)
        charger.call("Heartbeat", {})
        readiness = gateway.get("/readyz")[1]
        assert readiness["ready"] and not readiness["redis"] and readiness["spool"]["events"] >= 6
        server.start()
        gateway.until(lambda: gateway.get("/readyz")[1]["spool"]["events"] == 0)
    events = [json.loads(each) for each in server("LRANGE", "events", 0, -1)]
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    names = [each["event"] for each in events]
    assert [names.count(each) for each in ("boot_notification", "start_transaction", "stop_transaction", "health")] == [1, 1, 1, 1]
    (stopped,) = [each["data"] for each in events if each["event"] == "stop_transaction"]
    assert (stopped["energy_wh"], stopped["match"]) == (3000, "exact")
    assert gateway.stop() == 0


def test_a_charger_that_connected_during_an_outage_gets_commands_after_it(start, server):
    gateway = start(redis=server.url)
    with connected(gateway.port) as charger:
        charger.call("Heartbeat", {})
        server.start()
        gateway.until(lambda: gateway.get("/readyz")[1]["redis"])

        def command() -> Any:
            server("RPUSH", "commands", json.dumps({"CpID": "cp1", "data": [2, f"command-{time.monotonic()}", "ClearCache", {}]}))
            try:
                return json.loads(charger.connection.recv(1))
            except TimeoutError:
                return None

        assert gateway.until(command)[2] == "ClearCache"


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_command_by_http_is_refused_for_now_and_never_sent(start, server, how):
    """CONTRACT 4: whichever worker is asked, and whichever has the charger."""
    server.start()
    gateway = start("--workers", "2", redis=server.url)
    chargers, ids = [Obedient(f"cp{n}") for n in range(6)], [f"cp{n}" for n in range(6)]

    async def ask(charger: str) -> tuple[int, Any]:
        return await asyncio.to_thread(gateway.post, "/command/", {"cp_id": charger, "command": "clear_cache", "id": "u1"})

    async def scenario() -> None:
        tasks = [each.connect(gateway) for each in chargers]
        await eventually(lambda: sorted(server("HKEYS", "ocpp:owners")) == [each.encode() for each in ids])
        if how == "killed":
            server.kill()
        else:
            server.signal(signal.SIGSTOP)
        began = time.monotonic()
        for status, answer in await asyncio.gather(*[ask(each) for each in [*ids, *ids, "unknown"]]):
            if answer["outcome"] == "duplicate":  # asked twice at the same worker
                continue
            assert (status, answer["outcome"], answer["error"]["code"]) == (503, "error", "unavailable")
        assert time.monotonic() - began < 20
        if how == "killed":
            server.start()
        else:
            server.signal(signal.SIGCONT)
        await eventually(lambda: gateway.get("/readyz")[1]["redis"] and gateway.get("/readyz")[1]["spool"]["events"] == 0)
        assert [each.got for each in chargers] == [[]] * 6
        assert await asyncio.gather(*map(ask, ids)) == [(200, {"status": "Accepted"})] * 6
        assert [each.ids() for each in chargers] == [["u1"]] * 6
        for each in tasks:
            each.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 3 * PATIENCE))


def test_an_unusable_spool_ends_the_gateway_with_one_line(start, server, tmp_path):
    (tmp_path / "file").write_text("")
    gateway = start("--spool", str(tmp_path / "file" / "x"), redis=server.url, wait=False)
    assert gateway.process.wait(PATIENCE) == 1
    assert "--spool:" in gateway.log.read_text() and "Traceback" not in gateway.log.read_text()


def test_a_thousand_busy_chargers_are_closed_in_time(start, clean):
    """F15: every answered message has its event, the others will be sent again, and the process ends with status 0."""
    gateway = start()
    acknowledged: set[str] = set()
    codes: list[int] = []

    async def charge(n: int) -> None:
        async with websockets.connect(
            f"ws://127.0.0.1:{gateway.port}/cp{n:04}",
            subprotocols=["ocpp1.6"],
            compression=None,
            open_timeout=3 * PATIENCE,
            ping_interval=None,
        ) as connection:
            for beat in range(100_000):
                try:
                    await connection.send(json.dumps([2, f"{n}/{beat}", "Heartbeat", {}]))
                    acknowledged.add(json.loads(await connection.recv())[1])
                except websockets.ConnectionClosed as closed:
                    codes.append(closed.rcvd.code if closed.rcvd else 1006)
                    return
                await asyncio.sleep(0.5)

    async def scenario() -> float:
        chargers = asyncio.gather(*(charge(n) for n in range(1000)))
        while len(acknowledged) < 2000:
            await asyncio.sleep(0.1)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(gateway.process.wait, PATIENCE)
        taken = time.monotonic() - began
        await chargers
        return taken

    taken = asyncio.run(scenario())
    assert gateway.process.returncode == 0 and taken < 40  # ten seconds on an idle machine, of which --drain is most
    assert set(codes) == {1012} and len(codes) == 1000
    published = {
        each["message_id"] for each in (json.loads(each) for each in clean("LRANGE", "events", 0, -1)) if each["event"] == "health"
    }
    assert acknowledged <= published
