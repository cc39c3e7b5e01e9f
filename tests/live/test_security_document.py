"""The commands of docs/security.md do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleets import PATIENCE, free_port

pytestmark = [pytest.mark.live, pytest.mark.skipif(shutil.which("openssl") is None, reason="the document uses openssl")]

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
READY = "for i in $(seq 300); do ocpp-tw health --http 127.0.0.1:{http} > health 2>&1 && break; sleep 0.2; done"


def commands(heading: str) -> list[str]:
    """The lines of the blocks of a section."""
    section = re.split(r"\n##+ ", DOCUMENT.split(f" {heading}\n", 1)[1])[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def run(directory: Path, redis: str, heading: str) -> str:
    """Run them in one shell, the gateway in its background; what they print."""
    port, http = free_port(), free_port()
    tool = directory / "bin" / "ocpp-tw"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ocpp_tw.cli "$@"\n')
    tool.chmod(0o755)
    lines = ["set -e", "trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT"]
    for line in commands(heading):
        line = line.replace(":10800", f":{port}").replace(":10801", f":{http}").replace("ocpp-tw simulate", f"ocpp-tw simulate {SPEED}")
        line = re.sub(r"^(ocpp-tw chargers \w+.*)$", rf"\1 --url http://127.0.0.1:{http}", line)
        if "simulate" in line and "--url" not in line:
            line = line.replace(SPEED, f"{SPEED} --url ws://127.0.0.1:{port}/")
        if line.startswith("twistd -n ocpp"):
            there = f"--port 127.0.0.1:{port} --http 127.0.0.1:{http} --redis {redis}"
            line = f"{line.replace('twistd', 'twistd --pidfile=')} {there} >> gateway.log 2>&1 &\n{READY.format(http=http)}"
        lines.append(line)
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=directory,
        env={"PATH": f"{tool.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:] + (directory / "gateway.log").read_text()[-2000:]
    return done.stdout


SPEED = "--speed-up 3000"


def test_each_profile_is_set_up_as_the_document_says(clean: Any, tmp_path: Path, events: Any) -> None:
    for profile in (1, 2, 3):
        run(tmp_path, clean.url, f"Profile {profile}")
        connected = [each["data"]["security_profile"] for each in events() if each["event"] == "connect_charger"]
        assert connected[-1] == profile
    assert "not authenticated" not in (tmp_path / "gateway.log").read_text()


def test_a_charger_in_the_field_is_upgraded_as_the_document_says(clean: Any, tmp_path: Path, events: Any) -> None:
    said = run(tmp_path, clean.url, "A fleet in the field")
    assert "charger-007\t1.6\tprofile 1\t" in said
    assert [each["data"]["security_profile"] for each in events() if each["event"] == "connect_charger"] == [0, 1]
    assert "has been changed" not in str([each["data"] for each in events() if each["event"] == "disconnect_charger"])
