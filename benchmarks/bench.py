"""What the gateway costs, beside what Twisted and Autobahn cost alone and what a Python peer costs: see docs/performance.md.

``--quick`` takes less than a minute instead of some four; ``--markdown FILE`` writes the result into a document as well.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from servers import CORES, HERE, Bench, Server
from tables import machine, number, table, write

RAW, ECHO, OURS, PEER = "raw Twisted echo", "Autobahn echo", "ocpp_tw", "ocpp on websockets"

SIZES = (1, 40, 160)
"""Samples of a MeterValues."""


class Suite:
    """One run; every part of it is a table."""

    def __init__(self, bench: Bench, quick: bool, descriptors: int) -> None:
        self.bench = bench
        self.rounds, self.seconds, self.warm = (1, 0.8, 0.2) if quick else (3, 2.0, 0.5)
        self.storm = min(1000 if quick else 5000, descriptors)
        self.crowds = [each for each in ((100, 1000) if quick else (100, 1000, 10_000)) if each <= descriptors]
        self.sizes = (40,) if quick else SIZES

    def load(self, server: Server, *options: Any, cores: set[int] | None = None) -> dict[str, Any]:
        """One run of the load generator, checked: nothing was answered that Valkey does not have."""
        self.bench.ask("UNLINK", "events")
        server.settle()
        pids = [f"--pid=server={','.join(map(str, server.pids))}", f"--pid=valkey={self.bench.valkey.process.pid}"]
        command = [sys.executable, str(HERE / "load.py"), server.kind, str(server.port), *map(str, options), *pids]
        command += ["--tls"] if server.tls else []
        others = cores or self.bench.others
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, others)
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        if server.kind == "ocpp":
            answered = found["come"]["count"] + found.get("play", {"count": 0})["count"]
            published = self.bench.ask("LLEN", "events")
            assert isinstance(published, int) and published >= answered, f"{server.name}: {answered} answers, {published} events"
        return found

    def played(self, servers: Sequence[Server], *options: Any, rounds: int = 0, **more: Any) -> dict[str, dict[str, float]]:
        """Medians of what messages cost, over rounds that go to the servers in turn."""
        found: dict[str, list[dict[str, Any]]] = {server.name: [] for server in servers}
        for _ in range(rounds or self.rounds):
            for server in servers:
                found[server.name].append(self.load(server, "--seconds", self.seconds, "--warm", self.warm, *options, **more)["play"])
        return {name: _middle(each) for name, each in found.items()}

    def messages(self) -> str:
        bench = self.bench
        servers = [bench.raw(), bench.echo(), bench.gateway(), bench.gateway(tls=True), bench.peer()]
        full = self.played(servers)
        paced = self.played(servers, "--rate", 500, rounds=1)
        for server in servers:
            bench.end(server)
        raw, echo, peer = (full[each]["us"] for each in (RAW, ECHO, PEER))
        rows = [
            [
                name, number(each["us"]), number(each["us"] / raw), number(each["us"] / echo), number(each["us"] / peer),
                number(each["rate"]), f"{number(each['p50'])} / {number(each['p99'])}",
                f"{number(paced[name]['p50'])} / {number(paced[name]['p99'])}", number(each["valkey"]) if name not in (RAW, ECHO) else "-",
            ]
            for name, each in full.items()
        ]  # fmt: skip
        header = [
            "100 chargers",
            "CPU µs/message",
            "x raw",
            "x Autobahn",
            "x peer",
            "messages/s",
            "p50 / p99 ms",
            "at 500/s",
            "Valkey's µs",
        ]
        return table(header, rows)

    def arrivals(self) -> str:
        """What it costs when many chargers come at once, and when they rest: each time with a fresh server."""
        bench, found = self.bench, dict[str, list[dict[str, float]]]()
        for _ in range(min(self.rounds, 2)):
            for begin in (bench.raw, bench.echo, bench.echo_over_tls, bench.gateway, partial(bench.gateway, tls=True), bench.peer):
                server = begin()
                told = self.load(server, "--chargers", self.storm, "--hold", 1, "--seconds", 0)
                bench.end(server)
                kib = (told["memory"][1] - told["memory"][0]) / self.storm
                found.setdefault(server.name, []).append(
                    {"us": told["come"]["us"]["server"], "seconds": told["come"]["seconds"], "kib": kib}
                )
        middle = {name: _medians(each) for name, each in found.items()}
        echo, peer = middle[ECHO], middle[PEER]
        rows = [
            [
                name, *map(number, (each["us"], each["us"] / echo["us"], each["us"] / peer["us"], self.storm / each["seconds"], each["seconds"])),
                *map(number, (each["kib"], each["kib"] / echo["kib"], each["kib"] / peer["kib"])),
            ]
            for name, each in middle.items()
        ]  # fmt: skip
        header = [
            f"{self.storm:,} at once",
            "CPU µs each",
            "x Autobahn",
            "x peer",
            "each/s",
            "all in, s",
            "KiB idle",
            "x Autobahn",
            "x peer",
        ]
        return table(header, rows)

    def crowd(self) -> str:
        """How the cost of a message grows with the number of chargers."""
        servers, rows, first = [self.bench.raw(), self.bench.gateway()], [], 0.0
        for count in self.crowds:
            warm = max(self.warm, count / 4000)  # everybody's turn comes once
            found = self.played(servers, "--chargers", count, "--warm", warm, rounds=min(self.rounds, 2))
            raw, ours = found[RAW]["us"], found[OURS]["us"]
            first = first or ours
            rows.append([f"{count:,}", *map(number, (ours, ours / first, raw, ours / raw))])
        for server in servers:
            self.bench.end(server)
        return table(["chargers", "CPU µs/message", f"x {self.crowds[0]} chargers", "raw echo", "x raw"], rows)

    def size(self) -> str:
        """How it grows with the size of a message: MeterValues only."""
        bench, rows = self.bench, []
        servers = [bench.raw(), bench.echo(), bench.gateway()]
        for samples in self.sizes:
            found = self.played(servers, "--samples", samples, rounds=min(self.rounds, 2))
            raw, echo, ours = (found[server.name]["us"] for server in servers)
            rows.append([str(samples), *map(number, (ours, raw, echo, ours / raw, ours / echo))])
        for server in servers:
            bench.end(server)
        return table(["samples", "CPU µs/message", "raw echo", "Autobahn echo", "x raw", "x Autobahn"], rows)

    def cores(self) -> str:
        """What a second worker brings. Worth reading where two cores are free beside those of the load and Valkey."""
        ours, others = (set(self.bench.own), self.bench.others) if len(self.bench.own) > 1 else (set(CORES), set(CORES))
        found = {}
        for workers in (1, 2):
            server = self.bench.gateway("--workers", str(workers), cores=ours) if workers > 1 else self.bench.gateway(cores=ours)
            found[workers] = self.played([server], "--chargers", 400, cores=others)[server.name]
            self.bench.end(server)
        one = found[1]
        rows = [
            [str(workers), *map(number, (each["us"], each["us"] / one["us"], each["rate"], each["rate"] / one["rate"], workers * 1e6 / each["us"], workers * one["us"] / each["us"]))]
            for workers, each in found.items()
        ]  # fmt: skip
        return table(["workers", "CPU µs/message", "x one", "messages/s here", "x one", "with cores of their own", "x one"], rows)


def _middle(rounds: list[dict[str, Any]]) -> dict[str, float]:
    flat = [
        {**each["us"], "us": each["us"]["server"], "rate": each["count"] / each["seconds"], "p50": each["p50"], "p99": each["p99"]}
        for each in rounds
    ]
    return _medians(flat)


def _medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--markdown", type=Path, metavar="FILE")
    chosen = options.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts, begin = [machine()], time.monotonic()
    with Bench() as bench:
        suite = Suite(bench, chosen.quick, most - 200)
        for part in (suite.messages, suite.arrivals, suite.crowd, suite.size, suite.cores):
            parts.append(part())
            print(parts[-1] if part is not suite.messages else "\n\n".join(parts), end="\n\n", flush=True)
    parts[0] += f" At most {most:,} open files; {time.monotonic() - begin:.0f} s."
    if chosen.markdown:
        write(chosen.markdown, "\n\n".join(parts))


if __name__ == "__main__":
    main()
