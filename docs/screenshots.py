"""Makes the README's pictures of the pages: `make screenshots`. A gateway with simulated chargers, and a browser in front of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import browser
from plain_charger import PlainCharger
from visited_pages import House, Visit

IMAGES = Path(__file__).parent / "images"
SIZE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 780}
CHARGERS, SECONDS = 120, 90
"""How many are simulated, and how long until there is something to see."""

SHOWN = "site-042"


def main() -> None:
    missing = browser.missing()
    if missing:
        sys.exit(missing)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        house, chromium = House(Path(directory)), browser.Browser()
        command = [sys.executable, "-m", "ocpp_tw.cli", "simulate", "--url", f"ws://127.0.0.1:{house.gateway.port}/", "--quiet"]
        # at the speed of life, or their clocks would be wrong
        command += [
            "--speed-up",
            "1",
            "--count",
            str(CHARGERS),
            "--prefix",
            "site-",
            "--meter-interval",
            "5",
            "--duration",
            str(SECONDS * 3),
        ]
        simulated = subprocess.Popen(command)  # noqa: S603 (ours)
        try:
            _picture_all(house, chromium)
        finally:
            simulated.terminate()
            simulated.wait()
            chromium.close()
            house.close()


def _picture_all(house: House, chromium: browser.Browser) -> None:
    faulted = [PlainCharger(house.gateway.port, f"depot-{i}", vendor="Maker", model="DC 150") for i in range(3)]
    for each in faulted:
        each.boot()
        each.status("Faulted", "GroundFailure")
    house.gateway.post("/api/commands", {"cp_id": "site-200", "command": "reset", "data": {"type": "Soft"}})
    faulted[0].close()
    shown = PlainCharger(house.gateway.port, SHOWN + "-dc", vendor="Maker", model="DC 150")
    shown.boot()
    transaction = shown.start("RFID-0815", 120_000)
    until, i = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        shown.meter(transaction, min(147_000, 12_000 * i) - max(0, i - 30) * 1500, 120_000 + i * 700, min(95, 18 + i))
        i += 1
        time.sleep(2)
    for name, hash, options in (
        ("overview", "#/", {"viewport": SIZE}),
        ("charger", f"#/chargers/{SHOWN}-dc", {"viewport": SIZE, "color_scheme": "dark"}),
        ("phone", "#/chargers", {"viewport": PHONE}),
    ):
        _picture(chromium, house, name, hash, options)
    for each in (*faulted[1:], shown):
        each.close()


def _picture(chromium: browser.Browser, house: House, name: str, hash: str, options: dict[str, Any]) -> None:
    context = chromium.context(**options)
    page = Visit(context, house.url()).open(hash)
    page.wait_for_timeout(4000)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()


if __name__ == "__main__":
    main()
