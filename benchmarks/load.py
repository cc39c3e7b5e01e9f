"""The load generator: chargers on plain sockets connect, idle and send CALLs; one line of JSON reports what that cost the server.

``load.py KIND PORT``, where KIND is ``ocpp``, ``websocket`` (an echo server) or ``raw`` (a TCP echo). Each charger has one CALL in flight and
sends the next as soon as it is answered, or when it is due (``--rate``). Knows only the server's sockets and its /proc entries.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import ssl
import time
from collections import deque
from typing import Any

import messages
import messages_2x
from charger import Charger
from proc import cpu, memory

VERSIONS = {"1.6": messages.script, "2.0.1": messages_2x.script, "2.1": messages_2x.script}
"""What chargers of each version say. The subprotocol is `ocpp` and the version."""


class Load:
    """All chargers of one run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.poll = select.epoll()
        script, protocol = VERSIONS[options.ocpp], f"ocpp{options.ocpp}".encode()
        tls = unverified(options.certificate) if options.tls else None
        self.chargers = [
            Charger(number, options.kind, script(number, options.samples), protocol, tls, options.password)
            for number in range(options.chargers)
        ]
        self.pids = {name: [int(pid) for pid in pids.split(",")] for name, pids in (each.split("=") for each in options.pid)}
        self.by_fd: dict[int, Charger] = {}
        self.latencies: list[float] = []

    def cpu_times(self) -> dict[str, float]:
        return {name: cpu(pids) for name, pids in self.pids.items()}

    def summary(self, count: int, seconds: float, before: dict[str, float]) -> dict[str, Any]:
        """The figures of a phase: CPU time in microseconds for each process and answer, latencies in milliseconds."""
        after, latencies = self.cpu_times(), sorted(self.latencies) or [0.0]
        self.latencies = []
        percentiles = {f"p{each}": latencies[int(len(latencies) * each / 100)] * 1000 for each in (50, 99)}
        costs = {name: (after[name] - before[name]) / max(1, count) * 1e6 for name in before}
        return {"count": count, "seconds": seconds, "us": costs, **percentiles}

    def arrive(self) -> dict[str, Any]:
        """All chargers connect and boot, at most ``--parallel`` at a time."""
        before, begin = self.cpu_times(), time.perf_counter()
        waiting, upgraded, booted = deque(self.chargers), set(), 0
        while booted < len(self.chargers):
            while waiting and len(self.by_fd) - booted < self.options.parallel:
                charger = waiting.popleft()
                charger.connect(self.options.port)
                self.by_fd[charger.socket.fileno()] = charger
                self.poll.register(charger.socket, select.EPOLLIN)
            for fd, _ in self.poll.poll(10):
                charger = self.by_fd[fd]
                if self.options.kind != "raw" and fd not in upgraded:
                    if charger.upgraded():
                        upgraded.add(fd)
                elif charger.answered():
                    booted += 1
                    self.latencies.append(time.perf_counter() - charger.sent)
        return self.summary(booted, time.perf_counter() - begin, before)

    def call(self) -> dict[str, Any]:
        """All chargers send CALLs, for ``--seconds`` after a warm-up."""
        rate, now, count, before = self.options.rate, time.perf_counter(), 0, None
        begin, end = now + self.options.warm, now + self.options.warm + self.options.seconds
        due, idle = now, deque(self.chargers)
        while now < end:
            while idle and (not rate or due <= now):
                idle.popleft().call()
                due += 1 / rate if rate else 0
            # at a given rate the clock has to be checked often; at full load answers wake the loop
            ready = self.poll.poll(max(0, due - now) if rate else 1, 256)
            now = time.perf_counter()
            if before is None and now >= begin:
                before, begin, count = self.cpu_times(), now, 0
                self.latencies = []
            for fd, _ in ready:
                charger = self.by_fd[fd]
                if charger.answered():
                    count += 1
                    self.latencies.append(time.perf_counter() - charger.sent)
                    if rate:
                        idle.append(charger)
                    else:
                        charger.call()
        assert before is not None
        return self.summary(count, now - begin, before)

    def leave(self) -> dict[str, Any]:
        """All chargers leave at once. Says what CPU time the processes had used until then, and when it was, by the monotonic clock."""
        used, begin = self.cpu_times(), time.monotonic()
        for charger in self.chargers:
            charger.leave()
        return {"used": used, "at": begin}

    def run(self) -> dict[str, Any]:
        server = self.pids.get("server", [])
        report: dict[str, Any] = {"memory": [memory(server)], "arrivals": self.arrive()}
        time.sleep(self.options.hold)
        report["memory"].append(memory(server))
        if self.options.seconds:
            report["calls"] = self.call()
        report["own"] = cpu([os.getpid()])
        report["leaving"] = self.leave()
        return report


def unverified(certificate: str) -> ssl.SSLContext:
    """TLS that accepts any certificate, and shows that one if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate)
    return context


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kind", choices=("ocpp", "websocket", "raw"))
    options.add_argument("port", type=int)
    options.add_argument("--chargers", type=int, default=100)
    options.add_argument("--parallel", type=int, default=64, help="how many connect at once")
    options.add_argument("--hold", type=float, default=0.0, help="idle seconds before memory is read")
    options.add_argument("--warm", type=float, default=0.5, help="seconds of calls before they are counted")
    options.add_argument("--seconds", type=float, default=2.0, help="seconds of calls; 0: none")
    options.add_argument("--rate", type=float, default=0.0, help="calls per second of all chargers together; 0: as many as can be answered")
    options.add_argument("--samples", type=int, default=0, help="send only messages with this many samples, instead of the cycle")
    options.add_argument("--ocpp", choices=VERSIONS, default="1.6", help="the version of all chargers")
    options.add_argument("--tls", action="store_true", help="over TLS, one handshake at a time")
    options.add_argument("--password", type=str.encode, default=b"", help="that of all chargers")
    options.add_argument("--certificate", default="", metavar="FILE", help="that of all chargers and its key, for --tls")
    options.add_argument(
        "--pid", action="append", default=[], help="NAME=PID,PID: processes whose CPU time is reported; memory is that of `server`"
    )
    print(json.dumps(Load(options.parse_args()).run()))


if __name__ == "__main__":
    main()
