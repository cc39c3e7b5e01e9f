"""Ten thousand chargers at one gateway: simulated ones of two versions, some of which charge, and a few of another model that are faulted."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

from gateway_process import ROOT
from plain_charger import PlainCharger
from visited_pages import House

IDLE, OTHERS, CHARGING, FAULTED = 6600, 2880, 500, 20
"""How many chargers there are of each kind; the second are those of OCPP 2.0.1."""

TOTAL = IDLE + OTHERS + CHARGING + FAULTED

DESCRIPTORS = 15_000
"""File descriptors that the gateway needs for them and for all else."""

WITHIN = 600.0
"""Seconds in which all of them are there, on a busy machine too."""


def missing() -> str:
    """What is missing for so many connections, and what to do about it; "" if nothing is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS:
        return ""
    return (
        f"the pages are not tested with {TOTAL} chargers: a process may have {hard} file descriptors here (ulimit -Hn), "
        f"and a gateway of that size needs {DESCRIPTORS}"
    )


class LargeFleet:
    """The chargers of that ``house``; all are there, and what charges has told its power, when it is made."""

    def __init__(self, house: House) -> None:
        self.house = house
        begun = time.monotonic()
        self.faulted: list[PlainCharger] = []
        self.charging = self._simulate("charging-", CHARGING, 25, "--minutes", "600", "--meter-interval", "10")
        self._simulated = [
            self.charging,
            self._simulate("idle-", IDLE, 150, "--wait"),
            self._simulate("other-", OTHERS, 65, "--wait", "--ocpp", "2.0.1"),
        ]
        try:
            for number in range(FAULTED):
                charger = PlainCharger(house.gateway.port, f"faulted-{number:02}", vendor="Maker", model="AC 22")
                self.faulted.append(charger)
                charger.boot()
                charger.status("Faulted", "GroundFailure")
            house.gateway.until(self._all_there, WITHIN)
            self.seconds = time.monotonic() - begun
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """They are cut off: none has a last word."""
        for each in self._simulated:
            each.kill()
            each.wait()
        for charger in self.faulted:
            charger.close()

    def _all_there(self) -> bool:
        time.sleep(0.5)  # not to be what the gateway is busy with
        assert all(each.poll() is None for each in self._simulated)
        _, told = self.house.gateway.get("/api/fleet/chargers?state=charging&sort=power_w&limit=1")
        states = told["states"]
        connected = sum(states.values()) - states["away"]
        return connected == TOTAL and told["total"] == CHARGING and states["faulted"] == FAULTED and told["rows"][0]["power_w"] > 0

    def _simulate(self, prefix: str, count: int, rate: int, *options: str) -> subprocess.Popen[bytes]:
        """Those of one kind, at the speed of life; ``rate`` of them connect in a second."""
        command = [sys.executable, "-m", "ocpp_tw.cli", "simulate", "--url", f"ws://127.0.0.1:{self.house.gateway.port}/", "--quiet"]
        command += ["--prefix", prefix, "--count", str(count), "--rate", str(rate), "--speed-up", "1", "--duration", "3600", *options]
        log = Path(self.house.gateway.directory) / f"{prefix}simulated.log"
        with log.open("wb") as said:
            return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, preexec_fn=_with_descriptors)


def _with_descriptors() -> None:
    """A process has but some thousand unless it asks for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
