"""``python -m hostile.innocent TARGET``: a charger that only wants to be served; beside it, once a second, one that is new and an operator.

It sends Heartbeat and MeterValues in turn, 20 ms after the last answer, and prints at the end of its standard input what happened to it.
All come from an address of their own, so that no limit on the attacker's address concerns them.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from benchmarks.messages import BOOT, HEARTBEAT, meter
from hostile.attack import Target
from hostile.ocpp import opener
from hostile.wire import CLOSE, PING, PONG, TEXT, Line, Refused

ADDRESS = "127.0.0.2"
ID = "innocent"
PAUSE = 0.02
"""Seconds between an answer and the next message."""

PATIENCE = 30.0
"""Seconds that it waits for an answer."""


class Innocent:
    """The charger. Times are those of the monotonic clock, which all processes share."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.answers: list[tuple[float, float]] = []
        """When each message was sent, and the seconds until it was answered."""
        self.acknowledged: list[str] = []
        """The message ids of what was answered with a CALLRESULT and is to be an event."""
        self.failures: list[tuple[float, str]] = []
        self.number = 0
        self.line: Line | None = None

    def run(self) -> None:
        """Until standard input ends."""
        ready = False
        while not over(PAUSE if self.line else 0.1):
            try:
                if self.line is None:
                    self.line = self._connected()
                    if not ready:
                        print("ready", flush=True)
                        ready = True
                self._exchange(HEARTBEAT if self.number % 2 else meter(1, 8))
            except Refused as why:
                self._failed(f"refused: {why}")
            except OSError as why:
                self._failed("unanswered" if isinstance(why, TimeoutError) else f"disconnected: {why!r}")

    def _connected(self) -> Line:
        line = Line(self.target.port, ID, source=ADDRESS, tls=bool(self.target.certificate), timeout=PATIENCE)
        self.line = line
        self._exchange(BOOT)
        return line

    def _exchange(self, tail: bytes) -> None:
        """Send one message and wait for its answer; the gateway's own CALLs and pings are answered meanwhile."""
        assert self.line is not None
        self.number += 1
        id = f"{ID}-{self.number}"
        sent = time.monotonic()
        self.line.send(b'[2,"%s' % id.encode() + tail)
        while True:
            opcode, payload = self.line.receive()
            if opcode == CLOSE:
                raise ConnectionResetError(f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}")
            if opcode == PING:
                self.line.send(payload, PONG)
            elif opcode == TEXT and payload.startswith(b"[2"):
                self.line.send(json.dumps([4, json.loads(payload)[1], "NotSupported", "", {}]).encode())
            elif opcode == TEXT and f'"{id}"'.encode() in payload:
                break
        self.answers.append((sent, time.monotonic() - sent))
        if payload.startswith(b"[3"):
            self.acknowledged.append(id)
        else:
            self.failures.append((sent, f"refused: {payload.decode()[:100]}"))

    def _failed(self, why: str) -> None:
        self.failures.append((time.monotonic(), why))
        if self.line is not None:
            self.line.close()
        self.line = None


def visits(target: Target, failures: list[tuple[float, str]], pause: float = 1.0) -> None:
    """A new charger connects and is answered, and an operator asks for the gateway's health, again and again."""
    while True:
        time.sleep(pause)
        try:
            line = Line(target.port, f"{ID}-visitor", source=ADDRESS, tls=bool(target.certificate), timeout=PATIENCE)
            line.send(b'[2,"visit' + BOOT)
            while b'"visit"' not in line.receive()[1]:
                pass
            line.close()
        except (Refused, OSError) as why:
            failures.append((time.monotonic(), f"a new charger was refused: {why!r}"))
        try:
            operator = http.client.HTTPConnection("127.0.0.1", target.http, PATIENCE, source_address=(ADDRESS, 0))
            operator.request("GET", "/healthz")
            if (status := operator.getresponse().status) != 200:
                failures.append((time.monotonic(), f"an operator was refused: {status}"))
            operator.close()
        except (http.client.HTTPException, OSError) as why:
            failures.append((time.monotonic(), f"an operator was refused: {why!r}"))


def warm_up(target: Target) -> None:
    """What the gateway loads when it first serves a version is no growth under attack."""
    for protocol in ("ocpp1.6", "ocpp2.0.1", "ocpp2.1"):
        with suppress(Refused, OSError):
            line = opener(target, f"{ID}-{protocol[4:]}", protocol)()
            while b'"boot"' not in line.receive()[1]:
                pass
            line.close()


def over(seconds: float) -> bool:
    """Whether standard input has ended, after so many seconds at most."""
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def main(target: str) -> None:
    innocent = Innocent(Target.read(target))
    warm_up(innocent.target)
    visitor: Any = threading.Thread(target=visits, args=(innocent.target, innocent.failures), daemon=True)
    visitor.start()
    innocent.run()
    print(json.dumps({"answers": innocent.answers, "acknowledged": innocent.acknowledged, "failures": innocent.failures}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
