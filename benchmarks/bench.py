"""Measures the cost of the gateway, compared with Twisted and Autobahn alone and with a Python peer: see docs/performance.md.

``--quick`` takes less than a minute instead of some four; ``--markdown FILE`` also writes the result into a document.
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
    """One run; every part of it produces a table."""

    def __init__(self, bench: Bench, quick: bool, descriptors: int) -> None:
        self.bench = bench
        self.rounds, self.seconds, self.warm = (1, 0.8, 0.2) if quick else (3, 2.0, 0.5)
        self.arriving = min(1000 if quick else 5000, descriptors)
        self.fleets = [each for each in ((100, 1000) if quick else (100, 1000, 10_000)) if each <= descriptors]
        self.sizes = (40,) if quick else SIZES

    def load(self, server: Server, *options: Any, cores: set[int] | None = None) -> dict[str, Any]:
        """One run of the load generator; checks that Valkey has an event for every answer."""
        self.bench.valkey_command("UNLINK", "events")
        server.settle()
        pids = [f"--pid=server={','.join(map(str, server.pids))}", f"--pid=valkey={self.bench.valkey.process.pid}"]
        command = [sys.executable, str(HERE / "load.py"), server.kind, str(server.port), *map(str, options), *pids]
        command += ["--tls"] if server.tls else []
        command += ["--password", server.password] if server.password else []
        command += ["--certificate", server.certificate] if server.certificate else []
        others = cores or self.bench.others
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, others)
        )  # fmt: skip
        report: dict[str, Any] = json.loads(done.stdout)
        if server.kind == "ocpp":
            answered = report["arrivals"]["count"] + report.get("calls", {"count": 0})["count"]
            published = self.bench.valkey_command("LLEN", "events")
            assert isinstance(published, int) and published >= answered, f"{server.name}: {answered} answers, {published} events"
        return report

    def message_costs(self, servers: Sequence[Server], *options: Any, rounds: int = 0, **more: Any) -> dict[str, dict[str, float]]:
        """Medians of the cost of a message, over rounds in which the servers take turns."""
        results: dict[str, list[dict[str, Any]]] = {server.name: [] for server in servers}
        for _ in range(rounds or self.rounds):
            for server in servers:
                results[server.name].append(self.load(server, "--seconds", self.seconds, "--warm", self.warm, *options, **more)["calls"])
        return {name: _message_medians(each) for name, each in results.items()}

    def messages(self) -> str:
        bench = self.bench
        servers = [bench.raw(), bench.echo(), bench.gateway(), bench.gateway(tls=True), bench.peer()]
        full = self.message_costs(servers)
        paced = self.message_costs(servers, "--rate", 500, rounds=1)
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
        """The cost of many chargers that connect at once, and of idle ones: each time with a fresh server."""
        bench, results = self.bench, dict[str, list[dict[str, float]]]()
        for _ in range(min(self.rounds, 2)):
            passwords = partial(bench.gateway_with_passwords, self.arriving)
            for begin in (
                bench.raw,
                bench.echo,
                bench.echo_over_tls,
                bench.gateway,
                passwords,
                partial(bench.gateway, tls=True),
                partial(bench.gateway_with_certificates, self.arriving),
                bench.peer,
            ):
                server = begin()
                report = self.load(server, "--chargers", self.arriving, "--hold", 1, "--seconds", 0)
                bench.end(server)
                kib = (report["memory"][1] - report["memory"][0]) / self.arriving
                results.setdefault(server.name, []).append(
                    {"us": report["arrivals"]["us"]["server"], "seconds": report["arrivals"]["seconds"], "kib": kib}
                )
        medians = {name: _medians(each) for name, each in results.items()}
        echo, peer = medians[ECHO], medians[PEER]
        rows = [
            [
                name, *map(number, (each["us"], each["us"] / echo["us"], each["us"] / peer["us"], self.arriving / each["seconds"], each["seconds"])),
                *map(number, (each["kib"], each["kib"] / echo["kib"], each["kib"] / peer["kib"])),
            ]
            for name, each in medians.items()
        ]  # fmt: skip
        header = [
            f"{self.arriving:,} at once",
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

    def fleet(self) -> str:
        """How the cost of a message grows with the number of chargers."""
        servers, rows, first = [self.bench.raw(), self.bench.gateway()], [], 0.0
        for count in self.fleets:
            warm = max(self.warm, count / 4000)  # so that every charger has sent a message
            costs = self.message_costs(servers, "--chargers", count, "--warm", warm, rounds=min(self.rounds, 2))
            raw, ours = costs[RAW]["us"], costs[OURS]["us"]
            first = first or ours
            rows.append([f"{count:,}", *map(number, (ours, ours / first, raw, ours / raw))])
        for server in servers:
            self.bench.end(server)
        return table(["chargers", "CPU µs/message", f"x {self.fleets[0]} chargers", "raw echo", "x raw"], rows)

    def size(self) -> str:
        """How the cost grows with the size of a message: MeterValues only."""
        bench, rows = self.bench, []
        servers = [bench.raw(), bench.echo(), bench.gateway()]
        for samples in self.sizes:
            costs = self.message_costs(servers, "--samples", samples, rounds=min(self.rounds, 2))
            raw, echo, ours = (costs[server.name]["us"] for server in servers)
            rows.append([str(samples), *map(number, (ours, raw, echo, ours / raw, ours / echo))])
        for server in servers:
            bench.end(server)
        return table(["samples", "CPU µs/message", "raw echo", "Autobahn echo", "x raw", "x Autobahn"], rows)

    def cores(self) -> str:
        """The effect of a second worker. Meaningful only if two cores are free beside those of the load generator and Valkey."""
        ours, others = (set(self.bench.own), self.bench.others) if len(self.bench.own) > 1 else (set(CORES), set(CORES))
        costs = {}
        for workers in (1, 2):
            server = self.bench.gateway("--workers", str(workers), cores=ours) if workers > 1 else self.bench.gateway(cores=ours)
            costs[workers] = self.message_costs([server], "--chargers", 400, cores=others)[server.name]
            self.bench.end(server)
        one = costs[1]
        rows = [
            [str(workers), *map(number, (each["us"], each["us"] / one["us"], each["rate"], each["rate"] / one["rate"], workers * 1e6 / each["us"], workers * one["us"] / each["us"]))]
            for workers, each in costs.items()
        ]  # fmt: skip
        return table(["workers", "CPU µs/message", "x one", "messages/s here", "x one", "with cores of their own", "x one"], rows)


def _message_medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
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
    _, max_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    parts, begin = [machine()], time.monotonic()
    with Bench() as bench:
        suite = Suite(bench, chosen.quick, max_files - 200)
        for part in (suite.messages, suite.arrivals, suite.fleet, suite.size, suite.cores):
            parts.append(part())
            print(parts[-1] if part is not suite.messages else "\n\n".join(parts), end="\n\n", flush=True)
    parts[0] += f" At most {max_files:,} open files; {time.monotonic() - begin:.0f} s."
    if chosen.markdown:
        write(chosen.markdown, "\n\n".join(parts))


if __name__ == "__main__":
    main()
