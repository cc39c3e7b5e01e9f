"""Chargers on plain sockets: they come, they rest, they play; one line of JSON says what that cost the server.

``load.py KIND PORT``, where KIND is ``ocpp``, ``websocket`` (an echo server) or ``raw`` (a TCP echo). Each charger has one call in flight and
sends the next as soon as it is answered, or when it is due (``--rate``). Knows nothing of the server but its sockets and its /proc.
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
from collections import deque
from typing import Any

from mix import BEAT, BOOT, cycle, meter
from proc import cpu, memory
from websockets.speedups import apply_mask

PER_ADDRESS = 4000
"""Chargers with one source address (127.0.0.1, 127.0.0.2, …): one has 28,000 ports at most."""

PING = 9


class Charger:
    """One charger; a call is answered before the next is sent."""

    __slots__ = ("buffer", "calls", "expected", "id", "kind", "lead", "line", "mask", "number", "round", "sent", "step", "tls")

    def __init__(self, number: int, kind: str, calls: list[bytes], tls: ssl.SSLContext | None = None) -> None:
        self.number, self.kind, self.calls, self.tls = number, kind, calls, tls
        self.buffer, self.mask = b"", os.urandom(4)
        self.id = self.round = self.step = self.expected = 0
        self.lead = number % 20  # so that chargers are at different steps of the cycle
        self.sent = 0.0

    def connect(self, port: int) -> None:
        self.line: socket.socket = socket.socket()
        if self.number >= PER_ADDRESS:
            self.line.bind((f"127.0.0.{1 + self.number // PER_ADDRESS}", 0))
        self.line.connect(("127.0.0.1", port))
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            self.line = self.tls.wrap_socket(self.line)
        self.line.setblocking(False)
        self.sent = time.perf_counter()
        if self.kind == "raw":
            self.send(BOOT)
        else:
            self.line.send(
                b"GET /bench-%d-%05d HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n" % (port, self.number)
            )

    def upgraded(self) -> bool:
        """Whether the handshake's answer is there; then it has booted at once."""
        self.buffer += self.heard()
        head, end, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if not end:
            self.buffer = head
            return False
        assert head.startswith(b"HTTP/1.1 101"), head
        self.send(BOOT)
        return True

    def heard(self) -> bytes:
        """What is there to be read."""
        try:
            data = self.line.recv(65536)
        except ssl.SSLWantReadError:  # it was TLS's own: a session ticket
            return b""
        assert data, "the server hung up"
        return data

    def send(self, tail: bytes) -> None:
        self.id += 1
        text = b'[2,"%08d' % self.id + tail
        size = len(text)
        head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
        self.expected = len(head) + 4 + size
        if self.line.send(head + self.mask + apply_mask(text, self.mask)) != self.expected:
            raise RuntimeError("the socket took a part of a message only")

    def call(self) -> None:
        """The next of the cycle."""
        self.sent = time.perf_counter()
        if self.lead:
            self.lead -= 1
            self.send(BEAT)
        elif len(self.calls) == 1:
            self.send(self.calls[0])
        else:
            if self.step == 0:
                self.round += 1
                self.calls = cycle(self.number, self.round, 1)
            self.send(self.calls[self.step])
            self.step = (self.step + 1) % 20

    def answered(self) -> bool:
        """Whether the answer to the last call is there, and right."""
        data = self.heard()
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
                self.line.send(b"\x8a" + bytes((0x80 | size,)) + self.mask + apply_mask(text, self.mask))
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
        tls = trusting() if options.tls else None
        self.chargers = [Charger(number, options.kind, calls, tls) for number in range(options.chargers)]
        self.pids = {name: [int(pid) for pid in pids.split(",")] for name, pids in (each.split("=") for each in options.pid)}
        self.by_line: dict[int, Charger] = {}
        self.latencies: list[float] = []

    def spent(self) -> dict[str, float]:
        return {name: cpu(pids) for name, pids in self.pids.items()}

    def told(self, count: int, seconds: float, before: dict[str, float]) -> dict[str, Any]:
        after, found = self.spent(), sorted(self.latencies) or [0.0]
        self.latencies = []
        percentiles = {f"p{each}": found[int(len(found) * each / 100)] * 1000 for each in (50, 99)}
        costs = {name: (after[name] - before[name]) / max(1, count) * 1e6 for name in before}
        return {"count": count, "seconds": seconds, "us": costs, **percentiles}

    def come(self) -> dict[str, Any]:
        """All connect and boot, so many at a time."""
        before, begin = self.spent(), time.perf_counter()
        waiting, upgraded, inside = deque(self.chargers), set(), 0
        while inside < len(self.chargers):
            while waiting and len(self.by_line) - inside < self.options.parallel:
                charger = waiting.popleft()
                charger.connect(self.options.port)
                self.by_line[charger.line.fileno()] = charger
                self.poll.register(charger.line, select.EPOLLIN)
            for line, _ in self.poll.poll(10):
                charger = self.by_line[line]
                if self.options.kind != "raw" and line not in upgraded:
                    if charger.upgraded():
                        upgraded.add(line)
                elif charger.answered():
                    inside += 1
                    self.latencies.append(time.perf_counter() - charger.sent)
        return self.told(inside, time.perf_counter() - begin, before)

    def play(self) -> dict[str, Any]:
        """All call, for so many seconds after a warm-up."""
        rate, now, count, before = self.options.rate, time.perf_counter(), 0, None
        begin, end = now + self.options.warm, now + self.options.warm + self.options.seconds
        due, idle = now, deque(self.chargers)
        while now < end:
            while idle and (not rate or due <= now):
                idle.popleft().call()
                due += 1 / rate if rate else 0
            # a paced load has to look at the clock often, a full one is woken by answers
            ready = self.poll.poll(max(0, due - now) if rate else 1, 256)
            now = time.perf_counter()
            if before is None and now >= begin:
                before, begin, count = self.spent(), now, 0
                self.latencies = []
            for line, _ in ready:
                charger = self.by_line[line]
                if charger.answered():
                    count += 1
                    self.latencies.append(time.perf_counter() - charger.sent)
                    if rate:
                        idle.append(charger)
                    else:
                        charger.call()
        assert before is not None
        return self.told(count, now - begin, before)

    def run(self) -> dict[str, Any]:
        server = self.pids.get("server", [])
        found: dict[str, Any] = {"memory": [memory(server)], "come": self.come()}
        time.sleep(self.options.hold)
        found["memory"].append(memory(server))
        if self.options.seconds:
            found["play"] = self.play()
        found["own"] = cpu([os.getpid()])
        return found


def trusting() -> ssl.SSLContext:
    """TLS with whatever certificate the server shows."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kind", choices=("ocpp", "websocket", "raw"))
    options.add_argument("port", type=int)
    options.add_argument("--chargers", type=int, default=100)
    options.add_argument("--parallel", type=int, default=64, help="how many come at once")
    options.add_argument("--hold", type=float, default=0.0, help="seconds of rest before memory is read")
    options.add_argument("--warm", type=float, default=0.5, help="seconds of calls before they are counted")
    options.add_argument("--seconds", type=float, default=2.0, help="seconds of calls; 0: none")
    options.add_argument("--rate", type=float, default=0.0, help="calls per second over all chargers; 0: as many as can be answered")
    options.add_argument("--samples", type=int, default=0, help="MeterValues with so many samples only, instead of the cycle")
    options.add_argument("--tls", action="store_true", help="over TLS, each handshake at a time")
    options.add_argument("--pid", action="append", default=[], help="NAME=PID,PID: whose CPU is told; memory is that of `server`")
    print(json.dumps(Load(options.parse_args()).run()))


if __name__ == "__main__":
    main()
