"""Chargers on plain sockets: each sends its next call when the answer to the last one is there, for so many seconds.

``load.py KIND PORT CHARGERS SECONDS`` prints one line of JSON: messages, seconds, latencies in microseconds, errors. KIND is ``ocpp``,
``websocket`` (an echo server) or ``raw`` (a TCP echo). Frames are masked with zeroes, which costs the server what any mask costs.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import struct
import sys
import time

TIMESTAMP = "2026-11-23T10:00:00.000Z"


def cycle(charger: int, transaction: int) -> list[tuple[str, dict]]:
    """A charging cycle of 20 calls."""
    samples = [
        {"value": "18312", "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": "10983.3", "measurand": "Power.Active.Import", "unit": "W"},
        *({"value": "232.5", "measurand": "Voltage", "phase": f"L{n}-N", "unit": "V"} for n in (1, 2, 3)),
        *({"value": "15.8", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A"} for n in (1, 2)),
        {"value": "20", "measurand": "SoC", "unit": "Percent"},
    ]
    meter = (
        "MeterValues",
        {"connectorId": 1, "transactionId": transaction, "meterValue": [{"timestamp": TIMESTAMP, "sampledValue": samples}]},
    )
    beat = ("Heartbeat", {})

    def status(word: str) -> tuple[str, dict]:
        return "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": word, "timestamp": TIMESTAMP}

    stop = ("StopTransaction", {"transactionId": transaction, "idTag": f"TAG{charger}", "meterStop": 19000, "timestamp": TIMESTAMP})
    return [
        status("Preparing"), meter, beat, meter, meter, status("Charging"), meter, beat, meter, meter,
        status("SuspendedEV"), meter, beat, meter, meter, meter, beat, stop, status("Available"),
    ]  # fmt: skip


def frame(text: bytes) -> bytes:
    """A complete text frame with a mask of zeroes."""
    size = len(text)
    head = struct.pack("!BB", 0x81, 0x80 | size) if size < 126 else struct.pack("!BBH", 0x81, 0xFE, size)
    return head + b"\0\0\0\0" + text


def payload(buffer: bytearray) -> bytes | None:
    """The first frame's payload, taken out of the buffer; None when it is not complete."""
    if len(buffer) < 2:
        return None
    size, start = buffer[1] & 0x7F, 2
    if size == 126:
        if len(buffer) < 4:
            return None
        size, start = struct.unpack_from("!H", buffer, 2)[0], 4
    if len(buffer) < start + size:
        return None
    text = bytes(buffer[start : start + size])
    del buffer[: start + size]
    return text


class Player:
    """One charger."""

    def __init__(self, number: int, kind: str, port: int) -> None:
        self.number, self.kind, self.buffer = number, kind, bytearray()
        self.ids = number * 7  # chargers are at different steps
        self.transaction, self.round = 0, 0
        self.calls: list[tuple[str, dict]] = []
        self.line = socket.create_connection(("127.0.0.1", port))
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind != "raw":
            self.line.sendall(
                f"GET /bench-{number:05} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
            )
            head = b""
            while b"\r\n\r\n" not in head:
                head += self.line.recv(4096)
            assert head.startswith(b"HTTP/1.1 101"), head
        self.expected = 0

    def send(self) -> None:
        if not self.calls:
            self.round += 1
            start = {"connectorId": 1, "idTag": f"TAG{self.number}", "meterStart": self.round, "timestamp": TIMESTAMP}
            self.calls = [("StartTransaction", start)]
        action, said = self.calls.pop(0)
        self.ids += 1
        text = frame(json.dumps([2, str(self.ids), action, said], separators=(",", ":")).encode())
        self.action, self.expected, self.sent = action, len(text), time.perf_counter()
        self.line.send(text)

    def receive(self) -> bool:
        """Whether the answer is there, and right."""
        self.buffer += self.line.recv(65536)
        if self.kind == "raw":
            if len(self.buffer) < self.expected:
                return False
            self.buffer.clear()
            self._go_on(1)
            return True
        text = payload(self.buffer)
        if text is None:
            return False
        if self.kind == "ocpp":
            assert text.startswith(b'[3,"%d",' % self.ids), text
            found = re.search(rb'"transactionId":(\d+)', text)
            self._go_on(int(found[1]) if found else 0)
        else:
            self._go_on(1)
        return True

    def _go_on(self, transaction: int) -> None:
        if self.action == "StartTransaction":
            self.calls = cycle(self.number, transaction)


def main() -> None:
    kind, port, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    players, selector = [], selectors.DefaultSelector()
    for number in range(count):
        players.append(Player(number, kind, port))
        selector.register(players[-1].line, selectors.EVENT_READ, players[-1])
    latencies: list[float] = []
    for player in players:
        player.send()
    print("ready", flush=True)
    begin = time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds:
        for key, _ in selector.select(0.1):
            if key.data.receive():
                latencies.append(time.perf_counter() - key.data.sent)
                key.data.send()
    latencies.sort()
    told = {f"p{each}": round(latencies[int(len(latencies) * each / 100)] * 1e6) for each in (50, 99)}
    print(json.dumps({"messages": len(latencies), "seconds": round(now - begin, 2), **told}))


if __name__ == "__main__":
    main()
