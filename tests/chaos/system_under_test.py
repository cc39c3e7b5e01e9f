"""Sets up and tears down the system under test: a gateway, a persistent Valkey, proxies, a backend and chargers.

Knows neither which faults are injected nor what is found.
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
from chaos.behaviour import draw_behaviour
from chaos.charger import Charger
from chaos.command_source import CommandSource
from chaos.event_reader import EventReader
from chaos.ledger import Ledger
from chaos.messages import LONGEST_MESSAGE
from chaos.processes import GatewayProcess, has_option
from chaos.proxy import Proxy
from chaos.store import Store
from fleets import Valkey, pause

FAKETIME = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/local/lib/faketime/libfaketime.so.1")
SPOOL_DISK_SIZE = 8 << 20
"""Size in bytes of the spool's own disk, where one can be mounted."""
BALLAST = "for i = 1, 4000 do redis.call('SET', 'ballast:' .. i, i) end"
"""Keys without meaning, so that the server takes some time to load its data."""


@dataclass(frozen=True)
class Plan:
    """The parameters of a run: see ``--help``."""

    seed: int = 1
    chargers: int = 50
    pace: float = 0.7
    patience: float = 3.0
    rate: float = 10.0
    spool: bool = True
    faketime: str = ""
    gateway_options: tuple[str, ...] = ()
    allow_unreported: bool = False
    omits: frozenset[str] = frozenset()


class SystemUnderTest:
    """All parts; call `open` first, and `close` in any case."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self.directory, self.plan = directory, plan
        self.ledger = Ledger()
        self.chargers: list[Charger] = []
        self._pool = ThreadPool(1, 1, "chaos")
        self._closers: list[Callable[[], Any]] = []
        self._clock = directory / "clock"
        self._disk = directory / "spool"
        self.no_spool = self.no_small_disk = self.no_fake_clock = ""

    async def open(self) -> None:
        """Start everything but the chargers."""
        self._pool.start()
        self._closers.append(self._pool.stop)
        home = self.directory / "valkey"
        home.mkdir()
        # Started in the pool's only thread: the server dies with the thread that started it.
        self.valkey: Valkey = await self.blocking(lambda: Valkey(home, "--appendonly", "yes", "--appendfsync", "always"))
        self._closers.append(self.valkey.close)
        await self.control("EVAL", BALLAST, "0")
        await self.control("BGREWRITEAOF")
        self.redis_proxy = Proxy(self.valkey.port)
        self.backend = Backend(self.ledger)
        self._closers += [self.redis_proxy.close, self.backend.close]
        options = [
            "--redis", f"redis://127.0.0.1:{self.redis_proxy.port}", "--base-url", self.backend.url, "--backend-timeout", "2",
            "--call-timeout", "3", "--max-message", str(LONGEST_MESSAGE), "--ping-interval", "3", "--ping-timeout", "2", *self.plan.gateway_options,
        ]  # fmt: skip
        options += self._spool()
        self.gateway = GatewayProcess(self.directory, self.ledger, *options, environment=self._fake_clock())
        self._closers.append(self.gateway.close)
        await self.gateway.start()
        self.charger_proxy = Proxy(self.gateway.port)
        self._closers.append(self.charger_proxy.close)
        self.reader = EventReader(self.store(), self.ledger)
        rng = random.Random(f"{self.plan.seed} fleet")
        for number in range(self.plan.chargers):
            name, seed = f"c{number:03}", f"{self.plan.seed} c{number}"
            self.chargers.append(
                Charger(
                    name,
                    self.charger_proxy.port,
                    seed,
                    self.ledger,
                    draw_behaviour(number, rng, self.plan.patience, self.plan.omits),
                    self.plan.pace,
                )
            )
        fleet = [(each.name, each.behaviour.version) for each in self.chargers]
        self.command_source = CommandSource(
            self.store(),
            self.gateway.http,
            self.ledger,
            fleet,
            self.plan.rate,
            f"{self.plan.seed} commands",
            "hang-ups" not in self.plan.omits,
        )

    def store(self) -> Store:
        """A new connection to Valkey that bypasses the proxy."""
        store = Store(self.valkey.port, lambda: self.valkey.password)
        self._closers.append(store.close)
        return store

    def _spool(self) -> list[str]:
        """The gateway's options for a spool, on a small disk of its own where one can be mounted."""
        if not self.plan.spool or not has_option("--spool"):
            self.no_spool = self.no_small_disk = "the gateway has no --spool"
            return ["--spool", "no"] if has_option("--spool") else []
        self._disk.mkdir()
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SPOOL_DISK_SIZE}", "chaos", str(self._disk)], capture_output=True, text=True, check=False
        )
        if mount.returncode:
            self.no_small_disk = f"no tmpfs can be mounted: {mount.stderr.strip()}"
        else:
            self._closers.append(lambda: subprocess.run(["umount", "-l", str(self._disk)], check=False))
        return ["--spool", str(self._disk / "spool")]

    def _fake_clock(self) -> dict[str, str]:
        found = [self.plan.faketime] if self.plan.faketime else [str(each) for where in FAKETIME for each in Path("/").glob(where[1:])]
        if not found:
            self.no_fake_clock = "libfaketime is not installed"
            return {}
        self.set_clock(0)
        return {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    async def close(self) -> None:
        """End all parts, once, each before those that it depends on."""
        closers, self._closers = self._closers, []
        for charger in self.chargers:
            charger.end()
        for closer in reversed(closers):
            with suppress(Exception):
                closer()
        await pause(0.05)  # aborted connections end within an iteration or two of the reactor

    # for faults

    async def blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a blocking function outside the reactor thread."""
        return await deferToThreadPool(reactor, self._pool, function, *args)

    async def control(self, *args: str) -> Any:
        """Send Valkey a command, and again until it replies."""
        for _ in range(50):
            try:
                return await self.blocking(self.valkey, *args)
            except OSError:
                await pause(0.1)
        raise RuntimeError(f"Valkey did not answer {args}")

    async def start_valkey(self, enough: bytes = b"\nloading:0") -> None:
        """Restart it on the same data, and wait until ``enough`` is in its INFO."""
        await self.blocking(self.valkey.start, enough)

    async def valkey_loaded(self) -> None:
        """Wait until Valkey has loaded its data."""
        deadline = time.monotonic() + 20
        while b"\nloading:0" not in await self.control("INFO"):
            assert time.monotonic() < deadline, "Valkey never loaded its data"
            await pause(0.02)

    def fill_disk(self) -> None:
        """Fill the spool's disk."""
        with suppress(OSError), (self._disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"\0" * 4096)

    def empty_disk(self) -> None:
        """Free the spool's disk again."""
        (self._disk / "ballast").unlink(missing_ok=True)

    def damage_spool(self, rng: random.Random) -> None:
        """Truncate the largest file of the spool by some bytes, or flip a bit in its second half."""
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
        """The gateway's log lines on a damaged spool."""
        lines = self.gateway.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "damaged" in line and not line.startswith("----")]

    def set_clock(self, seconds: int) -> None:
        """Set the gateway's clock forward or back from the true time."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._clock)
