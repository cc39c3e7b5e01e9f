"""One trial: a gateway, an innocent charger, an attacker, and what was measured meanwhile.

Does not know how much is too much.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hiredis

from hostile.attack import Attack, Target
from hostile.gateway import ROOT, TOKEN, Gateway
from hostile.innocent import ID, PATIENCE

BEFORE = 3.0
"""Seconds for which the innocent charger is measured undisturbed."""

SETTLE = 3.0
"""Seconds after the attack at which the gateway's memory is measured again."""

GRACE = 20.0
"""Seconds that the attacker has to end after its time; then it is killed."""

DELIVERY = 30.0
"""Seconds in which the acknowledged messages must be events, once everything is over."""

CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


@dataclass
class Figures:
    """Memory in MB, times in ms, sizes in kB unless said otherwise."""

    peak: float = 0.0
    left: float = 0.0
    p50_before: float = 0.0
    p50: float = 0.0
    p99_before: float = 0.0
    p99: float = 0.0
    longest_before: float = 0.0
    longest: float = 0.0
    answers: int = 0
    log: float = 0.0
    tracebacks: int = 0
    unprintable: int = 0
    """Lines of the log with characters that a terminal obeys."""
    events: int = 0
    """Those of the attacker, like their size."""
    events_size: float = 0.0
    redis: float = 0.0
    lost: int = 0
    failures: list[str] = field(default_factory=list)
    """How often the innocent charger, a new one or an operator was disconnected, refused or not answered."""
    died: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    load: float = 0.0
    """The machine's, before the trial."""


class Sampler(threading.Thread):
    """The gateway's memory, ten times a second."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(daemon=True)
        self._gateway, self._ended = gateway, threading.Event()
        self.samples: list[tuple[float, float]] = []

    def run(self) -> None:
        while not self._ended.wait(0.1):
            self.samples.append((time.monotonic(), self._gateway.rss()))

    def end(self) -> None:
        self._ended.set()
        self.join()

    def most(self, since: float, until: float) -> float:
        return max((rss for at, rss in self.samples if since <= at <= until), default=0.0)


def process(module: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python process of this package, once it has said that it is ready."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests/support")))
    started = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert started.stdout is not None
    if started.stdout.readline() != "ready\n":
        started.kill()
        raise RuntimeError(f"{module} did not become ready (status {started.wait()})")
    return started


def ended(started: subprocess.Popen[str], within: float) -> dict[str, Any]:
    """What it prints last, once its standard input is closed; that it was killed if it does not end, since the gateway does not even hang up on it."""
    try:
        printed = started.communicate(timeout=within)[0]
    except subprocess.TimeoutExpired:
        started.kill()
        started.communicate()
        return {"killed": 1}
    if started.returncode:
        raise RuntimeError(f"{started.args} failed: see above")
    return json.loads(printed)


def trial(attack: Attack, seconds: float | None = None, before: float = BEFORE, settle: float = SETTLE) -> Figures:
    """Run the attack, for so many seconds instead of its own."""
    figures = Figures(load=os.getloadavg()[0])
    with tempfile.TemporaryDirectory(prefix="hostile-") as directory, Gateway(Path(directory), **attack.gateway) as gateway:
        target = Target(gateway.port, gateway.http, TOKEN, gateway.certificate, attack.seconds if seconds is None else seconds)
        sampler = Sampler(gateway)
        attacker = process("hostile.attacker", attack.name, str(target))
        innocent = process("hostile.innocent", str(target))
        sampler.start()
        try:
            stored = gateway.valkey("INFO", "memory")
            time.sleep(0.5)  # its arrival is not part of its usual answers
            begin = time.monotonic()
            time.sleep(before)
            attacked, logged = time.monotonic(), gateway.log.stat().st_size
            assert attacker.stdin is not None
            attacker.stdin.write("go\n")
            attacker.stdin.flush()
            figures.counts = ended(attacker, target.seconds + GRACE)
            over = time.monotonic()
            time.sleep(settle)
            left = time.monotonic()
            heard = ended(innocent, 2 * PATIENCE + 5)
        finally:
            sampler.end()
            for each in attacker, innocent:
                if each.poll() is None:
                    each.kill()
                    each.wait()
        figures.died = not gateway.alive
        base = sampler.most(attacked - 0.5, attacked)
        figures.peak = sampler.most(attacked, left) - base
        figures.left = sampler.most(left - 0.3, left + 0.3) - base
        _answers(figures, heard.get("answers", []), (begin, attacked, over))
        figures.failures = [why for at, why in heard.get("failures", [[0, "the innocent charger never ended"]])]
        _events(figures, gateway, set(heard.get("acknowledged", [])), stored)
        figures.log = (gateway.log.stat().st_size - logged) / 1000
        with gateway.log.open("rb") as log:
            for line in log:
                figures.tracebacks += b"Traceback (most recent" in line
                figures.unprintable += CONTROL.search(line) is not None
    return figures


def _answers(figures: Figures, answers: list[tuple[float, float]], times: tuple[float, float, float]) -> None:
    begin, attacked, over = times
    calm = sorted(took * 1000 for sent, took in answers if begin <= sent and sent + took < attacked)
    meanwhile = sorted(took * 1000 for sent, took in answers if attacked <= sent + took and sent < over)
    figures.answers = len(meanwhile)
    figures.p50_before, figures.p99_before, figures.longest_before = percentile(calm, 0.5), percentile(calm, 0.99), percentile(calm, 1)
    figures.p50, figures.p99 = percentile(meanwhile, 0.5), percentile(meanwhile, 0.99)
    figures.longest = max((took * 1000 for sent, took in answers if attacked <= sent + took), default=0.0)


def percentile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def _events(figures: Figures, gateway: Gateway, acknowledged: set[str], stored: bytes) -> None:
    """Consume all events, until those of the innocent charger are among them; what Redis has then is what the attack leaves there."""
    own = f'"{ID}'.encode()
    deadline = time.monotonic() + DELIVERY
    while True:
        while taken := _pop(gateway):
            for event in taken:
                if own in event[:2000]:
                    acknowledged.discard(json.loads(event).get("message_id"))
                else:
                    figures.events += 1
                    figures.events_size += len(event) / 1000
        if not acknowledged or time.monotonic() > deadline or not gateway.alive:
            break
        time.sleep(0.2)
    figures.lost = len(acknowledged)
    figures.redis = (_used(gateway.valkey("INFO", "memory")) - _used(stored)) / 1e6


def _pop(gateway: Gateway) -> list[bytes]:
    reply = gateway.valkey("LPOP", "events", 16)
    if isinstance(reply, hiredis.ReplyError):
        raise RuntimeError(str(reply))
    return reply or []


def _used(info: bytes) -> int:
    return int(info.partition(b"used_memory:")[2].split()[0])
