"""A gateway in its own process, started as in the README."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleets import PATIENCE, free_port

ROOT = Path(__file__).parents[2]


def _prepare(descriptors: int) -> None:
    """A suite that runs under nohup or in a script's background ignores SIGHUP or SIGINT, and its children would too."""
    for each in (signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


class Process:
    """``twistd ocpp`` with these options, and at most that many file ``descriptors``; ``log`` is the file of its log."""

    def __init__(
        self,
        directory: Path,
        redis: str,
        *options: str,
        environment: dict[str, str] | None = None,
        twistd: list[str] | None = None,
        wait: bool = True,
        descriptors: int = 0,
    ) -> None:
        self.directory, self.redis, self.options = directory, redis, options
        self.environment, self.twistd = environment or {}, twistd or []
        self.descriptors = descriptors
        self.port, self.http = free_port(), free_port()
        self.log = directory / "gateway.log"
        self.start(wait)

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).parent / "twistd"), "--pidfile=", "-n", *self.twistd, "ocpp",
                    "--port", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http}",
                    *(["--redis", self.redis] if self.redis else []), "--name", "gw-live", *self.options,
                ],
                cwd=self.directory,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment},
                stdout=log,
                stderr=log,
                preexec_fn=lambda: _prepare(self.descriptors),
            )  # fmt: skip
        if wait:
            self.until(lambda: self.get("/readyz")[0] == 200)

    def until(self, true: Callable[[], Any], within: float = PATIENCE) -> Any:
        """Wait until ``true()`` returns something true, and return that."""
        deadline = time.monotonic() + within
        while True:
            try:
                value = true()
                if value:
                    return value
            except OSError:
                pass
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            time.sleep(0.05)

    def get(self, path: str) -> tuple[int, Any]:
        return self._http(urllib.request.Request(f"http://127.0.0.1:{self.http}{path}"))

    def read(self, path: str) -> str:
        """An answer that is no JSON."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        return self._http(urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", json.dumps(body).encode(), method="POST"))

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        return self._http(urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", json.dumps(body).encode(), method="PUT"))

    def _http(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as answer:
            return answer.code, json.load(answer)

    def stop(self, number: int = signal.SIGTERM, within: float = PATIENCE) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(within)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
