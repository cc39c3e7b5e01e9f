"""Two gateways, one of them with two workers, seen by operators as one fleet."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import websockets

from clients import now
from fleets import PATIENCE

pytestmark = pytest.mark.live

COUNT = 12
MODEL = {"chargePointVendor": "V", "chargePointModel": "M", "firmwareVersion": "1.0"}


class Charger:
    """One that accepts every command."""

    def __init__(self, gateway: Any, id: str) -> None:
        self.gateway, self.id, self.calls = gateway, id, 0
        self.answers: dict[str, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> Charger:
        self.line = await websockets.connect(f"ws://127.0.0.1:{self.gateway.port}/{self.id}", subprotocols=["ocpp1.6"])
        self.task = asyncio.create_task(self._listen())
        await self.call("BootNotification", MODEL)
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self.line.close()
        self.task.cancel()

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        self.calls += 1
        id = f"{self.id}-{self.calls}"
        answer = self.answers[id] = asyncio.get_running_loop().create_future()
        await self.line.send(json.dumps([2, id, action, payload]))
        return await asyncio.wait_for(answer, PATIENCE)

    async def _listen(self) -> None:
        async for text in self.line:
            kind, id, *rest = json.loads(text)
            if kind == 2:
                await self.line.send(json.dumps([3, id, {"status": "Accepted"}]))
            else:
                self.answers.pop(id).set_result(rest[0])

    async def charge(self) -> int:
        start = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": now()}
        id = (await self.call("StartTransaction", start))["transactionId"]
        values = [("Energy.Active.Import.Register", "3000", "Wh"), ("Power.Active.Import", "7000", "W")]
        sampled = [{"measurand": name, "value": value, "unit": unit} for name, value, unit in values]
        await self.call(
            "MeterValues", {"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": now(), "sampledValue": sampled}]}
        )
        return int(id)

    async def stop(self, id: int) -> None:
        await self.call("StopTransaction", {"transactionId": id, "meterStop": 4000, "timestamp": now()})


def snapshot(gateway: Any, path: str) -> tuple[str, Any]:
    """The first event of a stream."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.http}{path}", timeout=PATIENCE) as answer:
        event = ""
        for line in answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            if name == "data":
                return event, json.loads(value)
    raise AssertionError("it ended")


def test_operators_see_one_fleet_whichever_gateway_they_ask(start: Any) -> None:
    one, two = start("--name", "one", "--workers", "2"), start("--name", "two")

    async def get(path: str, gateway: Any = one) -> Any:
        status, body = await asyncio.to_thread(gateway.get, path)
        assert status == 200, body
        return body

    async def until(path: str, true: Any, gateway: Any = one) -> Any:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not true(body := await get(path, gateway)):
            assert asyncio.get_running_loop().time() < deadline, body
            await asyncio.sleep(0.2)
        return body

    async def scenario() -> None:
        chargers = [Charger((one, two)[number % 2], f"c{number:02}") for number in range(COUNT)]
        for each in chargers:
            await each.__aenter__()
        await chargers[0].call("StatusNotification", {"connectorId": 1, "status": "Faulted", "errorCode": "GroundFailure"})
        transactions = {each: await each.charge() for each in chargers[1:4]}
        await chargers.pop().__aexit__()
        expected = {"total": COUNT, "online": 7, "charging": 3, "faulted": 1, "silent": 0, "unresponsive": 0, "away": 1}
        for gateway in (one, two):
            told = await until("/api/overview", lambda told: told["chargers"] == expected, gateway)
            assert [each["name"] for each in told["gateways"]] == ["one-1", "one-2", "two"] and told["missing"] == []
            assert told["power_w"] == 21_000 and told["energy_today_wh"] == 6000 and told["redis"]["connected"]
            page = await get("/api/fleet/chargers?sort=-id&limit=5&offset=2", gateway)
            assert [row["id"] for row in page["rows"]] == ["c09", "c08", "c07", "c06", "c05"] and page["total"] == COUNT
            assert [row["id"] for row in (await get("/api/fleet/chargers?state=away", gateway))["rows"]] == ["c11"]
            detail = await get("/api/fleet/chargers/c01", gateway)
            assert detail["row"]["gateway"] == "two" and detail["transactions"][0]["tag"] == "TAG"
            event, told = await asyncio.to_thread(snapshot, gateway, "/api/watch/chargers?state=charging")
            assert event == "snapshot" and [row["id"] for row in told["rows"]] == ["c01", "c02", "c03"]
        for charger, id in transactions.items():
            await charger.stop(id)
        rows = (await until("/api/transactions", lambda told: {row["state"] for row in told["rows"]} == {"ended"}))["rows"]
        assert [row["energy_wh"] for row in rows] == [3000] * 3 and {row["gateway"] for row in rows} <= {"one-1", "one-2", "two"}

        await until("/api/overview", lambda told: told["chargers"]["charging"] == 0)
        body = {"command": {"command": "reset", "data": {"type": "Soft"}}, "filter": {"state": ["online", "faulted", "away"]}}
        status, batch = await asyncio.to_thread(one.post, "/api/batches", body)
        assert status == 202 and batch["total"] == COUNT
        report = await until(f"/api/batches/{batch['id']}", lambda told: told["over"], two)
        assert report["outcomes"] == {"result": COUNT - 1, "offline": 1} and report["failed"][0]["charger"] == "c11"
        assert len((await get("/api/commands?action=Reset"))["rows"]) == COUNT - 1  # what is not connected has no version of OCPP
        assert [row["charger"] for row in (await get("/api/commands?failed=true"))["rows"]] == ["c11"]
        status, given = await asyncio.to_thread(two.post, "/api/commands", {"cp_id": "c00", "command": "clear_cache", "data": {}})
        assert status == 202
        await until(f"/api/commands/{given['id']}", lambda told: told.get("status") == "Accepted")
        for each in chargers:
            await each.__aexit__()
        for gateway in (one, two):
            await until("/api/overview", lambda told: told["chargers"]["away"] == told["chargers"]["total"] == COUNT, gateway)

    asyncio.run(asyncio.wait_for(scenario(), 5 * PATIENCE))
    command = [str(Path(sys.executable).parent / "ocpp-tw"), "status", "--url", f"http://127.0.0.1:{two.http}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and f"chargers  {COUNT}: " in done.stdout and f"away {COUNT}" in done.stdout and "one-2" in done.stdout
    one.stop()
    told = two.until(lambda: (answer := two.get("/api/overview")[1])["missing"] == [] and len(answer["gateways"]) == 1 and answer)
    assert told["chargers"]["away"] == COUNT
