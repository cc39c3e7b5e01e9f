"""The attacked gateway: ``twistd ocpp`` as a process of its own, with a Valkey, and a backend that never answers if one is wanted.

Knows nothing of attacks.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from benchmarks.proc import family, memory
from certificates import Made
from fleets import PATIENCE, Valkey, _mortal, free_port

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-operators"

ADDRESS_SPACE = 4 << 30
"""Bytes that each process of the gateway may allocate: an attack that succeeds ends the gateway, and not the machine."""


class Gateway:
    """Gateway and Valkey, from `__enter__` to `__exit__`."""

    def __init__(self, directory: Path, options: tuple[str, ...], tls: bool, descriptors: int, hung_backend: bool) -> None:
        self.directory, self.options, self.descriptors = directory, options, descriptors
        self.port, self.http = free_port(), free_port()
        self.log = directory / "gateway.log"
        self.certificate = Made().write(directory / "tls.pem") if tls else ""
        self._open = ExitStack()
        if self.certificate:
            self.options += ("--tls", self.certificate)
        if hung_backend:
            backend = self._open.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1000))
            self.options += ("--base-url", f"http://127.0.0.1:{backend.getsockname()[1]}")

    def __enter__(self) -> Gateway:
        stored = self.directory / "valkey"
        stored.mkdir()
        self.valkey = Valkey(stored, "--appendonly", "yes", "--appendfsync", "everysec")
        self._open.callback(self.valkey.kill)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).parent / "twistd"), "--pidfile=", "-n", "ocpp", "--port", f"127.0.0.1:{self.port}",
                    "--http", f"127.0.0.1:{self.http}", "--http-token", TOKEN, "--redis", self.valkey.url, "--name", "gw-hostile", "--drain", "1",
                    *self.options,
                ],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
                preexec_fn=self._limited,
            )  # fmt: skip
        self._open.callback(self._end)
        deadline = time.monotonic() + PATIENCE
        while not self._healthy():
            if time.monotonic() > deadline or not self.alive:
                end = self.log.read_text(errors="replace")[-2000:]
                self._open.close()
                raise RuntimeError(f"the gateway did not start:\n{end}")
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, traceback: TracebackType | None) -> None:
        self._open.close()

    def _limited(self) -> None:
        _mortal()
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        if self.descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def _healthy(self) -> bool:
        """Whether it is ready, with all its workers."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.http), 5) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in connection.recv(4096)[:20]
        return False

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def rss(self) -> float:
        """Resident memory of all its processes, in MB; 0 once it has ended."""
        with suppress(OSError):
            return memory(family(self.process.pid)) / 1024
        return 0.0

    def _end(self) -> None:
        processes = family(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in processes:
                with suppress(OSError):
                    os.kill(pid, 9)
            self.process.wait()
