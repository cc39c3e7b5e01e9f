"""The gateway's process: started as in the README, and ended by SIGTERM or SIGKILL.

Knows nothing of what the gateway does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from chaos.ledger import Ledger
from fleets import _mortal, free_port, pause

ROOT = Path(__file__).parents[2]
TWISTD = str(Path(sys.executable).parent / "twistd")


def has_option(option: str) -> bool:
    """Whether this checkout's gateway has the option."""
    help_text = subprocess.run(
        [TWISTD, "ocpp", "--help"], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    return option in help_text.stdout


class GatewayProcess:
    """``twistd ocpp``; all its runs append to one log."""

    NAME = "gw-chaos"

    def __init__(self, directory: Path, ledger: Ledger, *options: str, environment: dict[str, str] | None = None) -> None:
        self.directory, self.ledger = directory, ledger
        self.options, self.environment = options, environment or {}
        self.port, self.http = free_port(), free_port()
        self.log = directory / "gateway.log"
        self.wrapper: tuple[str, ...] = ()
        self.runs = 0
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self, within: float = 120.0) -> None:
        """Start it, and wait until chargers can connect."""
        self.runs += 1
        with self.log.open("ab") as log:
            log.write(f"---- run {self.runs} at {self.ledger.now:.2f} s\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [
                    *self.wrapper, TWISTD, "--pidfile=", "-n", "ocpp", "--port", f"127.0.0.1:{self.port}",
                    "--http", f"127.0.0.1:{self.http}", "--name", self.NAME, *self.options,
                ],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment},
                stdout=log,
                stderr=log,
                preexec_fn=_mortal,
            )  # fmt: skip
        deadline = time.monotonic() + within
        while not _listens(self.port):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.ledger.report_failure(f"the gateway did not start (status {self.process.poll()}): {self.tail()}")
                raise RuntimeError(f"the gateway did not start: {self.tail()}")
            await pause(0.05)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    async def kill(self) -> None:
        """kill -9."""
        self._checked_alive()
        self.ledger.crashes.append(self.ledger.now)
        self.signal(signal.SIGKILL)
        await self._gone(10)

    async def terminate(self, within: float = 30.0) -> None:
        """SIGTERM; it has to end with status 0 within this time, which is more than --drain since the machine may be busy."""
        self._checked_alive()
        begin = time.monotonic()
        self.signal(signal.SIGTERM)
        status = await self._gone(within)
        if status is None:
            self.ledger.report_failure(f"the gateway did not end within {within:g} s of SIGTERM")
            self.signal(signal.SIGKILL)
            await self._gone(10)
        elif status:
            took = time.monotonic() - begin
            self.ledger.report_failure(f"the gateway ended with status {status} {took:.1f} s after SIGTERM: {self.tail()}")

    def _checked_alive(self) -> None:
        if self.process is not None and self.process.poll() is not None:
            self.ledger.report_failure(f"the gateway had ended by itself, with status {self.process.poll()}: {self.tail()}")

    async def _gone(self, within: float) -> int | None:
        deadline = time.monotonic() + within
        assert self.process is not None
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                return None
            await pause(0.02)
        return self.process.returncode

    def close(self) -> None:
        """Kill it if it is running."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
