"""All that takes part: a gateway, a Valkey that keeps its data, proxies, a backend and chargers; set up, used and put away.

Knows neither which faults there will be nor what is found.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from chaos.backend import Backend
from chaos.charger import Charger
from chaos.habits import habits
from chaos.ledger import Ledger
from chaos.orders import Orders
from chaos.processes import GatewayProcess, knows
from chaos.proxy import Proxy
from chaos.reader import Reader
from chaos.store import Store
from fleets import Valkey, pause

FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")
DISK = 8 << 20
"""Bytes that the spool's disk has, where one can be made for it."""
BALLAST = "for i = 1, 4000 do redis.call('SET', 'ballast:' .. i, i) end"
"""Keys of no meaning, which make the server slow to load what stands before the latest events."""


@dataclass(frozen=True)
class Plan:
    """What kind of a house: see ``--help``."""

    seed: int = 1
    chargers: int = 50
    pace: float = 0.7
    patience: float = 3.0
    rate: float = 10.0
    spool: bool = True
    faketime: str = ""
    gateway_options: tuple[str, ...] = ()
    untold: bool = False


class House:
    """`open` it, and `close` it whatever happened."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self.directory, self.plan = directory, plan
        self.ledger = Ledger()
        self.chargers: list[Charger] = []
        self._pool = ThreadPool(1, 1, "chaos")
        self._closers: list[Callable[[], Any]] = []
        self._clock = directory / "clock"
        self._disk = directory / "spool"
        self.no_spool = self.no_small_disk = self.no_false_clock = ""

    async def open(self) -> None:
        """Start everything but the chargers."""
        self._pool.start()
        self._closers.append(self._pool.stop)
        home = self.directory / "valkey"
        home.mkdir()
        # Started in the one thread of the pool: the server dies with the thread that started it.
        self.valkey: Valkey = await self.blocking(lambda: Valkey(home, "--appendonly", "yes", "--appendfsync", "always"))
        self._closers.append(self.valkey.close)
        await self.control("EVAL", BALLAST, "0")
        await self.control("BGREWRITEAOF")
        self.redis_line = Proxy(self.valkey.port)
        self.backend = Backend(self.ledger)
        self._closers += [self.redis_line.close, self.backend.close]
        options = [
            "--redis", f"redis://127.0.0.1:{self.redis_line.port}", "--base-url", self.backend.url, "--backend-timeout", "2",
            "--call-timeout", "3", "--ping-interval", "3", "--ping-timeout", "2", *self.plan.gateway_options,
        ]  # fmt: skip
        options += self._spool()
        self.gateway = GatewayProcess(self.directory, self.ledger, *options, environment=self._false_clock())
        self._closers.append(self.gateway.close)
        await self.gateway.start()
        self.door = Proxy(self.gateway.port)
        self._closers.append(self.door.close)
        self.reader = Reader(self.store(), self.ledger)
        rng = random.Random(f"{self.plan.seed} fleet")
        for number in range(self.plan.chargers):
            name, seed = f"c{number:03}", f"{self.plan.seed} c{number}"
            self.chargers.append(Charger(name, self.door.port, seed, self.ledger, habits(number, rng, self.plan.patience), self.plan.pace))
        fleet = [(each.name, each.habits.version) for each in self.chargers]
        self.orders = Orders(self.store(), self.ledger, fleet, self.plan.rate, f"{self.plan.seed} orders")

    def store(self) -> Store:
        """A line to Valkey of one's own, past the proxy."""
        made = Store(self.valkey.port, lambda: self.valkey.password)
        self._closers.append(made.close)
        return made

    def _spool(self) -> list[str]:
        """On a disk of its own that is small, where that can be."""
        if not self.plan.spool or not knows("--spool"):
            self.no_spool = self.no_small_disk = "the gateway has no --spool"
            return ["--spool", "no"] if knows("--spool") else []
        self._disk.mkdir()
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "chaos", str(self._disk)], capture_output=True, text=True, check=False
        )
        if tried.returncode:
            self.no_small_disk = f"no tmpfs can be mounted: {tried.stderr.strip()}"
        else:
            self._closers.append(lambda: subprocess.run(["umount", "-l", str(self._disk)], check=False))
        return ["--spool", str(self._disk / "spool")]

    def _false_clock(self) -> dict[str, str]:
        found = [self.plan.faketime] if self.plan.faketime else [str(each) for where in FAKETIME for each in Path("/").glob(where[1:])]
        if not found:
            self.no_false_clock = "libfaketime is not installed"
            return {}
        self.set_clock(0)
        return {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    async def close(self) -> None:
        """End it all, once, in the order in which one needs the other."""
        closers, self._closers = self._closers, []
        for charger in self.chargers:
            charger.end()
        for closer in reversed(closers):
            with suppress(Exception):
                closer()
        await pause(0.05)  # what was cut ends in a turn or two of the reactor

    # what faults need

    async def blocking(self, do: Callable[..., Any], *args: Any) -> Any:
        """Do something that blocks, beside the reactor."""
        return await deferToThreadPool(reactor, self._pool, do, *args)

    async def control(self, *args: str) -> Any:
        """Say something to Valkey, until it has been heard."""
        for _ in range(50):
            try:
                return await self.blocking(self.valkey, *args)
            except OSError:
                await pause(0.1)
        raise RuntimeError(f"Valkey did not answer {args}")

    async def valkey_starts(self, enough: bytes = b"\nloading:0") -> None:
        """Start it again on the same data."""
        await self.blocking(self.valkey.start, enough)

    async def loaded(self) -> None:
        """Wait until it has loaded its data."""
        deadline = time.monotonic() + 20
        while b"\nloading:0" not in await self.control("INFO"):
            assert time.monotonic() < deadline, "Valkey never loaded its data"
            await pause(0.02)

    def fill_disk(self) -> None:
        """Leave no room where the spool is."""
        with suppress(OSError), (self._disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 4096)

    def empty_disk(self) -> None:
        """Make room again."""
        (self._disk / "ballast").unlink(missing_ok=True)

    def damage_spool(self, rng: random.Random) -> None:
        """Cut some bytes off the largest file of the spool, or flip a bit in its latter half."""
        path = max((each for each in (self._disk / "spool").rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
        data = bytearray(path.read_bytes())
        if rng.random() < 0.5:
            cut = rng.choice((1, 7, 100, 4096))
            what, data = f"{cut} bytes cut off", data[:-cut]
        else:
            place = rng.randrange(len(data) // 2, len(data))
            data[place] ^= 1 << rng.randrange(8)
            what = f"a bit flipped at {place} of {len(data)}"
        path.write_bytes(data)
        with self.gateway.log.open("a") as log:
            log.write(f"---- {path.name}: {what}\n")

    @property
    def damage(self) -> list[str]:
        """What the gateway has said of a damaged spool."""
        lines = self.gateway.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "damaged" in line and not line.startswith("----")]

    def set_clock(self, seconds: int) -> None:
        """Set the gateway's clock forth or back from the true time."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._clock)
