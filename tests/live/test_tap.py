"""The tap of a fleet of two gateways, one of them with two workers: read over any of them, followed live, in a terminal, and played again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from fleets import PATIENCE

pytestmark = pytest.mark.live

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-11-23T08:00:00Z"}


class Charger:
    """A charger of 1.6."""

    def __init__(self, port: int, id: str) -> None:
        opened = connect(f"ws://127.0.0.1:{port}/{id}", subprotocols=["ocpp1.6"], proxy=None)
        self.socket: ClientConnection = ExitStack().enter_context(opened)
        self.number = 0

    def call(self, action: str, payload: Any) -> Any:
        self.number += 1
        self.socket.send(json.dumps([2, str(self.number), action, payload]))
        return json.loads(self.socket.recv(PATIENCE))[2]

    def session(self) -> None:
        self.call("BootNotification", BOOT)
        started = self.call("StartTransaction", START)
        self.call("StopTransaction", {"transactionId": started["transactionId"], "meterStop": 2000, "timestamp": "2026-11-23T09:00:00Z"})


def lines(gateway: Any, path: str) -> list[Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.http}{path}", timeout=PATIENCE) as answer:
        return [json.loads(line) for line in answer.read().splitlines()]


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "ocpp_tw.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=directory, env=environment, timeout=PATIENCE, check=False)


def test_a_fleet_tells_what_a_charger_said_wherever_it_was(start, tmp_path):
    one = start("--name", "gw-1")
    two = start("--name", "gw-2", "--workers", "2")
    for number, gateway in enumerate([one, two, one]):
        charger = Charger(gateway.port, "cp1")
        charger.call("DataTransfer", {"vendorId": f"V{number}"}) if number else charger.session()
        charger.socket.close()
    for gateway in (one, two):
        told = gateway.until(lambda gateway=gateway: [x for x in [lines(gateway, "/api/fleet/chargers/cp1/frames")] if len(x) == 10])[0]
        assert [each["frame"][2] for each in told if each["direction"] == "in"] == [
            "BootNotification", "StartTransaction", "StopTransaction", "DataTransfer", "DataTransfer",
        ]  # fmt: skip
        assert len({each["gateway"] for each in told}) == 2 and told == sorted(told, key=lambda each: each["time"])
        status, answer = gateway.get("/api/fleet/chargers/cp1/events?since=0")
        assert status == 200 and answer["complete"], answer
        assert [each["seq"] for each in answer["events"]] == list(range(1, len(answer["events"]) + 1))


def test_the_front_of_workers_passes_live_frames_of_the_fleet_on(start):
    one, two = start("--name", "gw-1"), start("--name", "gw-2", "--workers", "2")
    seen: list[Any] = []

    def follow() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{two.http}/api/live?what=frames&tags=blank", timeout=PATIENCE) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    seen.append(json.loads(line[6:]))
                if len({each["gateway"] for each in seen if each["kind"] == "frame"}) >= 2:
                    return

    following = threading.Thread(target=follow, daemon=True)
    following.start()
    chargers = [Charger(gateway.port, f"cp{number}") for number, gateway in enumerate([one, two])]
    deadline = time.monotonic() + PATIENCE
    while following.is_alive():  # it takes a moment until all gateways know that somebody follows
        assert time.monotonic() < deadline, seen
        for charger in chargers:
            charger.call("Authorize", {"idTag": "TAG-OF-BOB"})
        time.sleep(0.1)
    assert "TAG-OF-BOB" not in str(seen) and "Authorize" in str(seen)
    for charger in chargers:
        charger.socket.close()


def test_a_recording_is_shown_and_played_again(start, tmp_path):
    gateway = start()
    charger = Charger(gateway.port, "cp1")
    charger.session()
    charger.socket.send(json.dumps([2, "x", "Nonsense", {}]))
    assert json.loads(charger.socket.recv(PATIENCE))[0] == 4
    charger.socket.close()
    http, ws = ("--url", f"http://127.0.0.1:{gateway.http}"), ("--url", f"ws://127.0.0.1:{gateway.port}")
    shown = run(tmp_path, "tap", "cp1", "--once", *http)
    assert shown.returncode == 0, shown.stderr
    said = shown.stdout.splitlines()
    assert len(said) == 8 and re.search(r'cp1 → BootNotification \{"chargePointVendor"', said[0]), shown.stdout
    assert re.search(r"cp1 ← BootNotification \d+\.\d ms ", said[1]) and "\x1b" not in shown.stdout
    assert (
        "\x1b[36mStartTransaction" in run(tmp_path, "tap", "cp1", "--once", "--colour", "yes", "--action", "StartTransaction", *http).stdout
    )
    events = run(tmp_path, "tap", "cp1", "--once", "--events", *http).stdout.splitlines()
    assert any("cp1 * stop_transaction" in each for each in events) and any("cp1 → StopTransaction" in each for each in events), events
    unknown = run(tmp_path, "tap", "nobody", "cp1", "--once", *http)
    assert (unknown.returncode, unknown.stdout) == (1, shown.stdout)
    assert unknown.stderr == "ocpp-tw tap: nothing is remembered of nobody\n"
    recorded = run(tmp_path, "tap", "cp1", "--once", "--json", *http).stdout
    (tmp_path / "recording").write_text(recorded)
    played = run(tmp_path, "replay", "recording", "--speed", "0", *ws)
    assert (played.returncode, played.stdout) == (0, "1 chargers, 4 messages, 4 answers compared, 0 different\n"), played
    (tmp_path / "recording").write_text(recorded.replace('"status": "Accepted"', '"status": "Blocked"', 1))
    played = run(tmp_path, "replay", "recording", "--speed", "0", *ws)
    assert played.returncode == 1, played
    assert "cp1: BootNotification 1: status was 'Blocked', and is 'Accepted' now" in played.stdout
    assert "1 different" in played.stdout
    assert run(tmp_path, "replay", "recording", "--speed", "0", "--ignore", "status", *ws).returncode == 0


def test_what_cannot_be_is_told_in_a_line(tmp_path):
    refused = run(tmp_path, "tap", "cp1", "--url", "http://127.0.0.1:1")
    assert refused.returncode == 1 and "no answer from http://127.0.0.1:1" in refused.stderr
    (tmp_path / "recording").write_text("{}\n")
    wrong = run(tmp_path, "replay", "recording")
    assert wrong.returncode == 2 and "line 1 is no frame" in wrong.stderr
    assert run(tmp_path, "replay", "nothing").returncode == 2
