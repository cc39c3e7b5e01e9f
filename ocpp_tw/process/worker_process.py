"""One worker as its parent has it: the process and its successors, what they log, and when they are started again.

Knows neither the other workers nor what a worker serves.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from ..log import event_of
from ..operators.failed_logins import FailedLogin
from ..operators.merge import WorkerEndpoint
from ..settings import Settings
from .listening import SharedPort
from .worker_config import CONFIG, LISTENER, LOG, READY, STDERR, WorkerConfig

MIN_RESTART_DELAY, MAX_RESTART_DELAY = 0.2, 30.0
"""Seconds before a worker that ended is restarted: doubled from the first with each end in succession, at most the second."""

STABLE_AFTER = 60.0
"""Seconds of service after which earlier ends no longer count for the restart delay."""

MAX_LINE = 1 << 20
"""Longest line of a worker's log, in bytes; of a longer one only the end is kept."""


class Worker(ProcessProtocol):
    """One worker and its successive processes; ``ended`` is called at the end of each, with the reason."""

    def __init__(self, number: int, settings: Settings, path: Path, front: str, ended: Callable[[Worker, str], None]) -> None:
        self.number = number
        self.settings = settings
        self._front = front
        self.serving = self.has_served = self.running = False
        self.served: Deferred[None] = Deferred()
        self.restart_timer: IDelayedCall | None = None
        self._path = path
        self._ended = ended
        self._failures = 0
        self._serving_since = 0.0
        self._partial: dict[int, bytes] = {}
        self._process: Any = None

    @property
    def endpoint(self) -> WorkerEndpoint:
        """Where operators' HTTP reaches it."""
        return WorkerEndpoint(self.settings.name, str(self._path), self.serving)

    def spawn(self, reactor: Any, port: SharedPort) -> None:
        """Start its process, or the next one."""
        listener = port.socket_of(self.number)
        self.restart_timer, self._partial = None, {}
        self._path.unlink(missing_ok=True)
        config = WorkerConfig(self.settings, type(reactor).__module__, int(listener.family), str(self._path), self._front)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        descriptors = {CONFIG: "w", LOG: "r", STDERR: "r", LISTENER: listener.fileno(), READY: "r"}
        command = [sys.executable, "-m", "ocpp_tw.process.worker"]
        self._process = reactor.spawnProcess(self, sys.executable, command, environment, childFDs=descriptors)
        self.running = True
        self.tell(config)

    def tell(self, message: WorkerConfig | FailedLogin) -> None:
        """Write it a line; it is running."""
        self._process.writeToChild(CONFIG, msgspec.json.encode(message) + b"\n")

    def signal(self, name: str) -> None:
        """Send it a signal, if it is running."""
        with suppress(ProcessExitedAlready):
            self._process.signalProcess(name)

    def delay(self) -> float:
        """Seconds to wait before the restart."""
        stable = self._serving_since > 0 and time.monotonic() - self._serving_since > STABLE_AFTER
        self._failures, self._serving_since = 0 if stable else self._failures + 1, 0.0
        return min(MAX_RESTART_DELAY, MIN_RESTART_DELAY * 2.0**self._failures)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == READY:
            self.serving = self.has_served = True
            self._serving_since = time.monotonic()
            if not self.served.called:
                self.served.callback(None)
            return
        *lines, partial = (self._partial.get(childFD, b"") + data).split(b"\n")
        self._partial[childFD] = partial[-MAX_LINE:]
        for line in lines:
            self._relay(line)

    def _relay(self, line: bytes) -> None:
        """Log its line here, so that twistd's logging options apply to all workers."""
        event = event_of(line, worker=self.settings.name)
        event["log_system"] = f"{self.settings.name} {event['log_namespace']}#{event['log_level'].name}"
        globalLogPublisher(event)

    def processEnded(self, reason: Failure) -> None:
        for line in filter(None, self._partial.values()):
            self._relay(line)
        self.serving = self.running = False
        self._ended(self, reason.getErrorMessage())
