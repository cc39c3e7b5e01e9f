"""The load generator: chargers on plain sockets connect, idle and send CALLs; one line of JSON reports what that cost the server.

``load.py KIND PORT``, where KIND is ``ocpp``, ``websocket`` (an echo server) or ``raw`` (a TCP echo). Each charger has one CALL in flight and
sends the next as soon as it is answered, or when it is due (``--rate``). Knows only the server's sockets and its /proc entries.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import socket
import ssl
import struct
import time
from base64 import b64encode
from collections import deque
from typing import Any

from messages import BOOT, HEARTBEAT, cycle, meter
from proc import cpu, memory
from websockets.speedups import apply_mask

CHARGERS_PER_ADDRESS = 4000
"""Chargers that share a source address (127.0.0.1, 127.0.0.2, …), which has at most 28,000 ports."""

PING = 9


class Charger:
    """One charger; it sends a CALL only after the previous one was answered."""

    __slots__ = (
        "buffer",
        "calls",
        "expected",
        "id",
        "kind",
        "lead",
        "mask",
        "number",
        "password",
        "round",
        "sent",
        "socket",
        "step",
        "tls",
    )

    def __init__(self, number: int, kind: str, calls: list[bytes], tls: ssl.SSLContext | None = None, password: bytes = b"") -> None:
        self.number, self.kind, self.calls, self.tls, self.password = number, kind, calls, tls, password
        self.buffer, self.mask = b"", os.urandom(4)
        self.id = self.round = self.step = self.expected = 0
        self.lead = number % 20  # heartbeats before the first cycle, so that chargers are at different steps of it
        self.sent = 0.0

    def connect(self, port: int) -> None:
        self.socket: socket.socket = socket.socket()
        if self.number >= CHARGERS_PER_ADDRESS:
            self.socket.bind((f"127.0.0.{1 + self.number // CHARGERS_PER_ADDRESS}", 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            self.socket = self.tls.wrap_socket(self.socket)
        self.socket.setblocking(False)
        self.sent = time.perf_counter()
        if self.kind == "raw":
            self.send(BOOT)
        else:
            id = b"bench-%d-%05d" % (port, self.number)
            shown = b"Authorization: Basic %b\r\n" % b64encode(b"%b:%b" % (id, self.password)) if self.password else b""
            self.socket.send(
                b"GET /%b HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n%b"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n" % (id, shown)
            )

    def upgraded(self) -> bool:
        """Whether the handshake's response has arrived; then the BootNotification is sent at once."""
        self.buffer += self.receive()
        head, end, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if not end:
            self.buffer = head
            return False
        assert head.startswith(b"HTTP/1.1 101"), head
        self.send(BOOT)
        return True

    def receive(self) -> bytes:
        """The data that has arrived."""
        try:
            data = self.socket.recv(65536)
        except ssl.SSLWantReadError:  # it was data of TLS itself: a session ticket
            return b""
        assert data, "the server closed the connection"
        return data

    def send(self, tail: bytes) -> None:
        self.id += 1
        text = b'[2,"%08d' % self.id + tail
        size = len(text)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
        self.expected = len(head) + 4 + size
        if self.socket.send(head + self.mask + apply_mask(text, self.mask)) != self.expected:
            raise RuntimeError("the socket took only a part of a message")

    def call(self) -> None:
        """Send the next CALL of the cycle."""
        self.sent = time.perf_counter()
        if self.lead:
            self.lead -= 1
            self.send(HEARTBEAT)
        elif len(self.calls) == 1:
            self.send(self.calls[0])
        else:
            if self.step == 0:
                self.round += 1
                self.calls = cycle(self.number, self.round, 1)
            self.send(self.calls[self.step])
            self.step = (self.step + 1) % 20

    def answered(self) -> bool:
        """Whether the answer to the last CALL has arrived; asserts that it is right."""
        data = self.receive()
        data = self.buffer + data if self.buffer else data
        if self.kind == "raw":
            self.buffer = data if len(data) < self.expected else b""
            return not self.buffer
        while len(data) > 1:
            kind, size, at = data[0] & 15, data[1], 2
            if size == 126:
                size, at = int.from_bytes(data[2:4], "big"), 4
            if len(data) < at + size:
                break
            text, data = data[at : at + size], data[at + size :]
            if kind == PING:
                self.socket.send(b"\x8a" + bytes((0x80 | size,)) + self.mask + apply_mask(text, self.mask))
                continue
            self.buffer = data
            if self.kind == "ocpp":
                assert text.startswith(b'[3,"%08d"' % self.id), text
                if self.step == 1 and (found := re.search(rb'"transactionId":(\d+)', text)):
                    self.calls = cycle(self.number, self.round, int(found[1]))
            return True
        self.buffer = data
        return False


class Load:
    """All chargers of one run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.poll = select.epoll()
        calls = [meter(1, options.samples)] if options.samples else [b""] * 20
        tls = unverified(options.certificate) if options.tls else None
        self.chargers = [Charger(number, options.kind, calls, tls, options.password) for number in range(options.chargers)]
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

    def run(self) -> dict[str, Any]:
        server = self.pids.get("server", [])
        report: dict[str, Any] = {"memory": [memory(server)], "arrivals": self.arrive()}
        time.sleep(self.options.hold)
        report["memory"].append(memory(server))
        if self.options.seconds:
            report["calls"] = self.call()
        report["own"] = cpu([os.getpid()])
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
    options.add_argument("--samples", type=int, default=0, help="send only MeterValues with this many samples, instead of the cycle")
    options.add_argument("--tls", action="store_true", help="over TLS, one handshake at a time")
    options.add_argument("--password", type=str.encode, default=b"", help="that of all chargers")
    options.add_argument("--certificate", default="", metavar="FILE", help="that of all chargers and its key, for --tls")
    options.add_argument(
        "--pid", action="append", default=[], help="NAME=PID,PID: processes whose CPU time is reported; memory is that of `server`"
    )
    print(json.dumps(Load(options.parse_args()).run()))


if __name__ == "__main__":
    main()
