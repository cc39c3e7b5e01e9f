"""Measures servers that take turns, round by round: the cost of a message, of a connection that begins and of one that ends.

Knows not which servers are compared, nor how the figures are shown.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proc import cpu
from servers import HERE, Bench, Server

Round = dict[str, dict[str, float]]
"""The figures of one round by the name of what was measured."""

PATIENCE = 30.0
"""Seconds within which the last event has to be in Redis."""


@dataclass(frozen=True)
class Subject:
    """What has its turn in every round: a server, under the load that these options of load.py say."""

    name: str
    server: Server
    options: tuple[Any, ...] = ()


class Rounds:
    """What was measured, as medians over the rounds; what is compared, as the median of the rounds' own ratios."""

    def __init__(self) -> None:
        self.each: list[Round] = []

    def median(self, figure: Callable[[Round], float]) -> float:
        return statistics.median(figure(each) for each in self.each)

    def of(self, name: str, figure: str = "us") -> float:
        return self.median(lambda each: each[name][figure])

    def ratio(self, name: str, to: str, figure: str = "us") -> float:
        return self.median(lambda each: each[name][figure] / each[to][figure])


class Measuring:
    """How much and how long is measured, and the measuring itself."""

    def __init__(self, bench: Bench, quick: bool, descriptors: int, node: Path | None = None) -> None:
        """With the directory of the packages for the peer on Node, if there are any."""
        self.bench, self.quick, self.descriptors, self.node = bench, quick, descriptors, node
        self.rounds, self.seconds, self.warm = (1, 0.6, 0.2) if quick else (3, 1.4, 0.4)

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
            published = self.published()
            assert published >= answered, f"{server.name}: {answered} answers, {published} events"
        return report

    def messages(self, subjects: Sequence[Subject], *options: Any, rounds: int = 0, cores: set[int] | None = None) -> Rounds:
        """What a message costs (`us`, in microseconds; Valkey's are `valkey`), messages per second (`rate`), milliseconds (`p50`, `p99`)."""
        results = Rounds()
        for _ in range(rounds or self.rounds):
            results.each.append({})
            for each in subjects:
                timing = ("--seconds", self.seconds, "--warm", self.warm)
                calls = self.load(each.server, *timing, *options, *each.options, cores=cores)["calls"]
                latency = {"p50": calls["p50"], "p99": calls["p99"], "spread": calls["p99"] / calls["p50"]}
                us = {"us": calls["us"]["server"], "valkey": calls["us"]["valkey"]}
                results.each[-1][each.name] = {**us, "rate": calls["count"] / calls["seconds"], **latency}
        return results

    def connections(self, begin: Callable[[], Server], chargers: int) -> tuple[str, dict[str, float]]:
        """A fresh server's name and its figures for that many chargers that arrive at once, are idle (`kib` each), and leave at once.

        CPU microseconds for each (`us`, `leaving us`), and the seconds until all are there (`seconds`) and until all are known to have left
        (`leaving seconds`; 0 for an echo server, which tells nobody).
        """
        server = begin()
        report = self.load(server, "--chargers", chargers, "--hold", 0.3 if self.quick else 1, "--seconds", 0)
        gone = self.gone(server.name, chargers) - report["leaving"]["at"] if server.kind == "ocpp" else 0.0
        server.settle()
        leaving = cpu(server.pids) - report["leaving"]["used"]["server"]
        self.bench.end(server)
        kib = (report["memory"][1] - report["memory"][0]) / chargers
        arrivals = {"us": report["arrivals"]["us"]["server"], "seconds": report["arrivals"]["seconds"], "kib": kib}
        return server.name, {**arrivals, "leaving us": leaving / chargers * 1e6, "leaving seconds": gone}

    def gone(self, name: str, chargers: int) -> float:
        """When the last charger's `disconnect_charger` is in Redis, by the monotonic clock."""
        deadline = time.monotonic() + PATIENCE
        while (now := time.monotonic()) < deadline:
            # each charger has connected, booted and left
            if self.published() >= 3 * chargers and self.left() >= chargers:
                return now
            time.sleep(0.01)
        raise AssertionError(f"{name}: {chargers} chargers left, {self.left()} are known to have left after {PATIENCE} s")

    def published(self) -> int:
        """The number of events in Redis."""
        count = self.bench.valkey_command("LLEN", "events")
        assert isinstance(count, int), count
        return count

    def left(self) -> int:
        """The number of chargers that have left, by the events in Redis."""
        events = self.bench.valkey_command("LRANGE", "events", "0", "-1")
        assert isinstance(events, list), events
        return sum(b'"disconnect_charger"' in each for each in events)
