"""Makes the README's pictures of the pages: `make screenshots`. Two gateways with simulated chargers, and a browser in front of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from websockets.exceptions import InvalidHandshake
from websockets.sync.client import connect

import browser
from gateway_process import Process
from plain_charger import PlainCharger
from visited_pages import House, Visit

IMAGES = Path(__file__).parent / "images"
SIZE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
SECONDS = 100
"""How long until there is something to see."""

SHOWN = "north-dc-07"


def main() -> None:
    missing = browser.missing()
    if missing:
        sys.exit(missing)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        house, chromium = House(Path(directory), "--name", "north"), browser.Browser()
        (second := Path(directory) / "second").mkdir()
        south = Process(second, house.valkey.url, "--name", "south")
        simulated = [
            _simulate(house.gateway.port, "north-", 48, "--transactions", "1", "--meter-interval", "5", "--connectors", "2"),
            _simulate(south.port, "south-", 90, "--wait", "--ocpp", "2.0.1"),
        ]
        try:
            _picture_all(house, chromium)
        finally:
            for each in simulated:
                each.terminate()
                each.wait()
            chromium.close()
            south.close()
            house.close()


def _simulate(port: int, prefix: str, count: int, *options: str) -> subprocess.Popen[bytes]:
    """At the speed of life, or their clocks would be wrong."""
    command = [sys.executable, "-m", "ocpp_tw.cli", "simulate", "--url", f"ws://127.0.0.1:{port}/", "--quiet", "--prefix", prefix]
    command += ["--speed-up", "1", "--count", str(count), "--duration", str(SECONDS * 3), *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 (ours)


def _picture_all(house: House, chromium: browser.Browser) -> None:
    port = house.gateway.port
    others = [PlainCharger(port, f"depot-{i}", vendor="Maker", model="AC 22") for i in range(6)]
    for each in others:
        each.boot()
    for each in others[:2]:
        each.status("Faulted", "GroundFailure")
    house.gateway.put("/api/chargers/depot-2", {"boot_status": "Rejected"})
    others[2].call("BootNotification", {"chargePointVendor": "Maker", "chargePointModel": "AC 22"})
    others[2].call("Heartbeat", {})
    others[3].call("Heartbeat", {"now": True})
    with suppress(InvalidHandshake), connect(f"ws://127.0.0.1:{port}/depot-9", subprotocols=["ocpp0.9"]):
        pass
    house.gateway.post("/api/commands", {"cp_id": "depot-9", "command": "reset", "data": {"type": "Soft"}})
    for each in others[4:]:
        each.close()
    shown = PlainCharger(port, SHOWN, vendor="Maker", model="DC 150")
    shown.boot()
    transaction = shown.start("RFID-0815", 120_000)
    until, i = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        shown.meter(transaction, min(147_000, 12_000 * i) - max(0, i - 30) * 1500, 120_000 + i * 700, min(95, 18 + i))
        i += 1
        time.sleep(2)
    for name, hash, options in (
        ("overview", "#/", {"viewport": SIZE}),
        ("charger", f"#/chargers/{SHOWN}", {"viewport": SIZE, "color_scheme": "dark"}),
        ("phone", "#/chargers", {"viewport": PHONE}),
    ):
        _picture(chromium, house, name, hash, options)
    for each in (*others[:4], shown):
        each.close()


def _picture(chromium: browser.Browser, house: House, name: str, hash: str, options: dict[str, Any]) -> None:
    context = chromium.context(**options)
    page = Visit(context, house.url()).open(hash)
    page.wait_for_timeout(4000)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()


if __name__ == "__main__":
    main()
