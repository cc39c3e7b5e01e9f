"""Chargers' credentials are replaced while a gateway process and the simulator's chargers run: by HTTP, and seen in the events."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from fleets import PATIENCE

pytestmark = pytest.mark.live

PASSWORD = "a password from the factory"


@pytest.fixture
def simulate() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts chargers that only wait for commands."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        command = [Path(sys.executable).parent / "ocpp-tw", "simulate", "--id", "cp1", "--wait", *options]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield begin
    for each in started:
        each.kill()
        each.communicate()


def kinds(events: Any) -> list[str]:
    return [each["data"]["kind"] for each in events() if each["event"] == "security_event"]


def connections(events: Any) -> list[int]:
    """The security profiles with which the charger has come in."""
    return [each["data"]["security_profile"] for each in events() if each["event"] == "connect_charger"]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
def test_a_password_is_rotated_and_the_former_one_is_not_good_any_more(start, events, clean, simulate, ocpp):
    gateway = start()
    assert gateway.put("/api/chargers/cp1", {"password": PASSWORD})[0] == 200
    simulate("--url", f"ws://127.0.0.1:{gateway.port}/", "--ocpp", ocpp, "--password", PASSWORD)
    gateway.until(lambda: "boot_notification" in [each["event"] for each in events()])
    status, answer = gateway.post("/api/chargers/cp1/rotate-password", None)
    assert status == 200 and answer["status"] == "Accepted"
    gateway.until(lambda: "password_changed" in kinds(events))
    gateway.until(lambda: connections(events) == [1, 1])

    async def knock() -> None:
        shown = {"Authorization": "Basic " + b64encode(f"cp1:{PASSWORD}".encode()).decode()}
        async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/cp1", subprotocols=[f"ocpp{ocpp}"], additional_headers=shown):
            pass

    import asyncio

    with pytest.raises(websockets.InvalidStatus) as why:
        asyncio.run(asyncio.wait_for(knock(), PATIENCE))
    assert why.value.response.status_code == 401
    (result,) = [each["data"] for each in events() if each["event"] == "command_result"]
    assert (result["outcome"], result["status"]) == ("result", "Accepted")
    assert "attributeValue" not in json.dumps(result) and "Traceback" not in gateway.log.read_text()
