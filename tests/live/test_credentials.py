"""Chargers' credentials are replaced while a gateway process and the simulator's chargers run: by HTTP, and seen in the events."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from certificates import Made
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

    with pytest.raises(websockets.InvalidStatus) as why:
        asyncio.run(asyncio.wait_for(knock(), PATIENCE))
    assert why.value.response.status_code == 401
    (result,) = [each["data"] for each in events() if each["event"] == "command_result"]
    assert (result["outcome"], result["status"]) == ("result", "Accepted")
    assert "attributeValue" not in json.dumps(result) and "Traceback" not in gateway.log.read_text()


def test_a_charger_gets_a_certificate_of_the_operators_authority_and_comes_in_with_it(start, events, simulate, tmp_path):
    """From profile 2 to 3, over a real TLS connection."""
    made = subprocess.run([Path(sys.executable).parent / "ocpp-tw", "ca", "init", str(tmp_path / "ca")], capture_output=True, text=True)
    assert made.returncode == 0 and "--ca" in made.stdout, made.stderr
    own, both, root = Made("gateway"), tmp_path / "ca" / "ca.pem", tmp_path / "ca" / "root.pem"
    gateway = start("--tls", own.write(tmp_path / "tls.pem"), "--tls-client-ca", str(root), "--ca", str(both))
    (trusted := tmp_path / "trusted.pem").write_bytes(own.certificate + root.read_bytes())
    assert gateway.put("/api/chargers/cp1", {"password": PASSWORD})[0] == 200
    simulate("--url", f"wss://127.0.0.1:{gateway.port}/", "--password", PASSWORD, "--ca", str(trusted))
    gateway.until(lambda: "boot_notification" in [each["event"] for each in events()])

    def command(action: str, payload: Any) -> Any:
        return gateway.post("/command/", {"CpID": "cp1", "data": [2, action, action, payload]})[1]["status"]

    assert command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}) == "Accepted"
    gateway.until(lambda: "certificate_issued" in kinds(events))
    assert command("ChangeConfiguration", {"key": "SecurityProfile", "value": "3"}) == "Accepted"
    gateway.until(lambda: "certificate_confirmed" in kinds(events))
    gateway.until(lambda: connections(events) == [2, 3])
    assert "Traceback" not in gateway.log.read_text() and gateway.stop() == 0


@pytest.mark.parametrize("ocpp", ["1.6", "2.1"])
def test_a_charger_goes_from_a_password_without_tls_to_one_over_tls(start, events, simulate, tmp_path, ocpp):
    """From profile 1 to 2, at one port."""
    own = Made("gateway")
    gateway = start("--tls", own.write(tmp_path / "tls.pem"), "--tls-only", "no")
    (trusted := tmp_path / "trusted.pem").write_bytes(own.certificate)
    assert gateway.put("/api/chargers/cp1", {"password": PASSWORD})[0] == 200
    simulate("--url", f"ws://127.0.0.1:{gateway.port}/", "--password", PASSWORD, "--ca", str(trusted), "--ocpp", ocpp)
    gateway.until(lambda: "boot_notification" in [each["event"] for each in events()])
    status, answer = gateway.post("/api/chargers/cp1/security-profile", {"security_profile": 2})
    assert (status, answer.get("status")) == (200, "Accepted"), answer
    gateway.until(lambda: "profile_upgraded" in kinds(events))
    gateway.until(lambda: connections(events) == [1, 2])
    gateway.until(lambda: gateway.get("/api/chargers/cp1")[1]["security_profile"] == 2)
    status, answer = gateway.post("/api/chargers/cp1/security-profile", {"security_profile": 1})
    assert status == 400 and "only ever raised" in answer["detail"]
    assert "Traceback" not in gateway.log.read_text()
